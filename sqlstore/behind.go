package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	unseen   []*pending    // being written, or written and not seen by readers of the database yet
	spare    []*pending    // empty, with room for as much as earlier writes had
	waiting  int           // how many transactions are decided and not written
	all      bool          // the next write takes all that only the journal's files hold
	started  uint64        // how many writes have been
	finished uint64        // and can be seen
	wanted   uint64        // and somebody has waited for
	settled  chan struct{} // closed when more can be seen, or nothing will be written any more
	closed   bool

	ready chan struct{} // holds a token when there may be something to do
	hurry chan struct{} // holds a token when it should be done at once
	ended chan struct{}
}

// How far the database may lag behind. Under load, what has been written is shown to its readers later, together with what follows it, if nobody asks
// for it: what many writes change is committed once.
const (
	behindDelay  = 200 * time.Millisecond
	behindEnough = 2000     // transactions that are written without waiting for more
	behindBytes  = 4 << 20  // of events, as well
	behindMost   = 10_000   // transactions beyond which Apply waits
	mostBytes    = 64 << 20 // of events, as well
	unseenBusy   = 500      // transactions in a write that make it one under load
	unseenMost   = 8        // writes that are shown without waiting for more, or for lookDelay
	unseenBytes  = 16 << 20 // of events, as well
)

func newBehind(s *Store) *behind {
	b := &behind{store: s, next: newPending(), settled: make(chan struct{}), ready: make(chan struct{}, 1), hurry: make(chan struct{}, 1), ended: make(chan struct{})}
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
	waiting, size := b.waiting, b.next.size
	b.mu.Unlock()
	signal(b.ready)
	if waiting >= behindEnough || size >= behindBytes {
		signal(b.hurry)
	}
	if waiting >= behindMost || size >= mostBytes {
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
		b.wanted = max(b.wanted, target)
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

// write writes what has gathered. old asks for what has stood in the journal's files for a while
// as well, for people to look at.
func (b *behind) write(old bool) (closed bool, err error) {
	b.mu.Lock()
	todo, all, closed, taken := b.next, b.all, b.closed, b.waiting
	b.next, b.all = b.empty(), false
	b.unseen = append(b.unseen, todo)
	b.started++
	b.mu.Unlock()
	if b.store.files != nil {
		b.store.files.join(&todo.effects, old, all)
	}
	shown := true
	if !todo.empty() {
		if shown, err = b.store.save(&todo.effects); err != nil {
			return closed, err
		}
	}
	busy := taken >= unseenBusy || todo.size >= behindBytes
	if b.wrote(taken, !shown && busy && !old && !closed) {
		return closed, nil
	}
	if err := b.store.engine.show(context.Background()); err != nil {
		return closed, fmt.Errorf("sqlstore: show what was written: %w", err)
	}
	b.shown()
	return closed, nil
}

// wrote notes that so many transactions are written, and tells whether they can wait to be seen if that is possible.
func (b *behind) wrote(taken int, possible bool) (wait bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting -= taken
	size := 0
	for _, p := range b.unseen {
		size += p.size
	}
	return possible && b.wanted <= b.finished && len(b.unseen) < unseenMost && size < unseenBytes
}

// shown notes that the database shows all that was written.
func (b *behind) shown() {
	b.mu.Lock()
	seen := b.unseen
	b.unseen = nil // nobody comes to look at it any more
	seen = slices.DeleteFunc(seen, func(p *pending) bool { return p.readers > 0 })
	b.mu.Unlock()
	for _, p := range seen {
		p.reset()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spare = append(b.spare, seen...)
	b.finished = b.started
	close(b.settled)
	b.settled = make(chan struct{})
}

// empty returns a pending without anything. The caller holds mu.
func (b *behind) empty() *pending {
	last := len(b.spare) - 1
	if last < 0 {
		return newPending()
	}
	p := b.spare[last]
	b.spare[last] = nil
	b.spare = b.spare[:last]
	return p
}

// save writes effects. If a segment of the journal is noted as the first one needed, it syncs, and deletes those before.
func (s *Store) save(todo *effects) (shown bool, err error) {
	if todo.segment == nil {
		shown, err = s.engine.put(context.Background(), todo)
	} else {
		shown, err = true, s.engine.transact(context.Background(), true, &wanted{}, func(*loaded) *effects { return todo })
	}
	if err != nil {
		return shown, fmt.Errorf("sqlstore: write %d transactions: %w", len(todo.applied), err)
	}
	if todo.segment == nil {
		return shown, nil
	}
	return shown, s.files.log.Drop(*todo.segment)
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
