package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"natsaccord/event"
)

// What a node is doing, as its status tells, while it takes appends.
const (
	StateCatchingUp = "catching_up" // they may have to wait for what it has missed
	StateReady      = "ready"
)

// What else a node can be doing.
const (
	stateStarting = "starting"
	stateDiverged = "diverged" // as told in status; it may be draining besides
	stateDraining = "draining"
	stateStopped  = "stopped"
)

// state is what a node is doing, and how far it has come.
type state struct {
	now      atomic.Value  // string
	started  chan struct{} // closed when the node takes appends, or has ended before it did
	caughtUp chan struct{} // closed when it has what it missed, or has ended before it had
	onStart  sync.Once
	onEnd    sync.Once
}

func (s *state) init() {
	s.started, s.caughtUp = make(chan struct{}), make(chan struct{})
	s.now.Store(stateStarting)
}

func (s *state) is() string { return s.now.Load().(string) }

// set changes what the node is doing.
func (s *state) set(now string) {
	s.now.Store(now)
	s.onStart.Do(func() { close(s.started) })
	if now == StateReady || now == stateStopped {
		s.onEnd.Do(func() { close(s.caughtUp) })
	}
}

// ready notes that the node has what it missed. One that is being drained goes on with that.
func (s *state) ready() {
	s.now.CompareAndSwap(StateCatchingUp, StateReady)
	s.onEnd.Do(func() { close(s.caughtUp) })
}

// Ready waits until the node takes appends. It returns an error if the node ends first, or ctx does. Appends may wait for
// what the node has missed while it was away, until it has caught up.
func (n *Node) Ready(ctx context.Context) error { return n.reached(ctx, n.state.started) }

// CaughtUp waits until the node has everything that was acknowledged before it began to look, which is when it took appends. It waits no longer than
// Config.CatchUpWait. It returns event.ErrDraining if the node is drained, an error if the node ends first, and ctx's if that ends.
func (n *Node) CaughtUp(ctx context.Context) error { return n.reached(ctx, n.state.caughtUp) }

func (n *Node) reached(ctx context.Context, so <-chan struct{}) error {
	select {
	case <-so:
	case <-ctx.Done():
		return ctx.Err()
	}
	switch n.state.is() {
	case stateStopped:
		return event.ErrClosed
	case stateDraining:
		return event.ErrDraining
	}
	return nil
}

// becomeReady makes the node ready once it has what it missed, or has waited long enough for it.
func (n *Node) becomeReady(ctx context.Context) error {
	began := time.Now()
	err := n.overtake(ctx)
	if ctx.Err() != nil {
		return nil
	}
	n.state.ready()
	log := n.cfg.Logger.With("node", n.cfg.Name, "state", n.state.is(), "after", time.Since(began))
	if err != nil {
		log.Warn("node does not know whether it has caught up", "error", err)
	} else {
		log.Info("node has caught up", "nodes", len(n.cfg.Nodes), "store", n.store.Kind())
	}
	return nil
}

const (
	overtakeRetry = 200 * time.Millisecond // after which a node that did not learn how far the others are asks again
	overtakeTry   = 2 * time.Second        // how long the first try may take; each takes twice as long as the one before
)

// overtake waits for what a linearizable read of the log waits for: everything that was acknowledged anywhere before. A try
// may have asked when nobody was there to answer, and then it is given up for another.
func (n *Node) overtake(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.CatchUpWait)
	defer cancel()
	for patience := overtakeTry; ; patience *= 2 {
		trying, cancel := context.WithTimeout(ctx, patience)
		err := n.barrier(trying)
		cancel()
		if err == nil || errors.Is(err, event.ErrDraining) {
			return err
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			patience /= 2
		}
		select {
		case <-time.After(overtakeRetry):
		case <-ctx.Done():
			return err
		}
	}
}

// Drain refuses new appends, and waits until those under way have their outcome or ctx ends. The node goes on
// answering its peers until Run's context ends.
func (n *Node) Drain(ctx context.Context) error {
	n.state.set(stateDraining)
	if err := n.calls.idle(ctx); err != nil {
		return fmt.Errorf("node %s: drain with %d appends in flight: %w", n.cfg.Name, n.calls.len(), err)
	}
	return nil
}
