package bus

import (
	"encoding/json"
	"time"

	"natsaccord/event"
)

// The types of replies, as their "type" says.
const (
	TypeAppendReply     = "accord.v1.append_reply"
	TypeReadReply       = "accord.v1.read_reply"
	TypeHeadReply       = "accord.v1.head_reply"
	TypeTxnReply        = "accord.v1.txn_reply"
	TypeSubscriberReply = "accord.v1.subscriber_reply"
	TypeSubscriberList  = "accord.v1.subscriber_list_reply"
	TypeSnapshotReply   = "accord.v1.snapshot_reply"
	TypeClusterReply    = "accord.v1.cluster_reply"
	TypeNodeReply       = "accord.v1.node_reply"
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

// AppendRequest appends to the stream that its subject names.
type AppendRequest struct {
	RequestID string        `json:"request_id,omitempty"`
	Expect    *event.Expect `json:"expect,omitempty"`
	After     string        `json:"after,omitempty"`
	TimeoutMS int64         `json:"timeout_ms,omitempty"`
	Events    []NewEvent    `json:"events"`
}

// TransactionRequest appends to any number of streams.
type TransactionRequest struct {
	RequestID string     `json:"request_id,omitempty"`
	Checks    []Check    `json:"checks,omitempty"`
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
	Consistency string   `json:"consistency,omitempty"`
	MinPosition string   `json:"min_position,omitempty"`
	WaitMS      int64    `json:"wait_ms,omitempty"`
}

// ReadReply is a page of events.
type ReadReply struct {
	Type   string      `json:"type"`
	Events []ReadEvent `json:"events"`
	Next   string      `json:"next"`
	End    bool        `json:"end"`
	Head   *HeadReply  `json:"head,omitempty"` // of the stream that was read
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
}

// noFields is a request whose subject says it all.
type noFields struct{}

// SubscriberRequest is of a named subscriber: get needs no worker and claim no position.
type SubscriberRequest struct {
	Key      string `json:"key"`
	Worker   string `json:"worker,omitempty"`
	Position string `json:"position,omitempty"`
	Lag      uint64 `json:"lag,omitempty"`
}

// SubscriberReply tells where a subscriber is, and whether the worker that asked is its current one.
type SubscriberReply struct {
	Type    string `json:"type"`
	Key     string `json:"key"`
	Cursor  string `json:"cursor,omitempty"` // of get, once something was acknowledged
	Running bool   `json:"running"`
}

// SubscriberListReply names all subscribers.
type SubscriberListReply struct {
	Type        string           `json:"type"`
	Subscribers []SubscriberInfo `json:"subscribers"`
}

// SubscriberInfo is where a subscriber is, and who works for it.
type SubscriberInfo struct {
	Key    string `json:"key"`
	Worker string `json:"worker"`
	Cursor string `json:"cursor"`
	Lag    uint64 `json:"lag"`
}

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
	Version     string            `json:"version"`
	Incarnation uint64            `json:"incarnation"`
	Store       string            `json:"store"`
	State       string            `json:"state"`
	Reason      string            `json:"reason,omitempty"`
	InFlight    int               `json:"in_flight"`
	Events      uint64            `json:"events"`
	Last        string            `json:"last"`
	Peers       []PeerStatus      `json:"peers"`
	Counters    map[string]uint64 `json:"counters,omitempty"`
}

// PeerStatus is what a node knows of another.
type PeerStatus struct {
	Node      string `json:"node"`
	Suspected bool   `json:"suspected"`
	Lag       int    `json:"lag"`
}
