package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

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
	watches     []event.Watch
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
			Subscribers: make(map[string]event.Subscriber), Snapshots: make(map[event.SnapshotName]uint64), Watches: make(map[string]*event.Watch),
		},
		applied: make(map[string]bool),
	}
}

// effects is what a batch comes to: everything to be written, in order.
type effects struct {
	events      []event.Event
	requests    []event.Request
	executeAts  []string // of requests, one each
	subscribers map[string]event.Subscriber
	snapshots   map[event.SnapshotName]*event.Snapshot // nil: drop
	changedAt   map[string]string                      // executeAt of each of these, by its key in consensus
	applied     []accord.Record                        // to be marked applied; their Status is
	outcomes    map[string]string                      // of those of them whose outcome stands nowhere else, by TxnID
	logCursor   *string                                // how far a log is merged
	caughtUp    *string                                // up to where one was merged in full
	records     []accord.Record                        // that the database does not hold as they are
	scalars     *accord.Scalars                        // nil: as they were
	segment     *uint64                                // the journal's first file that is needed; nil: as it was
}

// want adds what evaluating a command looks at.
func (w *wanted) want(c event.Command) {
	switch {
	case c.Append != nil:
		w.requests = append(w.requests, c.Append.RequestID)
		for _, condition := range c.Append.Conditions {
			w.stream(condition.Stream)
		}
		for i := range c.Append.Events {
			w.stream(c.Append.Events[i].Stream)
			w.eventIDs = append(w.eventIDs, c.Append.Events[i].ID.String())
		}
		w.watches = append(w.watches, c.Append.Absent.Watches()...)
	case c.Claim != nil:
		w.subscribers = append(w.subscribers, c.Claim.Key)
	case c.Ack != nil:
		w.subscribers = append(w.subscribers, c.Ack.Key)
	case c.TakeOver != nil:
		w.subscribers = append(w.subscribers, c.TakeOver.Key)
	case c.PutSnapshot != nil:
		w.snapshots = append(w.snapshots, event.SnapshotName{Stream: c.PutSnapshot.Stream, Name: c.PutSnapshot.Name})
	}
}

// stream adds a stream, unless one of the last few was the same: most appends demand something of what they append to.
func (w *wanted) stream(s event.Stream) {
	const few = 4
	if last := max(0, len(w.streams)-few); !slices.Contains(w.streams[last:], string(s)) {
		w.streams = append(w.streams, string(s))
	}
}

func newEffects() *effects {
	return &effects{
		outcomes: make(map[string]string), changedAt: make(map[string]string),
		subscribers: make(map[string]event.Subscriber), snapshots: make(map[event.SnapshotName]*event.Snapshot),
	}
}

// add takes over one evaluation.
func (e *effects) add(v event.Evaluation, executeAt string) {
	e.events = append(e.events, v.Events...)
	if v.Request != nil {
		e.requests = append(e.requests, *v.Request)
		e.executeAts = append(e.executeAts, executeAt)
	}
	if v.Subscriber != nil {
		e.subscribers[v.Subscriber.Key] = *v.Subscriber
		e.changedAt["u"+v.Subscriber.Key] = executeAt
	}
	if v.Snapshot != nil {
		e.snapshots[event.SnapshotName{Stream: v.Snapshot.Stream, Name: v.Snapshot.Name}] = v.Snapshot
		e.changedAt[event.SnapshotKey(v.Snapshot.Stream, v.Snapshot.Name)] = executeAt
	}
	if v.Drop != nil {
		e.snapshots[*v.Drop] = nil
		e.changedAt[event.SnapshotKey(v.Drop.Stream, v.Drop.Name)] = executeAt
	}
}

// empty tells whether there is nothing to write.
func (e *effects) empty() bool {
	return len(e.applied) == 0 && len(e.records) == 0 && e.scalars == nil && e.segment == nil
}

// merge adds later effects, of appends alone.
func (e *effects) merge(later *effects) {
	e.events = append(e.events, later.events...)
	e.requests = append(e.requests, later.requests...)
	e.executeAts = append(e.executeAts, later.executeAts...)
	e.applied = append(e.applied, later.applied...)
	maps.Copy(e.outcomes, later.outcomes)
}

// keptEffects is how many events stay allocated for the next write.
const keptEffects = 4 * behindEnough

// reset empties e, and keeps its memory if that is not a lot.
func (e *effects) reset() {
	if cap(e.events) > keptEffects || cap(e.records) > keptEffects {
		*e = *newEffects()
		return
	}
	clear(e.events)
	clear(e.requests)
	clear(e.executeAts)
	clear(e.applied)
	clear(e.records)
	clear(e.outcomes)
	clear(e.changedAt)
	clear(e.subscribers)
	clear(e.snapshots)
	*e = effects{
		events: e.events[:0], requests: e.requests[:0], executeAts: e.executeAts[:0], applied: e.applied[:0], records: e.records[:0],
		outcomes: e.outcomes, changedAt: e.changedAt, subscribers: e.subscribers, snapshots: e.snapshots,
	}
}

// roomFor returns effects that n appends of an event each fit in.
func roomFor(n int) *effects {
	e := newEffects()
	e.events, e.requests, e.executeAts, e.applied = make([]event.Event, 0, n), make([]event.Request, 0, n), make([]string, 0, n), make([]accord.Record, 0, n)
	return e
}

// Apply evaluates a batch of committed transactions in slice order, and returns the outcomes of their commands: one for
// each transaction, but for a bundle one for each of its commands. What they come to is in the database when whoever reads
// it through the Store looks, and goes there many batches at a time. A transaction that is marked applied is not evaluated
// again; its outcomes are read back. Nor is one whose effects came with another node's log (MergeLog); its outcome is zero
// if nothing tells it. After an error nothing of the batch is written.
//
// Nothing of it is synced. The journal holds the decisions, the database is written in the order of evaluation, and what
// a crash takes is executed again: by the node, or, below the recorded watermark, when the store is opened.
func (s *Store) Apply(ctx context.Context, batch []accord.Execution) ([]event.Outcome, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	b, err := newBatch(batch)
	if err != nil {
		return nil, err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.isPlain(b) {
		return s.applyBehind(ctx, b)
	}
	return s.applyNow(ctx, b)
}

// isPlain tells whether a batch holds nothing but appends that cannot have been applied before, and look at nothing
// that is not known by name.
func (s *Store) isPlain(b *batch) bool {
	caughtUp := *s.caughtUp.Load()
	for i := range b.commands {
		if !b.commands[i].MayBundle() {
			return false
		}
	}
	for i := range b.executions {
		if rec := &b.executions[i].Record; !rec.ID.After(s.opened) || rec.ExecuteAt.String() <= caughtUp {
			return false
		}
	}
	return true
}

// applyBehind evaluates a plain batch on what is known, and leaves it to be written.
func (s *Store) applyBehind(ctx context.Context, b *batch) ([]event.Outcome, error) {
	if s.known.full() {
		if err := s.behind.settle(ctx); err != nil {
			return nil, err
		}
		s.known.age()
	}
	l := newLoaded()
	missing := s.known.need(&b.want, &l.state)
	if err := s.engine.lookUp(ctx, missing, l); err != nil {
		return nil, fmt.Errorf("sqlstore: look up what %d transactions look at: %w", len(b.executions), err)
	}
	outcomes, todo := b.decide(*s.caughtUp.Load(), l)
	s.known.note(missing.streams, &l.state, todo)
	s.wrote(todo.events)
	return outcomes, s.behind.add(ctx, todo, len(b.commands))
}

// applyNow evaluates a batch on what the database shows, and writes it.
func (s *Store) applyNow(ctx context.Context, b *batch) ([]event.Outcome, error) {
	if err := s.behind.settle(ctx); err != nil {
		return nil, err
	}
	var outcomes []event.Outcome
	var todo *effects
	var l *loaded
	err := s.engine.transact(ctx, false, &b.want, func(found *loaded) *effects {
		l = found
		outcomes, todo = b.decide(*s.caughtUp.Load(), l)
		return todo
	})
	if err != nil {
		return nil, fmt.Errorf("sqlstore: apply %d transactions: %w", len(b.executions), err)
	}
	s.known.note(b.want.streams, &l.state, todo)
	s.wrote(todo.events)
	return outcomes, s.readBack(ctx, b, l.applied, outcomes)
}

// readBack fills in the outcomes of transactions that had been applied before. What nothing tells stays zero.
func (s *Store) readBack(ctx context.Context, b *batch, applied map[string]bool, outcomes []event.Outcome) error {
	for i, id := range b.want.txnIDs {
		if !applied[id] {
			continue
		}
		for part := range b.parts(i) {
			found, err := s.outcomeOf(ctx, event.PartID(id, part))
			if errors.Is(err, event.ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("sqlstore: read back the outcome of %s: %w", id, err)
			}
			outcomes[b.first[i]+part] = found
		}
	}
	return nil
}
