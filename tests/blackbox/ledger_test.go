package blackbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/oklog/ulid/v2"

	"natsaccord/client"
	"natsaccord/event"
	"natsaccord/tests/history"
)

// ledger notes every append that was asked for, and what its client was told.
type ledger struct {
	history history.Recorder
	values  atomic.Int64

	mu       sync.Mutex
	requests []*request
	told     map[string]int // how often, by kind of answer
	local    []history.Txn  // local reads, which may be stale
}

// request is one append. Every event of it has a value that no other event has.
type request struct {
	append  event.Append
	client  string
	invoke  int64
	values  []int64
	outcome history.Outcome
	receipt event.Receipt    // if it committed
	refusal []event.Conflict // if it was refused for that
	early   bool             // by a node that went by what it had applied
}

func newLedger() *ledger { return &ledger{told: make(map[string]int)} }

// valueKey is the key of the metadata under which an event has its value.
const valueKey = "value"

// request makes an append one that is noted, with a value for each event.
func (l *ledger) request(client string, a event.Append) *request {
	r := &request{append: a, client: client, invoke: l.history.Now()}
	if r.append.RequestID == "" {
		r.append.RequestID = ulid.Make().String()
	}
	r.append.Events = append([]event.Event(nil), a.Events...)
	for i := range r.append.Events {
		value := l.values.Add(1)
		r.values = append(r.values, value)
		r.append.Events[i].Metadata = map[string]string{valueKey: strconv.FormatInt(value, 10)}
	}
	return r
}

// do carries a request out, and notes what became of it.
func (l *ledger) do(ctx context.Context, c *client.Client, r *request) error {
	receipt, err := c.Append(ctx, r.append)
	l.settle(r, receipt, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, r)
	l.told[kindOf(err)]++
	if r.early {
		l.told["conflict told early"]++
	}
	return err
}

// settle takes down what became of a request.
func (l *ledger) settle(r *request, receipt event.Receipt, err error) {
	r.outcome = history.Refused
	if err == nil {
		r.outcome, r.receipt = history.Committed, receipt
	}
	if _, unknown := errors.AsType[*event.UnknownError](err); unknown {
		r.outcome = history.Unknown
		return
	}
	if conflict, ok := errors.AsType[*event.ConflictError](err); ok {
		r.refusal, r.early = conflict.All, conflict.Early
	}
	l.history.Add(r.txn())
}

// kindOf says what an answer is, for counting.
func kindOf(err error) string {
	if err == nil {
		return "committed"
	}
	if _, unknown := errors.AsType[*event.UnknownError](err); unknown {
		return "unknown"
	}
	if _, conflict := errors.AsType[*event.ConflictError](err); conflict {
		return "conflict"
	}
	if _, exists := errors.AsType[*event.ExistsError](err); exists {
		return "exists"
	}
	return "nothing proposed"
}

// txn returns what a request shows of the streams: what was demanded and held, what was appended, and, by its receipt, how
// long the streams were then. An early refusal tells how long they were at least.
func (r *request) txn() history.Txn {
	t := history.Txn{Client: r.client, Invoke: r.invoke, Outcome: r.outcome}
	for _, c := range r.refusal {
		saw := history.Length
		if r.early {
			saw = history.AtLeast
		}
		t.Ops = append(t.Ops, saw(string(c.Stream), int(c.Have)))
	}
	for _, c := range r.append.Conditions {
		if r.outcome == history.Committed && c.Expect >= 0 {
			t.Ops = append(t.Ops, history.Length(string(c.Stream), int(c.Expect)))
		}
	}
	for i, e := range r.append.Events {
		t.Ops = append(t.Ops, history.Append(string(e.Stream), r.values[i]))
	}
	for _, s := range r.receipt.Streams {
		t.Ops = append(t.Ops, history.Length(string(s.Stream), int(s.Version)))
	}
	if r.outcome == history.Committed {
		t.Order = string(r.receipt.Position)
	}
	return t
}

// read reads a stream whole, linearizably or locally, and notes what was seen.
func (l *ledger) read(ctx context.Context, who string, c *client.Client, stream event.Stream, how event.Consistency) (version int, err error) {
	const most = 1000
	invoke := l.history.Now()
	page, err := c.Read(ctx, event.ReadArgs{Stream: stream, Limit: most, Consistency: how})
	if err != nil {
		return 0, err
	}
	if !page.End {
		return 0, fmt.Errorf("%s has more than %d events", stream, most)
	}
	values, err := valuesOf(page.Events)
	if err != nil {
		return 0, err
	}
	txn := history.Txn{Client: who, Invoke: invoke, Outcome: history.Committed, Ops: []history.Op{history.Read(string(stream), values...)}}
	if how == event.Local {
		txn.Return = l.history.Now()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.local = append(l.local, txn)
		return len(values), nil
	}
	l.history.Add(txn)
	return len(values), nil
}

func valuesOf(events []event.Event) ([]int64, error) {
	values := make([]int64, len(events))
	for i, e := range events {
		var err error
		if values[i], err = strconv.ParseInt(e.Metadata[valueKey], 10, 64); err != nil {
			return nil, fmt.Errorf("event %d of %s has no value: %w", e.Version, e.Stream, err)
		}
	}
	return values, nil
}

// mark appends an event to a stream of its own, and returns an error if that is not known to have worked.
func (l *ledger) mark(ctx context.Context, c *client.Client) error {
	return l.do(ctx, c, l.request("mark", event.Append{Events: []event.Event{{Stream: "mark.all", Type: "Marked", Data: []byte(`{}`)}}}))
}

// resolve asks what became of every request whose client was not told, by its request id. It is for when all nodes have
// come to rest: what nobody knows then will never be.
func (l *ledger) resolve(ctx context.Context, clients []*client.Client) error {
	for i, r := range l.requests {
		if r.outcome != history.Unknown {
			continue
		}
		receipt, err := ask(ctx, clients, i, r.append.RequestID)
		l.settle(r, receipt, err)
		if r.outcome == history.Unknown || resolved(err) == "nothing proposed" {
			return fmt.Errorf("ask for request %s: %w", r.append.RequestID, err)
		}
		l.told["then "+resolved(err)]++
	}
	return nil
}

// ask asks for a request's outcome, through another server if one has no answer.
func ask(ctx context.Context, clients []*client.Client, first int, id string) (receipt event.Receipt, err error) {
	for i := range clients {
		receipt, err = clients[(first+i)%len(clients)].Outcome(ctx, id)
		if kind := resolved(err); kind != "unknown" && kind != "nothing proposed" {
			return receipt, err
		}
	}
	return receipt, err
}

func resolved(err error) string {
	if errors.Is(err, event.ErrNotFound) {
		return "never"
	}
	return kindOf(err)
}
