package accordtest

import (
	"slices"

	"natsaccord/accord"
)

// watermarks checks the watermark theorem (I15): once a node has a watermark, everything that ever executes at
// or before it is applied there, so nothing is decided below it later (I16). What is published is what is
// applied up to the watermark, in executeAt order; with one outcome for each transaction (I1) the published
// sequences of any two nodes are therefore prefixes of one (I17).
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
