package node

import (
	"context"
	"sync"

	"natsaccord/accord"
	"natsaccord/event"
)

// call is one transaction that somebody here waits for, or did until it gave up.
type call struct {
	id   accord.TxnID
	path accord.Path
	done chan struct{} // closed once outcome and err are set

	outcome event.Outcome
	err     error
}

// calls are the transactions coordinated here whose outcome is open. A caller that gives up leaves its call
// in: the transaction goes on, and goes on taking room.
type calls struct {
	mu     sync.Mutex
	limit  int
	byRef  map[uint64]*call
	byID   map[accord.TxnID]*call
	empty  broadcast
	closed bool
}

func (c *calls) init(limit int) {
	c.limit = limit
	c.byRef = make(map[uint64]*call)
	c.byID = make(map[accord.TxnID]*call)
}

// open adds a call, or returns nil if there is no room.
func (c *calls) open(ref uint64) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.byRef)+len(c.byID) >= c.limit {
		return nil
	}
	opened := &call{done: make(chan struct{})}
	c.byRef[ref] = opened
	return opened
}

// started notes the TxnID of a call.
func (c *calls) started(ref uint64, id accord.TxnID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if opened := c.byRef[ref]; opened != nil {
		delete(c.byRef, ref)
		opened.id = id
		c.byID[id] = opened
	}
}

// decided notes how a call's transaction came to its decision.
func (c *calls) decided(id accord.TxnID, path accord.Path) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if opened := c.byID[id]; opened != nil {
		opened.path = path
	}
}

// finish ends a call, if the transaction is one of this node's.
func (c *calls) finish(id accord.TxnID, outcome event.Outcome, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	opened := c.byID[id]
	if opened == nil {
		return
	}
	delete(c.byID, id)
	opened.outcome, opened.err = outcome, err
	close(opened.done)
	if len(c.byRef)+len(c.byID) == 0 {
		c.empty.signal()
	}
}

// txnID returns the call's transaction, empty if it has not been started.
func (c *calls) txnID(opened *call) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if opened.id.IsZero() {
		return ""
	}
	return opened.id.String()
}

func (c *calls) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byRef) + len(c.byID)
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
	for _, opened := range c.byID {
		opened.err = event.ErrClosed
		close(opened.done)
	}
	for _, opened := range c.byRef {
		opened.err = event.ErrClosed
		close(opened.done)
	}
	clear(c.byID)
	clear(c.byRef)
	c.empty.signal()
}
