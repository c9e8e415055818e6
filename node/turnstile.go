package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"natsaccord/event"
)

// turnWait is how long an append waits at most for another that wants the same version. It only costs time if that one comes
// to nothing.
const turnWait = 250 * time.Millisecond

// place is the next version of a stream that is at one: a single append can write it.
type place struct {
	stream event.Stream
	at     uint64
}

// turnstile lets the appends that come to this node for one place through one at a time. Where many want it, the first of
// them is a transaction, and when it has executed the others are turned away: at the start nobody can know that they lose.
type turnstile struct {
	patience time.Duration

	mu    sync.Mutex
	taken map[place]chan struct{} // closed when the place is free
}

// enter takes all places, or takes none and returns what to wait for.
func (s *turnstile) enter(places []place) (wait <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range places {
		if taken := s.taken[p]; taken != nil {
			return taken
		}
	}
	free := make(chan struct{})
	for _, p := range places {
		s.taken[p] = free
	}
	return nil
}

func (s *turnstile) leave(places []place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.taken[places[0]])
	for _, p := range places {
		delete(s.taken, p)
	}
}

// placesOf returns the places that an append wants. What it only checks others may check at the same time.
func placesOf(a *event.Append) []place {
	var places []place
	for _, c := range a.Conditions {
		if c.Expect >= 0 && slices.ContainsFunc(a.Events, func(e event.Event) bool { return e.Stream == c.Stream }) {
			places = append(places, place{c.Stream, uint64(c.Expect)})
		}
	}
	if first := &a.Events[0]; first.Version != 0 {
		places = append(places, place{first.Stream, first.Version - 1})
	}
	return places
}

// inTurn returns when an append is to be proposed, or why not. leave is to be called when its outcome is there. Whoever has
// waited for too long goes on all the same: to be let through is no promise, and a node that is stuck holds up nobody.
func (n *Node) inTurn(ctx context.Context, cmd event.Command) (leave func(), err error) {
	places := placesOf(cmd.Append)
	if len(places) == 0 {
		return func() {}, n.turnAway(cmd)
	}
	var patience <-chan time.Time
	for {
		if err := n.turnAway(cmd); err != nil {
			return nil, err
		}
		wait := n.turns.enter(places)
		if wait == nil {
			return func() { n.turns.leave(places) }, nil
		}
		if patience == nil {
			patience = time.After(n.turns.patience)
		}
		select {
		case <-wait:
		case <-patience:
			return func() {}, nil
		case <-ctx.Done(): // it may have come through another node
			return nil, &event.UnknownError{RequestID: requestID(cmd), Err: ctx.Err()}
		}
	}
}
