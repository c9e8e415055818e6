package bus

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// millis turns a wire duration into Go's, and what Go's cannot hold into the longest.
func millis(ms int64) time.Duration {
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

// inMillis turns a duration into the wire's, rounded up: what is left of a timeout is not none.
func inMillis(d time.Duration) int64 {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}

// Append turns a request for one stream into an append.
func (r *AppendRequest) Append(stream event.Stream) (event.Append, error) {
	a, err := newAppend(r.RequestID, r.After, r.TimeoutMS, r.Absent, r.Events)
	if err != nil {
		return a, err
	}
	if r.Expect != nil {
		a.Conditions = []event.Condition{{Stream: stream, Expect: *r.Expect}}
	}
	for i := range a.Events {
		if a.Events[i].Stream != "" {
			return a, &event.InvalidError{Field: fmt.Sprintf("events[%d].stream", i), Reason: "stands in the subject already"}
		}
		a.Events[i].Stream = stream
	}
	return a, nil
}

// Append turns a request for many streams into an append.
func (r *TransactionRequest) Append() (event.Append, error) {
	a, err := newAppend(r.RequestID, r.After, r.TimeoutMS, r.Absent, r.Events)
	if err != nil {
		return a, err
	}
	for i, c := range r.Checks {
		if c.Expect == nil {
			return a, &event.InvalidError{Field: fmt.Sprintf("checks[%d].expect", i), Reason: "is missing"}
		}
		a.Conditions = append(a.Conditions, event.Condition{Stream: event.Stream(c.Stream), Expect: *c.Expect})
	}
	return a, nil
}

func newAppend(requestID, after string, timeoutMS int64, absent *Absence, events []NewEvent) (event.Append, error) {
	if timeoutMS < 0 {
		return event.Append{}, &event.InvalidError{Field: "timeout_ms", Reason: "is negative"}
	}
	a := event.Append{RequestID: requestID, After: event.Position(after), Timeout: millis(timeoutMS), Absent: absent.into(), Events: make([]event.Event, len(events))}
	for i := range events {
		if err := events[i].into(&a.Events[i]); err != nil {
			err.Field = fmt.Sprintf("events[%d].%s", i, err.Field)
			return a, err
		}
	}
	return a, nil
}

func (a *Absence) into() *event.Absence {
	if a == nil {
		return nil
	}
	absent := &event.Absence{After: event.Position(a.After)}
	for _, m := range a.Items {
		absent.Items = append(absent.Items, event.Match(m))
	}
	return absent
}

func newAbsence(a *event.Absence) *Absence {
	if a == nil {
		return nil
	}
	absent := &Absence{After: string(a.After), Items: []Match{}}
	for _, m := range a.Items {
		absent.Items = append(absent.Items, Match(m))
	}
	return absent
}

// into fills in an event as its maker knows it.
func (n *NewEvent) into(e *event.Event) *event.InvalidError {
	*e = event.Event{
		Stream: event.Stream(n.Stream), Version: n.Version, Type: n.Type, Data: n.Data,
		Metadata: n.Metadata, Tags: n.Tags, RoutingKey: n.RoutingKey,
	}
	if n.Data != nil && n.DataBase64 != nil {
		return &event.InvalidError{Field: "data", Reason: "stands beside data_base64, want one of them"}
	}
	if n.DataBase64 != nil {
		e.Data, e.Binary = n.DataBase64, true
	}
	if n.ID == "" {
		return nil
	}
	id, err := ulid.ParseStrict(n.ID)
	if err != nil {
		return &event.InvalidError{Field: "id", Reason: "is not a ULID"}
	}
	e.ID = id
	return nil
}

// NewTransactionRequest is the request for an append.
func NewTransactionRequest(a event.Append) TransactionRequest {
	r := TransactionRequest{RequestID: a.RequestID, After: string(a.After), TimeoutMS: inMillis(a.Timeout), Absent: newAbsence(a.Absent)}
	for _, c := range a.Conditions {
		r.Checks = append(r.Checks, Check{Stream: string(c.Stream), Expect: &c.Expect})
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

// wireData returns an event's data as JSON or as bytes.
func wireData(e *event.Event) (json.RawMessage, []byte) {
	if e.Binary {
		return nil, append([]byte{}, e.Data...)
	}
	return e.Data, nil
}

// NewAppendReply is the reply for a receipt.
func NewAppendReply(receipt event.Receipt) AppendReply {
	r := AppendReply{
		Type: TypeAppendReply, Outcome: outcomeCommitted, RequestID: receipt.RequestID, Txn: receipt.TxnID,
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
