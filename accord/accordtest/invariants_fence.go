package accordtest

import (
	"slices"

	"natsaccord/accord"
)

// watermarks checks the watermark theorem (I15): once a node has a watermark, everything that ever executes at
// or before it is applied there, so nothing is decided below it later (I16).
type watermarks struct {
	ledger  *ledger
	marks   map[accord.NodeID]accord.Timestamp
	nodes   []*Node
	checked map[accord.TxnID]bool // decided, and compared with all watermarks since
}

func newWatermarks(l *ledger) *watermarks {
	return &watermarks{l, map[accord.NodeID]accord.Timestamp{}, nil, map[accord.TxnID]bool{}}
}

func (w *watermarks) observe(e event) error {
	switch e := e.(type) {
	case restarted:
		if !slices.Contains(w.nodes, e.node) {
			w.nodes = append(w.nodes, e.node)
		}
		w.marks[e.node.id] = e.node.store.Scalars().Watermark
	case recorded:
		for _, r := range e.unit.Records {
			if r.Status.Decided() {
				if err := w.decided(r.ID); err != nil {
					return err
				}
			}
		}
		if e.unit.Scalars != nil {
			return w.move(e.node, *e.unit.Scalars)
		}
	}
	return nil
}

// decided checks a new decision against every node's watermark.
func (w *watermarks) decided(id accord.TxnID) error {
	x := w.ledger.entry(id)
	if w.checked[id] || x.invalid {
		return nil
	}
	w.checked[id] = true
	for _, n := range w.nodes {
		if !x.executeAt.After(w.marks[n.id]) && !n.store.Applied(id) {
			return violation("I16", "%s is decided at %s, below node %d's watermark %s", name(id.Timestamp), name(x.executeAt), n.id, name(w.marks[n.id]))
		}
	}
	return nil
}

// move checks a new watermark against every decision.
func (w *watermarks) move(n *Node, s accord.Scalars) error {
	old := w.marks[n.id]
	if s.Watermark.Before(old) {
		return violation("I15", "node %d's watermark decreases from %s to %s", n.id, name(old), name(s.Watermark))
	}
	w.marks[n.id] = s.Watermark
	for _, x := range w.ledger.live {
		if x.executeAt.After(old) && !x.executeAt.After(s.Watermark) && !n.store.Applied(x.id) {
			return violation("I15", "node %d's watermark is %s, and %s at %s is not applied", n.id, name(s.Watermark), name(x.id.Timestamp), name(x.executeAt))
		}
	}
	return nil
}

// pasts checks that a node closes the past only when it knows what comes of it: of all that began before its
// RedundantBefore and is ever decided to execute, it has the decision or the effects (I18, I19).
type pasts struct {
	ledger  *ledger
	closed  map[accord.NodeID]accord.Timestamp
	nodes   []*Node
	checked map[accord.TxnID]bool // decided, and compared with all nodes since
}

func newPasts(l *ledger) *pasts {
	return &pasts{l, map[accord.NodeID]accord.Timestamp{}, nil, map[accord.TxnID]bool{}}
}

func (p *pasts) observe(e event) error {
	switch e := e.(type) {
	case restarted:
		if !slices.Contains(p.nodes, e.node) {
			p.nodes = append(p.nodes, e.node)
		}
		return p.close(e.node, accord.Timestamp{}, e.node.store.Scalars().RedundantBefore)
	case recorded:
		for _, r := range e.unit.Records {
			if err := p.decided(r); err != nil {
				return err
			}
		}
		if e.unit.Scalars != nil {
			return p.close(e.node, p.closed[e.node.id], e.unit.Scalars.RedundantBefore)
		}
	}
	return nil
}

// decided checks a new decision against what every node has closed.
func (p *pasts) decided(r accord.Record) error {
	if !r.Status.Decided() || r.Status == accord.StatusInvalidated || p.checked[r.ID] {
		return nil
	}
	p.checked[r.ID] = true
	for _, n := range p.nodes {
		if n.up() && r.ID.Before(p.closed[n.id]) && !knowsOutcome(n, r.ID) {
			return violation("I18", "%s is decided at %s, and node %d has closed the past before %s", name(r.ID.Timestamp), name(r.ExecuteAt), n.id, name(p.closed[n.id]))
		}
	}
	return nil
}

// close checks that a node knows what comes of all that began before a time.
func (p *pasts) close(n *Node, old, before accord.Timestamp) error {
	p.closed[n.id] = before
	for _, x := range p.ledger.live {
		if !x.id.Before(old) && x.id.Before(before) && !knowsOutcome(n, x.id) {
			return violation("I19", "node %d closes the past before %s without %s at %s", n.id, name(before), name(x.id.Timestamp), name(x.executeAt))
		}
	}
	return nil
}

// knowsOutcome tells whether a node that runs has a transaction's decision, or its effects.
func knowsOutcome(n *Node, id accord.TxnID) bool {
	r, ok := n.machine.Record(id)
	return ok && r.Status.Decided() || n.store.Applied(id)
}
