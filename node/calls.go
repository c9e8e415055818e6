package node

import (
	"context"
	"sync"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
)

// call is one command that somebody here waits for, or did until it gave up.
type call struct {
	id   accord.TxnID // of the transaction it is in; zero until that is started
	part int          // which of its commands
	path accord.Path
	done chan struct{} // closed once outcome and err are set

	outcome event.Outcome
	err     error
}

// end tells whoever waits. It must be called once.
func (c *call) end(outcome event.Outcome, err error) {
	c.outcome, c.err = outcome, err
	close(c.done)
}

// proposed is a transaction of this node.
type proposed struct {
	began time.Time
	parts []*call // its commands, in order
}

// calls are the commands taken in here whose outcome is open. A caller that gives up leaves its call in: the
// transaction goes on, and goes on taking room.
type calls struct {
	mu     sync.Mutex
	limit  int
	open   map[*call]struct{}
	byRef  map[uint64]*proposed // until it has an id
	byID   map[accord.TxnID]*proposed
	empty  broadcast
	closed bool
}

func (c *calls) init(limit int) {
	c.limit = limit
	c.open = make(map[*call]struct{})
	c.byRef = make(map[uint64]*proposed)
	c.byID = make(map[accord.TxnID]*proposed)
}

// add opens a call, or returns nil if there is no room.
func (c *calls) add() *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.open) >= c.limit {
		return nil
	}
	opened := &call{done: make(chan struct{})}
	c.open[opened] = struct{}{}
	return opened
}

// propose notes that calls are the commands of a transaction, in order.
func (c *calls) propose(ref uint64, parts []*call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byRef[ref] = &proposed{time.Now(), parts}
}

// started notes the TxnID of a proposed transaction.
func (c *calls) started(ref uint64, id accord.TxnID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.byRef[ref]
	if p == nil {
		return
	}
	delete(c.byRef, ref)
	c.byID[id] = p
	for i, part := range p.parts {
		part.id, part.part = id, i
	}
}

// decided notes how a transaction came to its decision.
func (c *calls) decided(id accord.TxnID, path accord.Path) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.byID[id]; p != nil {
		for _, part := range p.parts {
			part.path = path
		}
	}
}

// finish ends the calls of a transaction, if it is one of this node's, and returns when it was proposed, else zero. There is an
// outcome for each call, or with err none.
func (c *calls) finish(id accord.TxnID, outcomes []event.Outcome, err error) (began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.byID[id]
	if p == nil {
		return time.Time{}
	}
	delete(c.byID, id)
	for i, part := range p.parts {
		delete(c.open, part)
		if err != nil {
			part.end(event.Outcome{}, err)
		} else {
			part.end(outcomes[i], known(outcomes[i]))
		}
	}
	if len(c.open) == 0 {
		c.empty.signal()
	}
	return p.began
}

// known returns errForgotten for an outcome that even the store cannot tell.
func known(o event.Outcome) error {
	if o.TxnID == "" {
		return errForgotten
	}
	return nil
}

// txnID returns what the call's command is known by, empty if it has not been started.
func (c *calls) txnID(opened *call) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if opened.id.IsZero() {
		return ""
	}
	return event.PartID(opened.id.String(), opened.part)
}

func (c *calls) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// idle waits until no call is open.
func (c *calls) idle(ctx context.Context) error {
	for {
		empty := c.empty.wait()
		if c.len() == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-empty:
		}
	}
}

// closeAll ends all calls: the node is gone, and cannot tell their outcome.
func (c *calls) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for opened := range c.open {
		opened.end(event.Outcome{}, event.ErrClosed)
	}
	clear(c.open)
	clear(c.byRef)
	clear(c.byID)
	c.empty.signal()
}
