package bus

import (
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// nobody stands for no worker, where leaving it out means something else.
const nobody = "none"

// SubscriberRequest is of a named subscriber: get needs no worker, claim and reset no position. A claim with
// Previous is one only if that is the current worker; Worker and Previous may be "none".
type SubscriberRequest struct {
	Key      string `json:"key"`
	Worker   string `json:"worker,omitempty"`
	Previous string `json:"previous,omitempty"`
	Position string `json:"position,omitempty"`
	Lag      uint64 `json:"lag,omitempty"`
}

// NewTakeOverRequest is the claim of a worker that takes over from another.
func NewTakeOverRequest(key string, worker, previous ulid.ULID) SubscriberRequest {
	return SubscriberRequest{Key: key, Worker: workerText(worker), Previous: workerText(previous)}
}

func workerText(worker ulid.ULID) string {
	if worker == (ulid.ULID{}) {
		return nobody
	}
	return worker.String()
}

// parseWorker reads the name of a worker, or none.
func parseWorker(field, s string) (ulid.ULID, error) {
	if s == nobody {
		return ulid.ULID{}, nil
	}
	worker, err := ulid.ParseStrict(s)
	if err != nil {
		return worker, &event.InvalidError{Field: field, Reason: "is not a ULID"}
	}
	return worker, nil
}

// SubscriberReply tells where a subscriber is, and whether the worker that asked is its current one. Replies to
// claim, ack and reset have no more than key and running.
type SubscriberReply struct {
	Type    string    `json:"type"`
	Key     string    `json:"key"`
	Running bool      `json:"running"`
	Worker  string    `json:"worker,omitempty"` // empty: nobody
	Cursor  string    `json:"cursor,omitempty"` // empty: nothing was acknowledged
	Lag     uint64    `json:"lag,omitempty"`
	Seen    time.Time `json:"seen,omitzero"` // when its worker was last heard of
}

// NewSubscriberReply is the reply for a subscriber's state.
func NewSubscriberReply(s event.Subscriber) SubscriberReply {
	r := SubscriberReply{Type: TypeSubscriberReply, Key: s.Key, Cursor: string(s.Cursor), Lag: s.Lag, Seen: s.Seen}
	if s.Worker != (ulid.ULID{}) {
		r.Worker = s.Worker.String()
	}
	return r
}

// Subscriber turns a reply back into what it was made of.
func (r *SubscriberReply) Subscriber() (event.Subscriber, error) {
	s := event.Subscriber{Key: r.Key, Cursor: event.Position(r.Cursor), Lag: r.Lag, Seen: r.Seen}
	var err error
	if r.Worker != "" {
		s.Worker, err = parseWorker("worker", r.Worker)
	}
	return s, err
}

// SubscriberListRequest asks for the subscribers whose keys sort behind After.
type SubscriberListRequest struct {
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
}

// SubscriberListReply names subscribers, by key. There are more if there are as many as were asked for.
type SubscriberListReply struct {
	Type        string            `json:"type"`
	Subscribers []SubscriberReply `json:"subscribers"`
}

// NewSubscriberListReply is the reply for a list of subscribers.
func NewSubscriberListReply(subscribers []event.Subscriber) SubscriberListReply {
	r := SubscriberListReply{Type: TypeSubscriberList, Subscribers: make([]SubscriberReply, len(subscribers))}
	for i, s := range subscribers {
		r.Subscribers[i] = NewSubscriberReply(s)
	}
	return r
}

// CountReply tells how many events there are to read.
type CountReply struct {
	Type  string `json:"type"`
	Count uint64 `json:"count"` // event.MaxCount: or more
}
