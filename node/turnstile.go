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

// turnRelay is how long the next in a line waits for the one that has been let go to come back and want the next version. Where
// clients take longer they are let go one behind the other all the same.
const turnRelay = time.Millisecond

// turnstile lets the appends that come to this node for one place through one at a time. Where many want it, the first of
// them is a transaction, and when it has executed the others are turned away: at the start nobody can know that they lose.
//
// They stand in a line, one for each stream, and each time one executes the first of the line is let go. It wants the next version
// then, as a rule, and the others would lose again: to tell them at once makes work for nothing. If nobody comes for the stream, the
// next is let go after a while.
type turnstile struct {
	patience, relay time.Duration

	mu    sync.Mutex // protects what follows
	taken map[place]bool
	lines map[event.Stream]*line // of streams that are taken, or waited for
}

// line is who waits for a stream. Protected by turnstile.mu.
type line struct {
	within  int             // places of the stream that are taken
	waiting []chan struct{} // closed when its owner is let go, in this order
	relayed bool            // somebody is going to be let go if nobody comes
}

// enter takes all places, or takes none and has the caller wait in the line of a stream until it is let go.
func (s *turnstile) enter(places []place) (stream event.Stream, wait chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range places {
		if s.taken[p] {
			wait = make(chan struct{})
			s.lines[p.stream].waiting = append(s.lines[p.stream].waiting, wait)
			return p.stream, wait
		}
	}
	for _, p := range places {
		s.taken[p] = true
		if s.lines[p.stream] == nil {
			s.lines[p.stream] = &line{}
		}
		s.lines[p.stream].within++
	}
	return "", nil
}

func (s *turnstile) leave(places []place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range places {
		delete(s.taken, p)
		s.lines[p.stream].within--
		s.letGo(p.stream)
	}
}

// letGo lets the first of a line go, and sees to it that the others are not forgotten. s.mu is held.
func (s *turnstile) letGo(stream event.Stream) {
	l := s.lines[stream]
	if len(l.waiting) > 0 {
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
	switch {
	case len(l.waiting) > 0 && l.within == 0 && !l.relayed:
		l.relayed = true
		time.AfterFunc(s.relay, func() { s.pass(stream) })
	case len(l.waiting) == 0 && l.within == 0 && !l.relayed:
		delete(s.lines, stream)
	}
}

// pass lets the next of a line go, unless somebody came, who will.
func (s *turnstile) pass(stream event.Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lines[stream]
	if l.relayed = false; l.within == 0 {
		s.letGo(stream)
	}
}

// quit takes who does not want to wait any more out of a line.
func (s *turnstile) quit(stream event.Stream, wait chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lines[stream]; l != nil {
		l.waiting = slices.DeleteFunc(l.waiting, func(other chan struct{}) bool { return other == wait })
	}
}

// placesOf returns the places that an append wants, each once. What it only checks others may check at the same time.
func placesOf(a *event.Append) []place {
	var places []place
	add := func(p place) {
		if !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	for _, c := range a.Conditions {
		if c.Expect >= 0 && slices.ContainsFunc(a.Events, func(e event.Event) bool { return e.Stream == c.Stream }) {
			add(place{c.Stream, uint64(c.Expect)})
		}
	}
	if first := &a.Events[0]; first.Version != 0 {
		add(place{first.Stream, first.Version - 1})
	}
	return places
}

// inTurn returns when an append is to be proposed, or why not. leave is to be called when its outcome is there. Whoever has
// waited for too long, and may still win, goes on all the same: to be let through is no promise, and a node that is stuck holds
// up nobody.
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
		stream, wait := n.turns.enter(places)
		if wait == nil {
			return func() { n.turns.leave(places) }, nil
		}
		if patience == nil {
			patience = time.After(n.turns.patience)
		}
		select {
		case <-wait:
		case <-patience:
			n.turns.quit(stream, wait)
			return func() {}, n.turnAway(cmd)
		case <-ctx.Done(): // it may have come through another node
			n.turns.quit(stream, wait)
			return nil, &event.UnknownError{RequestID: requestID(cmd), Err: ctx.Err()}
		}
	}
}
