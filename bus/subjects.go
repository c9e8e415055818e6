package bus

import (
	"fmt"
	"net/url"
	"strings"

	"natsaccord/event"
)

// DefaultPrefix is the first token of every subject unless configured otherwise.
const DefaultPrefix = "accord"

// Subjects builds and reads every subject there is. Client and peer subjects have separate roots, so that one
// permission hides the protocol from clients.
type Subjects struct {
	Prefix  string // one or more tokens; empty: DefaultPrefix
	Cluster string // one token; only peer subjects hold it
}

// Phase is the last token of a peer subject: what part of the protocol a message belongs to. A reply travels
// on its request's phase.
type Phase string

// The phases. Reads and pings travel as fetches.
const (
	PhasePreAccept  Phase = "preaccept"
	PhaseAccept     Phase = "accept"
	PhaseCommit     Phase = "commit"
	PhaseStable     Phase = "stable"
	PhaseRecover    Phase = "recover"
	PhaseInvalidate Phase = "invalidate"
	PhaseFence      Phase = "fence"
	PhaseFetch      Phase = "fetch"
	PhaseCatchUp    Phase = "catchup"
	PhaseLog        Phase = "log" // parts of logs, for nodes that were away for long
)

// Notes are not phases but travel as such: something small that nodes tell each other beside the protocol, in JSON.
// A lost note is no harm.
const (
	NoteLive   Phase = "live"   // how far live events are published
	NoteDigest Phase = "digest" // what the log hashes to
)

func (p Phase) isNote() bool { return p == NoteLive || p == NoteDigest }

// Phases returns all phases.
func Phases() []Phase {
	return []Phase{
		PhasePreAccept, PhaseAccept, PhaseCommit, PhaseStable, PhaseRecover, PhaseInvalidate, PhaseFence, PhaseFetch, PhaseCatchUp, PhaseLog,
	}
}

// Valid tells whether p is one of the phases or notes.
func (p Phase) Valid() bool {
	if p.isNote() {
		return true
	}
	for _, phase := range Phases() {
		if p == phase {
			return true
		}
	}
	return false
}

// The verbs of client subjects: what stands behind <prefix>.v1.
const (
	verbAppend     = "append"
	verbAppends    = "appends"
	verbRead       = "read"
	verbHead       = "head"
	verbTxn        = "txn"
	verbCount      = "count"
	verbSubscriber = "subscriber"
	verbSnapshot   = "snapshot"
	verbCluster    = "cluster"
	verbNode       = "node"
	verbEvent      = "event"
)

// maxName is the longest node or cluster name and the longest prefix, in bytes.
const maxName = 64

// Validate checks the prefix and the cluster's name.
func (s Subjects) Validate() error {
	if len(s.prefix()) > maxName {
		return fmt.Errorf("bus: prefix has %d bytes, want at most %d", len(s.prefix()), maxName)
	}
	for token := range strings.SplitSeq(s.prefix(), ".") {
		if err := ValidateName("prefix", token); err != nil {
			return err
		}
	}
	return ValidateName("cluster", s.Cluster)
}

// ValidateName checks that name can be the name of a node or a cluster: one token of 1 to 64 letters, digits,
// _ and -. what says in the error what it names.
func ValidateName(what, name string) error {
	if len(name) == 0 || len(name) > maxName {
		return fmt.Errorf("bus: %s is %q, want 1 to %d characters", what, clip(name), maxName)
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return fmt.Errorf("bus: %s is %q, want letters, digits, _ and -", what, name)
		}
	}
	return nil
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// clip keeps messages short whatever was sent.
func clip(s string) string {
	const longest = 64
	if len(s) > longest {
		return strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}

func (s Subjects) prefix() string {
	if s.Prefix == "" {
		return DefaultPrefix
	}
	return s.Prefix
}

func (s Subjects) client(tokens ...string) string {
	return s.prefix() + ".v1." + strings.Join(tokens, ".")
}

// Append is where events are appended to one stream.
func (s Subjects) Append(stream event.Stream) string { return s.client(verbAppend, string(stream)) }

// Transaction is where events are appended to many streams.
func (s Subjects) Transaction() string { return s.client(verbAppend) }

// Appends is where several appends are asked for in one message, each as Transaction takes it.
func (s Subjects) Appends() string { return s.client(verbAppends) }

// Read is where the whole log is read.
func (s Subjects) Read() string { return s.client(verbRead) }

// ReadCategory is where a category is read.
func (s Subjects) ReadCategory(category string) string { return s.client(verbRead, category) }

// ReadStream is where a stream is read.
func (s Subjects) ReadStream(stream event.Stream) string { return s.client(verbRead, string(stream)) }

// Head is where a stream's version is asked for.
func (s Subjects) Head(stream event.Stream) string { return s.client(verbHead, string(stream)) }

// HeadOf is where the head of a stream is asked for whose name stands in the body.
func (s Subjects) HeadOf() string { return s.client(verbHead) }

// Txn is where the outcome of a request is asked for, by request id or TxnID.
func (s Subjects) Txn(id string) string { return s.client(verbTxn, id) }

// Count is where it is asked how many events there are.
func (s Subjects) Count() string { return s.client(verbCount) }

// Subscriber is where subscribers are worked on: get, list, claim, ack or reset.
func (s Subjects) Subscriber(verb string) string { return s.client(verbSubscriber, verb) }

// Snapshot is where a snapshot is worked on: get, put or drop.
func (s Subjects) Snapshot(verb string) string { return s.client(verbSnapshot, verb) }

// ClusterInfo is where any node tells about the cluster.
func (s Subjects) ClusterInfo() string { return s.client(verbCluster, "info") }

// Node is where one node is spoken to: info, health, drain or digest.
func (s Subjects) Node(node, verb string) string { return s.client(verbNode, node, verb) }

// NodeRead is where one node's log is read, whatever other nodes are nearer.
func (s Subjects) NodeRead(node string) string { return s.client(verbNode, node, verbRead) }

// NodeHead is where one node is asked for a stream's version.
func (s Subjects) NodeHead(node string, stream event.Stream) string {
	return s.client(verbNode, node, verbHead, string(stream))
}

// Event is where an event is published after it has committed: <prefix>.v1.event.<category>.<id>.<type>. The id may
// be several tokens, the type is always one, the last. What cannot stand in a subject is escaped as in a URL: % is
// %25, * is %2A, > is %3E, and so is %2E a dot that would make an empty token, or any dot of a type.
func (s Subjects) Event(stream event.Stream, eventType string) string {
	return s.client(verbEvent, stream.Category(), escapeID(stream.ID()), strings.ReplaceAll(escapeToken(eventType), ".", "%2E"))
}

// Events matches every published event.
func (s Subjects) Events() string { return s.client(verbEvent, ">") }

// ParseEvent takes apart what Event made.
func (s Subjects) ParseEvent(subject string) (stream event.Stream, eventType string, ok bool) {
	tail, ok := strings.CutPrefix(subject, s.client(verbEvent, ""))
	last := strings.LastIndexByte(tail, '.')
	if !ok || last < 0 {
		return "", "", false
	}
	name, err := url.PathUnescape(tail[:last])
	if err != nil {
		return "", "", false
	}
	eventType, err = url.PathUnescape(tail[last+1:])
	return event.Stream(name), eventType, err == nil && event.Stream(name).Validate() == nil
}

// escapeToken escapes what NATS gives a meaning, and the escape itself.
func escapeToken(s string) string {
	return strings.NewReplacer("%", "%25", "*", "%2A", ">", "%3E").Replace(s)
}

// escapeID also escapes the dots that would make an empty token: in front, at the end and behind another dot.
func escapeID(id string) string {
	id = escapeToken(id)
	var b strings.Builder
	for i := range len(id) {
		if id[i] == '.' && (i == 0 || i == len(id)-1 || id[i-1] == '.') {
			b.WriteString("%2E")
			continue
		}
		b.WriteByte(id[i])
	}
	return b.String()
}

// Clients matches every client subject, published events included.
func (s Subjects) Clients() string { return s.client(">") }

// ParseClient splits a client subject into its verb and the tokens behind it.
func (s Subjects) ParseClient(subject string) (verb, rest string, ok bool) {
	tail, ok := strings.CutPrefix(subject, s.prefix()+".v1.")
	if !ok || tail == "" {
		return "", "", false
	}
	verb, rest, _ = strings.Cut(tail, ".")
	return verb, rest, verb != ""
}

func (s Subjects) peers() string { return s.prefix() + ".peer.v1." + s.Cluster + "." }

// Peer is where the node from sends messages of a phase to the node to.
func (s Subjects) Peer(to, from string, phase Phase) string {
	return s.peers() + to + "." + from + "." + string(phase)
}

// PeerInbox matches every message for one node.
func (s Subjects) PeerInbox(node string) string { return s.peers() + node + ".>" }

// ParsePeer takes apart what Peer made. It reports false for subjects of other clusters and unknown phases.
func (s Subjects) ParsePeer(subject string) (to, from string, phase Phase, ok bool) {
	tail, ok := strings.CutPrefix(subject, s.peers())
	if !ok {
		return "", "", "", false
	}
	to, tail, _ = strings.Cut(tail, ".")
	from, last, _ := strings.Cut(tail, ".")
	phase = Phase(last)
	return to, from, phase, ValidateName("to", to) == nil && ValidateName("from", from) == nil && phase.Valid()
}
