package client

import (
	"errors"
	"sync"
	"time"

	"natsaccord/bus"
	"natsaccord/event"
)

// homes are the nodes where the writers of contested streams meet. A node lets one append at a time through that wants a certain
// version of a stream; of writers who come through different nodes each node lets one through, and all but one of these lose.
// Whoever has lost is told through which node the last event came, and asks there for a while: that is a hint, and
// nothing goes wrong by following it, or by not following it. docs/decisions/0007-homes.md.
type homes struct {
	targetOf func(node string) target // nil: there are none, because it is settled which node is asked
	now      func() time.Time

	mu         sync.Mutex // protects what follows
	young, old map[event.Stream]home
	away       time.Time // until when any node is asked
}

// home is where a stream's writers meet.
type home struct {
	node  string
	to    target
	until time.Time
}

const (
	homeLasts = 10 * time.Second // after the last conflict: what nobody fights for needs none
	mostHomes = 1000             // that were told last and are kept for certain; at most twice as many are kept
)

// newHomes returns a client's homes, of which it has none if it asks a certain node, first or alone.
func newHomes(c *Client) *homes {
	h := &homes{now: time.Now}
	if c.options.Node == "" && c.options.Near == "" {
		h.targetOf = c.targetAt
	}
	return h
}

// find returns where to ask for an append that demands a version of a contested stream; found is false if any node will do.
func (h *homes) find(a *event.Append) (at home, found bool) {
	if h.targetOf == nil {
		return home{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.young)+len(h.old) == 0 || h.now().Before(h.away) {
		return home{}, false
	}
	for _, c := range a.Conditions {
		if at, found := h.of(c.Stream); found && c.Expect >= 0 {
			return at, true
		}
	}
	for i := range a.Events {
		if at, found := h.of(a.Events[i].Stream); found && a.Events[i].Version != 0 {
			return at, true
		}
	}
	return home{}, false
}

// of returns the home of a stream. h.mu is held.
func (h *homes) of(stream event.Stream) (home, bool) {
	at, found := h.young[stream]
	if !found {
		at, found = h.old[stream]
	}
	return at, found && h.now().Before(at.until)
}

// learn takes note of what became of an append that took a while: at a home, if node is not empty.
func (h *homes) learn(node string, took time.Duration, err error) {
	if err == nil || h.targetOf == nil {
		return
	}
	conflict, lost := errors.AsType[*event.ConflictError](err)
	switch {
	case lost:
		h.keep(conflict.Stream, conflict.Node)
	case node != "" && isSilence(err):
		h.forget(node, awayTimes*took) // perhaps no node can be reached on a subject of its own
	case node != "" && isNothing(err):
		h.forget(node, 0)
	}
}

// keep notes the home of a stream. Of what was told long ago, most is forgotten when there is too much.
func (h *homes) keep(stream event.Stream, node string) {
	if bus.ValidateName("node", node) != nil { // it is not known, or cannot stand in a subject
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at, found := h.of(stream)
	if !found || at.node != node {
		at = home{node: node, to: h.targetOf(node)}
	}
	at.until = h.now().Add(homeLasts)
	if _, there := h.young[stream]; !there && len(h.young) >= mostHomes {
		h.young, h.old = nil, h.young
	}
	if h.young == nil {
		h.young = make(map[event.Stream]home)
	}
	h.young[stream] = at
}

// forget forgets a node that does not serve, and asks any for a while.
func (h *homes) forget(node string, pause time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, generation := range []map[event.Stream]home{h.young, h.old} {
		for stream, at := range generation {
			if at.node == node {
				delete(generation, stream)
			}
		}
	}
	if away := h.now().Add(pause); away.After(h.away) {
		h.away = away
	}
}
