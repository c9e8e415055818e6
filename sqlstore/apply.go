package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
)

// wanted names the state that a batch looks at.
type wanted struct {
	txnIDs      []string // to be marked applied, if they are not
	streams     []string
	requests    []string
	eventIDs    []string
	subscribers []string
	snapshots   []event.SnapshotName
}

// loaded is that state.
type loaded struct {
	state   event.State
	applied map[string]bool // by TxnID
}

func newLoaded() *loaded {
	return &loaded{
		state: event.State{
			Heads: make(map[event.Stream]event.Head), Requests: make(map[string]event.Request), Taken: make(map[ulid.ULID]bool),
			Subscribers: make(map[string]event.Subscriber), Snapshots: make(map[event.SnapshotName]uint64),
		},
		applied: make(map[string]bool),
	}
}

// effects is what a batch comes to: everything to be written, in order.
type effects struct {
	events      []event.Event
	heads       map[event.Stream]event.Head // of the streams written to
	requests    []event.Request
	executeAts  []string // of requests, one each
	subscribers map[string]event.Subscriber
	snapshots   map[event.SnapshotName]*event.Snapshot // nil: drop
	applied     []row                                  // to be marked applied
}

// want adds what evaluating a command looks at.
func (w *wanted) want(c event.Command) {
	switch {
	case c.Append != nil:
		w.requests = append(w.requests, c.Append.RequestID)
		for _, condition := range c.Append.Conditions {
			w.streams = append(w.streams, string(condition.Stream))
		}
		for i := range c.Append.Events {
			w.streams = append(w.streams, string(c.Append.Events[i].Stream))
			w.eventIDs = append(w.eventIDs, c.Append.Events[i].ID.String())
		}
	case c.Claim != nil:
		w.subscribers = append(w.subscribers, c.Claim.Key)
	case c.Ack != nil:
		w.subscribers = append(w.subscribers, c.Ack.Key)
	case c.PutSnapshot != nil:
		w.snapshots = append(w.snapshots, event.SnapshotName{Stream: c.PutSnapshot.Stream, Name: c.PutSnapshot.Name})
	}
}

func newEffects() *effects {
	return &effects{heads: make(map[event.Stream]event.Head), subscribers: make(map[string]event.Subscriber), snapshots: make(map[event.SnapshotName]*event.Snapshot)}
}

// add takes over one evaluation.
func (e *effects) add(v event.Evaluation, executeAt string) {
	e.events = append(e.events, v.Events...)
	for i := range v.Events {
		e.heads[v.Events[i].Stream] = event.Head{Version: v.Events[i].Version, Position: v.Events[i].Position}
	}
	if v.Request != nil {
		e.requests = append(e.requests, *v.Request)
		e.executeAts = append(e.executeAts, executeAt)
	}
	if v.Subscriber != nil {
		e.subscribers[v.Subscriber.Key] = *v.Subscriber
	}
	if v.Snapshot != nil {
		e.snapshots[event.SnapshotName{Stream: v.Snapshot.Stream, Name: v.Snapshot.Name}] = v.Snapshot
	}
	if v.Drop != nil {
		e.snapshots[*v.Drop] = nil
	}
}

// moment returns when, in the agreed order, a transaction executes.
func moment(id accord.TxnID, executeAt accord.Timestamp) event.Moment {
	return event.Moment{TxnID: id.String(), ExecuteAt: executeAt.String(), Time: time.UnixMicro(int64(executeAt.HLC)).UTC()}
}

// Apply evaluates and writes a batch of committed transactions in slice order, in one transaction, and returns
// their outcomes. A transaction that is marked applied is not evaluated again; its outcome is read back. An
// error means that nothing was written.
//
// The commit is not synced. The journal holds the decisions, and the database's write-ahead log keeps the order
// of commits, so that a power cut takes at most a tail of them, which is executed again. Batches without a
// common key may be applied concurrently.
func (s *Store) Apply(ctx context.Context, batch []accord.Execution) ([]event.Outcome, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	commands := make([]event.Command, len(batch))
	want := &wanted{}
	for i := range batch {
		var err error
		if commands[i], err = event.DecodeCommand(batch[i].Record.Txn.Body); err != nil {
			return nil, fmt.Errorf("sqlstore: decode transaction %s: %w", batch[i].Record.ID, err)
		}
		want.want(commands[i])
		want.txnIDs = append(want.txnIDs, batch[i].Record.ID.String())
	}
	var outcomes []event.Outcome
	var todo *effects
	err := s.engine.transact(ctx, false, want, func(l *loaded) *effects {
		outcomes, todo = decide(batch, commands, want.txnIDs, l)
		return todo
	})
	if err != nil {
		return nil, fmt.Errorf("sqlstore: apply %d transactions: %w", len(batch), err)
	}
	s.wrote(todo.events)
	return outcomes, s.readBack(ctx, want.txnIDs, commands, outcomes)
}

// decide evaluates a batch. The outcome of what is applied already is left open.
func decide(batch []accord.Execution, commands []event.Command, txnIDs []string, l *loaded) ([]event.Outcome, *effects) {
	outcomes := make([]event.Outcome, len(batch))
	todo := newEffects()
	for i := range batch {
		if l.applied[txnIDs[i]] {
			continue
		}
		rec := batch[i].Record
		at := moment(rec.ID, rec.ExecuteAt)
		evaluation := l.state.Evaluate(commands[i], at)
		outcomes[i] = evaluation.Outcome
		todo.add(evaluation, at.ExecuteAt)
		applied := encodeRecord(&rec)
		applied.status = accord.StatusApplied.String()
		todo.applied = append(todo.applied, applied)
	}
	return outcomes, todo
}

// readBack fills in the outcomes of transactions that had been applied before.
func (s *Store) readBack(ctx context.Context, txnIDs []string, commands []event.Command, outcomes []event.Outcome) error {
	for i := range outcomes {
		if outcomes[i].TxnID != "" {
			continue
		}
		found, err := s.Outcome(ctx, txnIDs[i])
		if errors.Is(err, event.ErrNotFound) && commands[i].Append == nil {
			found, err = event.Outcome{Receipt: event.Receipt{TxnID: txnIDs[i]}, Committed: true}, nil
		}
		if errors.Is(err, event.ErrNotFound) { // the request id had been used before by another transaction
			found, err = s.Outcome(ctx, commands[i].Append.RequestID)
			found.Duplicate = true
		}
		if err != nil {
			return fmt.Errorf("sqlstore: read back the outcome of %s: %w", txnIDs[i], err)
		}
		outcomes[i] = found
	}
	return nil
}
