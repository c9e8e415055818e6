package sqlstore

import (
	"context"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
)

// writer commits the writes of a store without consensus: all that have gathered while the last group was being
// synced go into the next one.
type writer struct {
	store *Store
	last  uint64 // HLC of the last timestamp given out; only commit touches it

	mu      sync.Mutex
	waiting []*pendingWrite
	closed  bool
	ready   chan struct{}
	done    chan struct{}
}

// pendingWrite is one command on its way.
type pendingWrite struct {
	command event.Command
	outcome event.Outcome
	err     error
	done    chan struct{}
}

// newWriter returns a running writer whose timestamps lie above the last position in the log, so that a clock
// that was set back reorders nothing.
func newWriter(s *Store, last event.Position) (*writer, error) {
	w := &writer{store: s, ready: make(chan struct{}, 1), done: make(chan struct{})}
	if last != "" {
		t, err := accord.ParseTimestamp(last.ExecuteAt())
		if err != nil {
			return nil, err
		}
		w.last = t.HLC
	}
	go w.run()
	return w, nil
}

// write commits one command and returns its outcome. If ctx ends first the command may still commit.
func (w *writer) write(ctx context.Context, command event.Command) (event.Outcome, error) {
	p := &pendingWrite{command: command, done: make(chan struct{})}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return event.Outcome{}, event.ErrClosed
	}
	w.waiting = append(w.waiting, p)
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
	select {
	case <-p.done:
		return p.outcome, p.err
	case <-ctx.Done():
		unknown := &event.UnknownError{Err: ctx.Err()}
		if command.Append != nil {
			unknown.RequestID = command.Append.RequestID
		}
		return event.Outcome{}, unknown
	}
}

func (w *writer) run() {
	defer close(w.done)
	for range w.ready {
		w.mu.Lock()
		group, closed := w.waiting, w.closed
		w.waiting = nil
		w.mu.Unlock()
		if len(group) > 0 {
			w.commit(group)
		}
		if closed {
			return
		}
	}
}

// close lets the writer commit what waits, and returns when it is gone.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
	<-w.done
}

// commit evaluates and writes a group in one synced transaction.
func (w *writer) commit(group []*pendingWrite) {
	err := w.store.usable()
	if err == nil {
		err = w.transact(group)
	}
	for _, p := range group {
		if p.err = err; err != nil {
			p.err = &event.UnknownError{Err: err}
			if p.command.Append != nil {
				p.err.(*event.UnknownError).RequestID = p.command.Append.RequestID
			}
		}
		close(p.done)
	}
}

func (w *writer) transact(group []*pendingWrite) error {
	want := &wanted{}
	for _, p := range group {
		want.want(p.command)
	}
	var todo *effects
	err := w.store.engine.transact(context.Background(), true, want, func(l *loaded) *effects {
		todo = newEffects()
		for _, p := range group {
			t := w.next()
			at := moment(accord.TxnID{Timestamp: t}, t)
			evaluation := l.state.Evaluate(p.command, at)
			p.outcome = evaluation.Outcome
			todo.add(evaluation, at.ExecuteAt)
		}
		return todo
	})
	if err == nil {
		w.store.syncs.Add(1)
		w.store.wrote(todo.events)
	}
	return err
}

// next issues a timestamp of a store without consensus: of node 0, which is no member of any cluster.
func (w *writer) next() accord.Timestamp {
	w.last = max(w.last+1, uint64(time.Now().UnixMicro()))
	return accord.Timestamp{HLC: w.last, Kind: accord.KindWrite}
}

// Append writes an append without consensus, and returns what became of it. Concurrent appends share a sync.
func (s *Store) Append(ctx context.Context, a event.Append) (event.Receipt, error) {
	command, err := event.NewAppend(a, s.cfg.Limits)
	if err != nil {
		return event.Receipt{}, err
	}
	outcome, err := s.writer.write(ctx, command)
	if err != nil {
		return event.Receipt{}, err
	}
	return outcome.Result()
}

// Write implements event.Executor.
func (s *Store) Write(ctx context.Context, events []event.Event) error {
	_, err := s.Append(ctx, event.Append{Events: events})
	return err
}

// run writes a command whose outcome is yes or no; invalid is what making it came to.
func (s *Store) run(ctx context.Context, command event.Command, invalid error) error {
	if invalid != nil {
		return invalid
	}
	outcome, err := s.writer.write(ctx, command)
	if err == nil {
		_, err = outcome.Result()
	}
	return err
}

// UpsertSubscriber implements event.Executor.
func (s *Store) UpsertSubscriber(ctx context.Context, key string, worker ulid.ULID) error {
	command, err := event.NewClaim(key, worker)
	return s.run(ctx, command, err)
}

// Acknowledge implements event.Executor.
func (s *Store) Acknowledge(ctx context.Context, key string, worker ulid.ULID, position event.Position, lag uint64) error {
	command, err := event.NewAck(key, worker, position, lag)
	return s.run(ctx, command, err)
}

// TakeOver implements event.Subscriptions.
func (s *Store) TakeOver(ctx context.Context, key string, worker, previous ulid.ULID) error {
	command, err := event.NewTakeOver(key, worker, previous)
	return s.run(ctx, command, err)
}

// ResetSubscriber implements event.Subscriptions.
func (s *Store) ResetSubscriber(ctx context.Context, key string, position event.Position) error {
	command, err := event.NewReset(key, position)
	return s.run(ctx, command, err)
}

// PutSnapshot implements event.Executor.
func (s *Store) PutSnapshot(ctx context.Context, snapshot event.Snapshot) error {
	command, err := event.NewPutSnapshot(snapshot, s.cfg.Limits)
	return s.run(ctx, command, err)
}

// DropSnapshot implements event.Executor.
func (s *Store) DropSnapshot(ctx context.Context, stream event.Stream, name string) error {
	command, err := event.NewDropSnapshot(stream, name)
	return s.run(ctx, command, err)
}
