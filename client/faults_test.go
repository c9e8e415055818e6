package client_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// fault is what goes wrong with one call of a backend.
type fault func(f *faulty, do func() error) error

// lostRequest: the node dies before it does anything. Nobody answers.
func lostRequest(f *faulty, _ func() error) error {
	<-f.released
	return context.Canceled
}

// lostReply: the node does what it was asked to, and nobody hears of it.
func lostReply(f *faulty, do func() error) error {
	_ = do()
	<-f.released
	return context.Canceled
}

// fails: the node answers with an error, and does nothing.
func fails(err error) fault {
	return func(*faulty, func() error) error { return err }
}

// works: nothing goes wrong.
func works(_ *faulty, do func() error) error { return do() }

// faulty is a backend with whose calls things go wrong, in order; then nothing does any more.
type faulty struct {
	backend
	released chan struct{} // closed when the test is over

	mu      sync.Mutex
	faults  []fault
	appends []event.Append // as they arrived
	calls   int
}

// run makes a call, as the next fault has it.
func (f *faulty) run(do func() error) error {
	f.mu.Lock()
	next := fault(works)
	if f.calls++; len(f.faults) > 0 {
		next, f.faults = f.faults[0], f.faults[1:]
	}
	f.mu.Unlock()
	return next(f, do)
}

func (f *faulty) seen() []event.Append {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.appends)
}

func (f *faulty) called() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func (f *faulty) Append(ctx context.Context, a event.Append) (receipt event.Receipt, err error) {
	f.mu.Lock()
	f.appends = append(f.appends, a)
	f.mu.Unlock()
	err = f.run(func() error {
		receipt, err = f.Memory.Append(ctx, a)
		return err
	})
	return receipt, err
}

func (f *faulty) Read(ctx context.Context, args event.ReadArgs) (page event.Page, err error) {
	err = f.run(func() error {
		page, err = f.Memory.Read(ctx, args)
		return err
	})
	return page, err
}

func (f *faulty) Outcome(ctx context.Context, id string) (outcome event.Outcome, err error) {
	err = f.run(func() error {
		outcome, err = f.Memory.Outcome(ctx, id)
		return err
	})
	return outcome, err
}

func (f *faulty) UpsertSubscriber(ctx context.Context, key string, worker ulid.ULID) error {
	return f.run(func() error { return f.Memory.UpsertSubscriber(ctx, key, worker) })
}

func (f *faulty) PutSnapshot(ctx context.Context, s event.Snapshot) error {
	return f.run(func() error { return f.Memory.PutSnapshot(ctx, s) })
}

// serveFaulty answers as node n1, and lets go of what hangs before the service is stopped.
func (w *world) serveFaulty(t *testing.T, faults ...fault) *faulty {
	t.Helper()
	f := &faulty{backend: newBackend(), released: make(chan struct{}), faults: faults}
	w.serve(t, "n1", f)
	t.Cleanup(func() { close(f.released) })
	return f
}

// short makes a lost try cost little.
const short = 150 * time.Millisecond
