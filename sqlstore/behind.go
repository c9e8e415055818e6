package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"natsaccord/event"
)

// behind writes what Apply has decided to the database, somewhat later and many transactions at a time, in the order
// decided. Who wants to see it there settles first.
type behind struct {
	store *Store

	mu       sync.Mutex
	next     *pending      // decided, and not being written yet
	writing  *pending      // nil if nothing is
	spare    *pending      // empty, with room for as much as the last write had; nil while there is a write
	waiting  int           // how many transactions that is, and those being written
	all      bool          // the next write takes all that only the journal's files hold
	started  uint64        // how many writes have been
	finished uint64        // and ended
	settled  chan struct{} // closed when a write has ended, or none will be any more
	closed   bool

	ready chan struct{} // holds a token when there may be something to do
	hurry chan struct{} // holds a token when it should be done at once
	ended chan struct{}
}

// How far the database may lag behind.
const (
	behindDelay  = 200 * time.Millisecond
	behindEnough = 1000   // transactions that are written without waiting for more
	behindMost   = 10_000 // transactions beyond which Apply waits
)

func newBehind(s *Store) *behind {
	b := &behind{store: s, next: newPending(), spare: newPending(), settled: make(chan struct{}), ready: make(chan struct{}, 1), hurry: make(chan struct{}, 1), ended: make(chan struct{})}
	go b.run()
	return b
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// add hands over what n transactions come to. It waits if the database lags too far behind.
func (b *behind) add(ctx context.Context, e *effects, n int) error {
	b.mu.Lock()
	b.next.merge(e)
	b.waiting += n
	waiting := b.waiting
	b.mu.Unlock()
	signal(b.ready)
	if waiting >= behindEnough {
		signal(b.hurry)
	}
	if waiting >= behindMost {
		return b.settle(ctx)
	}
	return nil
}

// settle returns when the database shows everything decided before the call.
func (b *behind) settle(ctx context.Context) error {
	b.mu.Lock()
	target := b.started
	if !b.next.empty() {
		target++
	}
	b.mu.Unlock()
	return b.wait(ctx, target)
}

// settleAll returns when the database holds everything that the journal's files hold as well.
func (b *behind) settleAll(ctx context.Context) error {
	b.takeAll()
	b.mu.Lock()
	target := b.started + 1
	b.mu.Unlock()
	return b.wait(ctx, target)
}

// takeAll has the next write take all that only the journal's files hold.
func (b *behind) takeAll() {
	b.mu.Lock()
	b.all = true
	b.mu.Unlock()
	signal(b.ready)
	signal(b.hurry)
}

// wait returns when so many writes have ended.
func (b *behind) wait(ctx context.Context, target uint64) error {
	for {
		b.mu.Lock()
		done, closed, settled := b.finished >= target, b.closed, b.settled
		b.mu.Unlock()
		switch {
		case done:
			return nil
		case closed:
			return b.gone()
		}
		signal(b.ready)
		signal(b.hurry)
		select {
		case <-settled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// gone is the error for what was to be written and never will be.
func (b *behind) gone() error { return errors.Join(event.ErrClosed, b.store.usable()) }

func (b *behind) run() {
	defer close(b.ended)
	defer b.end()
	look := time.NewTicker(lookDelay)
	defer look.Stop()
	for {
		old := false
		select {
		case <-b.ready:
			b.gather()
		case <-look.C:
			old = true
		}
		closed, err := b.write(old)
		if err != nil {
			b.store.fail(err)
			b.store.cfg.Logger.Error("cannot write what has been decided", "err", err)
			return
		}
		if closed {
			return
		}
	}
}

// gather lets more come together.
func (b *behind) gather() {
	select {
	case <-b.hurry:
		return
	default:
	}
	delay := time.NewTimer(behindDelay)
	defer delay.Stop()
	select {
	case <-b.hurry:
	case <-delay.C:
	}
}

// write writes what has gathered, in one transaction. old asks for what has stood in the journal's files for a while
// as well, for people to look at.
func (b *behind) write(old bool) (closed bool, err error) {
	b.mu.Lock()
	todo, all, closed, taken := b.next, b.all, b.closed, b.waiting
	b.next, b.writing, b.spare, b.all = b.spare, todo, nil, false
	b.started++
	b.mu.Unlock()
	if b.store.files != nil {
		b.store.files.join(&todo.effects, old, all)
	}
	if !todo.empty() {
		if err := b.store.save(&todo.effects); err != nil {
			return closed, err
		}
	}
	b.wrote(todo, taken)
	return closed, nil
}

// wrote notes that the database shows what was pending, and how many transactions that was.
func (b *behind) wrote(todo *pending, taken int) {
	b.mu.Lock()
	b.writing = nil // nobody comes to look at it any more
	looked := todo.readers > 0
	b.mu.Unlock()
	if looked {
		todo = newPending()
	} else {
		todo.reset()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spare = todo
	b.waiting -= taken
	b.finished = b.started
	close(b.settled)
	b.settled = make(chan struct{})
}

// save writes effects. If a segment of the journal is noted as the first one needed, it syncs, and deletes those before.
func (s *Store) save(todo *effects) error {
	err := s.engine.transact(context.Background(), todo.segment != nil, &wanted{}, func(*loaded) *effects { return todo })
	if err != nil {
		return fmt.Errorf("sqlstore: write %d transactions: %w", len(todo.applied), err)
	}
	if todo.segment == nil {
		return nil
	}
	return s.files.log.Drop(*todo.segment)
}

// end wakes whoever waits for what will not happen any more.
func (b *behind) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	close(b.settled)
	b.settled = make(chan struct{})
}

// close writes what is left.
func (b *behind) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	signal(b.ready)
	signal(b.hurry)
	<-b.ended
}
