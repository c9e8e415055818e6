package accordtest

import (
	"natsaccord/accord"
)

// applications checks what nodes apply: conflicting transactions in executeAt order, once, above the watermark
// (I3), with the same outcome everywhere (I4).
type applications struct {
	ledger   *ledger
	outcomes map[accord.TxnID]Outcome
	handed   map[nodeTxn]bool // in this life of the node
}

func newApplications(l *ledger) *applications {
	return &applications{l, map[accord.TxnID]Outcome{}, map[nodeTxn]bool{}}
}

func (a *applications) observe(e event) error {
	switch e := e.(type) {
	case restarted:
		for at := range a.handed {
			if at.node == e.node.id {
				delete(a.handed, at)
			}
		}
	case handedOut:
		return a.hand(e.node, e.exec.Record)
	case applied:
		return a.apply(e)
	case finished:
		return a.same(e.nodes)
	}
	return nil
}

func (a *applications) hand(n *Node, r accord.Record) error {
	at := nodeTxn{n.id, r.ID}
	switch {
	case a.handed[at] || n.store.Applied(r.ID) && !n.store.Caught(r.ID):
		return violation("I3", "node %d executes %s twice", n.id, name(r.ID.Timestamp))
	case r.Txn == nil || r.Deps == nil || r.Status != accord.StatusStable:
		return violation("I3", "node %d executes an incomplete %s", n.id, show(r))
	case !r.ExecuteAt.After(n.machine.Scalars().Watermark):
		return violation("I3", "node %d executes %s at or below its watermark %s", n.id, show(r), name(n.machine.Scalars().Watermark))
	}
	a.handed[at] = true
	for _, x := range a.ledger.live {
		if x.executeAt.Before(r.ExecuteAt) && x.txn.Keys.Intersects(r.Txn.Keys) && !a.handed[nodeTxn{n.id, x.id}] && !n.store.Applied(x.id) {
			return violation("I3", "node %d executes %s without %s at %s", n.id, show(r), name(x.id.Timestamp), name(x.executeAt))
		}
	}
	for _, key := range r.Txn.Keys {
		if last := n.store.live.state[key].last; last.After(r.ExecuteAt) && !n.store.Caught(r.ID) {
			return violation("I3", "node %d executes %s after %s on key %s", n.id, show(r), name(last), key)
		}
	}
	return nil
}

func (a *applications) apply(e applied) error {
	id := e.exec.Record.ID
	if old, ok := a.outcomes[id]; ok && !old.same(e.outcome) {
		return violation("I4", "node %d: %s has outcome %v, elsewhere %v", e.node.id, name(id.Timestamp), e.outcome, old)
	}
	a.outcomes[id] = e.outcome
	return nil
}

// same checks at the end that all nodes have the same state.
func (a *applications) same(nodes []*Node) error {
	for _, n := range nodes {
		if n.store.Digest() != nodes[0].store.Digest() {
			return violation("I4", "nodes %d and %d have different states", nodes[0].id, n.id)
		}
	}
	return nil
}

// clients checks what clients see: what was acknowledged is applied everywhere in the end (I20), what is
// submitted after an acknowledgement executes after it if they share a key (G3), and a read sees all that was
// acknowledged or read before it began (I21).
type clients struct {
	ledger  *ledger
	visible map[accord.Key]accord.Timestamp // highest executeAt some client has seen
	latest  accord.Timestamp                // of all keys
	after   map[uint64]accord.Timestamp     // by Ref of a transaction: what had been seen of its keys before
	reads   map[uint64]pendingRead
}

type pendingRead struct {
	keys accord.Keys
	see  []accord.Timestamp // for each key
	all  accord.Timestamp   // of a read of everything
}

func newClients(l *ledger) *clients {
	return &clients{
		ledger: l, visible: map[accord.Key]accord.Timestamp{},
		after: map[uint64]accord.Timestamp{}, reads: map[uint64]pendingRead{},
	}
}

func (c *clients) observe(e event) error {
	switch e := e.(type) {
	case submitted:
		c.after[e.in.Ref] = later(c.seen(e.in.Txn.Keys), e.in.After)
	case acknowledged:
		return c.acknowledge(e.id)
	case asked:
		c.ask(e)
	case readable:
		return c.read(e)
	case finished:
		return c.finish(e.nodes)
	}
	return nil
}

func (c *clients) seen(keys accord.Keys) accord.Timestamp {
	var latest accord.Timestamp
	for _, key := range keys {
		latest = later(latest, c.visible[key])
	}
	return latest
}

func (c *clients) see(key accord.Key, t accord.Timestamp) {
	c.visible[key] = later(c.visible[key], t)
	c.latest = later(c.latest, t)
}

func later(a, b accord.Timestamp) accord.Timestamp {
	if a.Before(b) {
		return b
	}
	return a
}

func (c *clients) acknowledge(id accord.TxnID) error {
	x := c.ledger.entry(id)
	if !x.decided || x.invalid {
		return violation("I20", "%s is acknowledged and not decided", name(id.Timestamp))
	}
	for _, key := range x.txn.Keys {
		c.see(key, x.executeAt)
	}
	return nil
}

func (c *clients) ask(e asked) {
	see := make([]accord.Timestamp, len(e.keys))
	for i, key := range e.keys {
		see[i] = c.visible[key]
	}
	c.reads[e.ref] = pendingRead{keys: e.keys, see: see}
	if len(e.keys) == 0 {
		c.reads[e.ref] = pendingRead{all: c.latest}
	}
}

func (c *clients) read(e readable) error {
	r := c.reads[e.ref]
	if mark := e.node.machine.Scalars().Watermark; mark.Before(r.all) {
		return violation("I21", "node %d: read %d of everything sees it up to %s, and %s was seen before", e.node.id, e.ref, name(mark), name(r.all))
	}
	for i, key := range r.keys {
		last := e.node.store.live.state[key].last
		if last.Before(r.see[i]) {
			return violation("I21", "node %d: read %d of %s sees it up to %s, and %s was seen before", e.node.id, e.ref, key, name(last), name(r.see[i]))
		}
		c.see(key, last)
	}
	return nil
}

func (c *clients) finish(nodes []*Node) error {
	for _, x := range c.ledger.live {
		if after := c.after[x.ref]; !x.executeAt.After(after) {
			return violation("G3", "%s executes at %s, and was submitted after %s was seen", name(x.id.Timestamp), name(x.executeAt), name(after))
		}
		for _, n := range nodes {
			if !n.store.Applied(x.id) {
				return violation("I20", "node %d never applied %s", n.id, name(x.id.Timestamp))
			}
		}
	}
	return nil
}
