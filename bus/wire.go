package bus

import (
	"encoding/json"
	"time"

	"natsaccord/event"
)

// The types of replies, as their "type" says.
const (
	TypeAppendReply     = "accord.v1.append_reply"
	TypeAppendsReply    = "accord.v1.appends_reply"
	TypeReadReply       = "accord.v1.read_reply"
	TypeHeadReply       = "accord.v1.head_reply"
	TypeTxnReply        = "accord.v1.txn_reply"
	TypeSubscriberReply = "accord.v1.subscriber_reply"
	TypeSubscriberList  = "accord.v1.subscriber_list_reply"
	TypeCountReply      = "accord.v1.count_reply"
	TypeSnapshotReply   = "accord.v1.snapshot_reply"
	TypeClusterReply    = "accord.v1.cluster_reply"
	TypeNodeReply       = "accord.v1.node_reply"
	TypeDigestReply     = "accord.v1.digest_reply"
	TypeError           = "accord.v1.error"
)

// NewEvent is an event in a request. Stream and Version only stand in transactions.
type NewEvent struct {
	ID         string            `json:"id,omitempty"`
	Stream     string            `json:"stream,omitempty"`
	Version    uint64            `json:"version,omitempty"`
	Type       string            `json:"type"`
	Data       json.RawMessage   `json:"data,omitempty"`
	DataBase64 []byte            `json:"data_base64,omitzero"` // no bytes are not nothing
	Metadata   map[string]string `json:"metadata,omitempty"`
	Tags       []string          `json:"tags,omitempty"`
	RoutingKey string            `json:"routing_key,omitempty"`
}

// Absence demands that no event after a position matches any of the items.
type Absence struct {
	Items []Match `json:"items"`
	After string  `json:"after,omitempty"`
}

// Match selects the events of one of the types, or of any if there are none, that have all of the tags.
type Match struct {
	Types []string `json:"types,omitempty"`
	Tags  []string `json:"tags"`
}

// AppendRequest appends to the stream that its subject names.
type AppendRequest struct {
	RequestID string        `json:"request_id,omitempty"`
	Expect    *event.Expect `json:"expect,omitempty"`
	Absent    *Absence      `json:"absent,omitempty"`
	After     string        `json:"after,omitempty"`
	TimeoutMS int64         `json:"timeout_ms,omitempty"`
	Events    []NewEvent    `json:"events"`
}

// TransactionRequest appends to any number of streams.
type TransactionRequest struct {
	RequestID string     `json:"request_id,omitempty"`
	Checks    []Check    `json:"checks,omitempty"`
	Absent    *Absence   `json:"absent,omitempty"`
	After     string     `json:"after,omitempty"`
	TimeoutMS int64      `json:"timeout_ms,omitempty"`
	Events    []NewEvent `json:"events"`
}

// Check is a condition on a stream.
type Check struct {
	Stream string        `json:"stream"`
	Expect *event.Expect `json:"expect"`
}

// AppendReply tells of an append that committed.
type AppendReply struct {
	Type      string          `json:"type"`
	Outcome   string          `json:"outcome"`
	RequestID string          `json:"request_id"`
	Txn       string          `json:"txn,omitempty"`
	Position  string          `json:"position"`
	Streams   []StreamVersion `json:"streams"`
	Events    []EventRef      `json:"events"`
	Duplicate bool            `json:"duplicate"`
	Path      string          `json:"path,omitempty"`
	Truncated bool            `json:"truncated,omitempty"` // events are left out: they do not fit a message
	Node      string          `json:"node,omitempty"`      // who answers
}

// AppendsRequest is several appends in one message, at most MaxAppends. Each is a TransactionRequest and stands for itself.
type AppendsRequest struct {
	Appends []json.RawMessage `json:"appends"`
}

// AppendsReply tells of some of the appends in a message. Others are told of in messages of their own.
type AppendsReply struct {
	Type    string         `json:"type"`
	Replies []IndexedReply `json:"replies"`
	Left    int            `json:"left"` // how many are not told of yet
}

// IndexedReply is the reply to one of the appends in a message.
type IndexedReply struct {
	Index int             `json:"index"` // from 0 on
	Reply json.RawMessage `json:"reply"` // AppendReply or ErrorReply
}

// StreamVersion is how many events a stream has.
type StreamVersion struct {
	Stream  string `json:"stream"`
	Version uint64 `json:"version"`
}

// EventRef is where an event of an append stands.
type EventRef struct {
	ID       string `json:"id"`
	Stream   string `json:"stream"`
	Version  uint64 `json:"version"`
	Position string `json:"position"`
}

// ReadRequest selects events. The stream or category stands in the subject, or, for streams whose names cannot,
// in the body of a request on the subject without them.
type ReadRequest struct {
	Stream      string   `json:"stream,omitempty"`
	Category    string   `json:"category,omitempty"`
	After       string   `json:"after,omitempty"`
	Before      string   `json:"before,omitempty"`
	FromVersion uint64   `json:"from_version,omitempty"`
	Direction   string   `json:"direction,omitempty"` // forward or backward
	Limit       int      `json:"limit,omitempty"`
	MaxBytes    int      `json:"max_bytes,omitempty"`
	Types       []string `json:"types,omitempty"`
	RoutingKey  string   `json:"routing_key,omitempty"`
	Tags        []string `json:"tags,omitempty"` // events with all of them
	Consistency string   `json:"consistency,omitempty"`
	MinPosition string   `json:"min_position,omitempty"`
	WaitMS      int64    `json:"wait_ms,omitempty"`
}

// ReadReply is a page of events.
type ReadReply struct {
	Type     string      `json:"type"`
	Events   []ReadEvent `json:"events"`
	Next     string      `json:"next"`
	End      bool        `json:"end"`
	Head     *HeadReply  `json:"head,omitempty"` // of the stream that was read
	Frontier string      `json:"frontier"`       // of the node that answers
	Node     string      `json:"node,omitempty"` // who answers
}

// ReadEvent is an event that was committed.
type ReadEvent struct {
	Position   string            `json:"position"`
	Stream     string            `json:"stream"`
	Version    uint64            `json:"version"`
	ID         string            `json:"id"`
	Txn        string            `json:"txn,omitempty"`
	Type       string            `json:"type"`
	Data       json.RawMessage   `json:"data,omitempty"`
	DataBase64 []byte            `json:"data_base64,omitzero"` // no bytes are not nothing
	Metadata   map[string]string `json:"metadata,omitempty"`
	Tags       []string          `json:"tags,omitempty"`
	RoutingKey string            `json:"routing_key,omitempty"`
	RecordedAt time.Time         `json:"recorded_at"`
}

// HeadRequest asks for a stream whose name cannot stand in a subject.
type HeadRequest struct {
	Stream string `json:"stream,omitempty"`
}

// HeadReply is how far a stream has come.
type HeadReply struct {
	Type     string `json:"type,omitempty"`
	Version  uint64 `json:"version"`
	Position string `json:"position"`
	Node     string `json:"node,omitempty"` // who answers
}

// noFields is a request whose subject says it all.
type noFields struct{}

// SnapshotMessage is a snapshot, in requests and in replies.
type SnapshotMessage struct {
	Type       string `json:"type,omitempty"`
	Stream     string `json:"stream"`
	Name       string `json:"name"`
	Version    uint64 `json:"version,omitempty"`
	DataBase64 []byte `json:"data_base64,omitzero"`
}

// NodeReply is a node's status.
type NodeReply struct {
	Type        string            `json:"type"`
	Node        string            `json:"node"`
	Cluster     string            `json:"cluster"`
	Nodes       []string          `json:"nodes"`
	Electorate  []string          `json:"electorate,omitempty"`
	FastQuorum  int               `json:"fast_quorum,omitempty"`
	Version     string            `json:"version"`
	Incarnation uint64            `json:"incarnation"`
	Store       string            `json:"store"`
	State       string            `json:"state"`
	Reason      string            `json:"reason,omitempty"`
	InFlight    int               `json:"in_flight"`
	Events      uint64            `json:"events"`
	Last        string            `json:"last"`
	LastAt      time.Time         `json:"last_at,omitzero"`
	Frontier    string            `json:"frontier"`
	FrontierAt  time.Time         `json:"frontier_at,omitzero"`
	Publishing  bool              `json:"publishing"`
	Alarm       string            `json:"alarm,omitempty"`
	Digest      *DigestInfo       `json:"digest,omitempty"`
	Peers       []PeerStatus      `json:"peers"`
	Counters    map[string]uint64 `json:"counters,omitempty"`
}

// PeerStatus is what a node knows of another.
type PeerStatus struct {
	Node      string `json:"node"`
	Suspected bool   `json:"suspected"`
	Lag       int    `json:"lag"`
}

// DigestRequest asks a node for the digest of a run of events, as event.DigestQuery does.
type DigestRequest struct {
	From   uint64 `json:"from,omitempty"`
	To     uint64 `json:"to,omitempty"`
	Stored bool   `json:"stored,omitempty"`
}

// DigestInfo is a digest, as event.Digest is.
type DigestInfo struct {
	From     uint64 `json:"from"`
	To       uint64 `json:"to"`
	Position string `json:"position"`
	Sum      string `json:"sum"`
}

// DigestReply is a node's digest of a run of events.
type DigestReply struct {
	Type string `json:"type"`
	DigestInfo
}
