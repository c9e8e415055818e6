package bus

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// millis turns a wire duration into Go's.
func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// Append turns a request for one stream into an append.
func (r *AppendRequest) Append(stream event.Stream) (event.Append, error) {
	a := event.Append{RequestID: r.RequestID, After: event.Position(r.After), Timeout: millis(r.TimeoutMS)}
	if r.Expect != nil {
		a.Conditions = []event.Condition{{Stream: stream, Expect: *r.Expect}}
	}
	for i := range r.Events {
		e := &r.Events[i]
		if e.Stream != "" {
			return a, &event.InvalidError{Field: fmt.Sprintf("events[%d].stream", i), Reason: "stands in the subject already"}
		}
		e.Stream = string(stream)
	}
	return a, addEvents(&a, r.Events)
}

// Append turns a request for many streams into an append.
func (r *TransactionRequest) Append() (event.Append, error) {
	a := event.Append{RequestID: r.RequestID, After: event.Position(r.After), Timeout: millis(r.TimeoutMS)}
	for _, c := range r.Checks {
		a.Conditions = append(a.Conditions, event.Condition{Stream: event.Stream(c.Stream), Expect: c.Expect})
	}
	return a, addEvents(&a, r.Events)
}

func addEvents(a *event.Append, events []NewEvent) error {
	a.Events = make([]event.Event, len(events))
	for i := range events {
		n := &events[i]
		field := fmt.Sprintf("events[%d]", i)
		if n.Data != nil && n.DataBase64 != nil {
			return &event.InvalidError{Field: field, Reason: "has both data and data_base64"}
		}
		e := event.Event{
			Stream: event.Stream(n.Stream), Version: n.Version, Type: n.Type, Data: n.Data,
			Metadata: n.Metadata, Tags: n.Tags, RoutingKey: n.RoutingKey,
		}
		if n.DataBase64 != nil {
			e.Data, e.Binary = *n.DataBase64, true
		}
		if n.ID != "" {
			id, err := ulid.ParseStrict(n.ID)
			if err != nil {
				return &event.InvalidError{Field: field + ".id", Reason: "is not a ULID"}
			}
			e.ID = id
		}
		a.Events[i] = e
	}
	return nil
}

// NewTransactionRequest is the request for an append.
func NewTransactionRequest(a event.Append) TransactionRequest {
	r := TransactionRequest{RequestID: a.RequestID, After: string(a.After), TimeoutMS: a.Timeout.Milliseconds()}
	for _, c := range a.Conditions {
		r.Checks = append(r.Checks, Check{Stream: string(c.Stream), Expect: c.Expect})
	}
	for i := range a.Events {
		e := &a.Events[i]
		n := NewEvent{
			Stream: string(e.Stream), Version: e.Version, Type: e.Type, Metadata: e.Metadata, Tags: e.Tags, RoutingKey: e.RoutingKey,
		}
		n.Data, n.DataBase64 = wireData(e)
		if e.ID != (ulid.ULID{}) {
			n.ID = e.ID.String()
		}
		r.Events = append(r.Events, n)
	}
	return r
}

// wireData returns an event's data as JSON or as bytes: a pointer, since no bytes are not no data.
func wireData(e *event.Event) (json.RawMessage, *[]byte) {
	if e.Binary {
		bytes := append([]byte{}, e.Data...)
		return nil, &bytes
	}
	return e.Data, nil
}

// NewAppendReply is the reply for a receipt.
func NewAppendReply(receipt event.Receipt) AppendReply {
	r := AppendReply{
		Type: TypeAppendReply, Outcome: "committed", RequestID: receipt.RequestID, Txn: receipt.TxnID,
		Position: string(receipt.Position), Duplicate: receipt.Duplicate, Path: receipt.Path,
		Streams: []StreamVersion{}, Events: []EventRef{},
	}
	for _, s := range receipt.Streams {
		r.Streams = append(r.Streams, StreamVersion{Stream: string(s.Stream), Version: s.Version})
	}
	for _, e := range receipt.Events {
		r.Events = append(r.Events, EventRef{ID: e.ID.String(), Stream: string(e.Stream), Version: e.Version, Position: string(e.Position)})
	}
	return r
}

// Receipt turns a reply back into what it was made of.
func (r *AppendReply) Receipt() (event.Receipt, error) {
	receipt := event.Receipt{RequestID: r.RequestID, TxnID: r.Txn, Position: event.Position(r.Position), Duplicate: r.Duplicate, Path: r.Path}
	for _, s := range r.Streams {
		receipt.Streams = append(receipt.Streams, event.StreamVersion{Stream: event.Stream(s.Stream), Version: s.Version})
	}
	for _, e := range r.Events {
		id, err := ulid.ParseStrict(e.ID)
		if err != nil {
			return receipt, fmt.Errorf("bus: event id %q in a reply: %w", e.ID, err)
		}
		receipt.Events = append(receipt.Events, event.Ref{ID: id, Stream: event.Stream(e.Stream), Version: e.Version, Position: event.Position(e.Position)})
	}
	return receipt, nil
}

// Args turns a request into what to read, but for the stream or category.
func (r *ReadRequest) Args() (event.ReadArgs, error) {
	args := event.ReadArgs{
		Stream: event.Stream(r.Stream), Category: r.Category,
		After: event.Position(r.After), Before: event.Position(r.Before), FromVersion: r.FromVersion, Limit: r.Limit, MaxBytes: r.MaxBytes,
		Types: r.Types, RoutingKey: r.RoutingKey, Consistency: event.Consistency(r.Consistency),
		MinPosition: event.Position(r.MinPosition), Wait: millis(r.WaitMS),
	}
	switch r.Direction {
	case "", "forward":
	case "backward":
		args.Backward = true
	default:
		return args, &event.InvalidError{Field: "direction", Reason: fmt.Sprintf("is %q, want forward or backward", clip(r.Direction))}
	}
	for field, p := range map[string]string{"after": r.After, "before": r.Before, "min_position": r.MinPosition} {
		if _, err := event.ParsePosition(p); err != nil {
			return args, &event.InvalidError{Field: field, Reason: "is not a position"}
		}
	}
	if r.Limit < 0 || r.MaxBytes < 0 || r.WaitMS < 0 {
		return args, &event.InvalidError{Field: "limit, max_bytes or wait_ms", Reason: "is negative"}
	}
	return args, nil
}

// NewReadRequest is the request for what to read.
func NewReadRequest(args event.ReadArgs) ReadRequest {
	r := ReadRequest{
		After: string(args.After), Before: string(args.Before), FromVersion: args.FromVersion, Limit: args.Limit, MaxBytes: args.MaxBytes,
		Types: args.Types, RoutingKey: args.RoutingKey, Consistency: string(args.Consistency),
		MinPosition: string(args.MinPosition), WaitMS: args.Wait.Milliseconds(),
	}
	if args.Backward {
		r.Direction = "backward"
	}
	return r
}

// NewReadReply is the reply for a page.
func NewReadReply(page event.Page, ofStream bool) ReadReply {
	r := ReadReply{Type: TypeReadReply, Events: make([]ReadEvent, len(page.Events)), Next: string(page.Next), End: page.End}
	if ofStream {
		r.Head = &HeadReply{Version: page.Head.Version, Position: string(page.Head.Position)}
	}
	for i := range page.Events {
		e := &page.Events[i]
		r.Events[i] = ReadEvent{
			Position: string(e.Position), Stream: string(e.Stream), Version: e.Version, ID: e.ID.String(), Txn: e.TxnID, Type: e.Type,
			Metadata: e.Metadata, Tags: e.Tags, RoutingKey: e.RoutingKey, RecordedAt: e.RecordedAt,
		}
		r.Events[i].Data, r.Events[i].DataBase64 = wireData(e)
	}
	return r
}

// Page turns a reply back into what it was made of.
func (r *ReadReply) Page() (event.Page, error) {
	page := event.Page{Next: event.Position(r.Next), End: r.End}
	if r.Head != nil {
		page.Head = event.Head{Version: r.Head.Version, Position: event.Position(r.Head.Position)}
	}
	for i := range r.Events {
		w := &r.Events[i]
		id, err := ulid.ParseStrict(w.ID)
		if err != nil {
			return page, fmt.Errorf("bus: event id %q in a reply: %w", w.ID, err)
		}
		e := event.Event{
			ID: id, Stream: event.Stream(w.Stream), Version: w.Version, Position: event.Position(w.Position), TxnID: w.Txn, Type: w.Type,
			Data: w.Data, Metadata: w.Metadata, RoutingKey: w.RoutingKey, Tags: w.Tags, RecordedAt: w.RecordedAt,
		}
		if w.DataBase64 != nil {
			e.Data, e.Binary = *w.DataBase64, true
		}
		page.Events = append(page.Events, e)
	}
	return page, nil
}

// NewNodeReply is the reply for a status.
func NewNodeReply(s event.NodeStatus) NodeReply {
	r := NodeReply{
		Type: TypeNodeReply, Node: s.Name, Cluster: s.Cluster, Nodes: s.Nodes, Version: s.Version, Incarnation: s.Incarnation, Store: s.Store,
		State: s.State, Reason: s.Reason, InFlight: s.InFlight, Events: s.Events, Last: string(s.Last), Counters: s.Counters, Peers: []PeerStatus{},
	}
	for _, p := range s.Peers {
		r.Peers = append(r.Peers, PeerStatus{Node: p.Name, Suspected: p.Suspected, Lag: p.Lag})
	}
	return r
}

// Status turns a reply back into what it was made of.
func (r *NodeReply) Status() event.NodeStatus {
	s := event.NodeStatus{
		Name: r.Node, Cluster: r.Cluster, Nodes: r.Nodes, Version: r.Version, Incarnation: r.Incarnation, Store: r.Store,
		State: r.State, Reason: r.Reason, InFlight: r.InFlight, Events: r.Events, Last: event.Position(r.Last), Counters: r.Counters,
	}
	for _, p := range r.Peers {
		s.Peers = append(s.Peers, event.PeerStatus{Name: p.Node, Suspected: p.Suspected, Lag: p.Lag})
	}
	return s
}
