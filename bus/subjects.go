package bus

import (
	"fmt"
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
)

// Phases returns all phases.
func Phases() []Phase {
	return []Phase{
		PhasePreAccept, PhaseAccept, PhaseCommit, PhaseStable, PhaseRecover, PhaseInvalidate, PhaseFence, PhaseFetch, PhaseCatchUp,
	}
}

// Valid tells whether p is one of the phases.
func (p Phase) Valid() bool {
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
	verbRead       = "read"
	verbHead       = "head"
	verbTxn        = "txn"
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

// Subscriber is where a subscriber is worked on: get, claim or ack.
func (s Subjects) Subscriber(verb string) string { return s.client(verbSubscriber, verb) }

// Snapshot is where a snapshot is worked on: get, put or drop.
func (s Subjects) Snapshot(verb string) string { return s.client(verbSnapshot, verb) }

// ClusterInfo is where any node tells about the cluster.
func (s Subjects) ClusterInfo() string { return s.client(verbCluster, "info") }

// Node is where one node is spoken to: info, health or drain.
func (s Subjects) Node(node, verb string) string { return s.client(verbNode, node, verb) }

// NodeRead is where one node's log is read, whatever other nodes are nearer.
func (s Subjects) NodeRead(node string) string { return s.client(verbNode, node, verbRead) }

// NodeHead is where one node is asked for a stream's version.
func (s Subjects) NodeHead(node string, stream event.Stream) string {
	return s.client(verbNode, node, verbHead, string(stream))
}

// Event is where an event is published after it committed. Of its type, what a subject cannot hold becomes _.
func (s Subjects) Event(stream event.Stream, eventType string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '*' || r == '>' || r <= ' ' {
			return '_'
		}
		return r
	}, eventType)
	tokens := strings.Split(clean, ".")
	for i := range tokens {
		if tokens[i] == "" {
			tokens[i] = "_"
		}
	}
	return s.client(verbEvent, string(stream), strings.Join(tokens, "."))
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
