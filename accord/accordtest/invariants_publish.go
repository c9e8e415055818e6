package accordtest

import (
	"slices"

	"natsaccord/accord"
)

// publications checks what nodes publish as their watermarks move: what they have applied between the old one and
// the new one, by executeAt. All must publish prefixes of one sequence (I17).
type publications struct {
	sequence []published // by the node that is furthest on
	marks    map[accord.NodeID]accord.Timestamp
}

type published struct {
	at accord.Timestamp
	id accord.TxnID
}

func newPublications() *publications {
	return &publications{marks: map[accord.NodeID]accord.Timestamp{}}
}

func (p *publications) observe(e event) error {
	switch e := e.(type) {
	case restarted:
		p.marks[e.node.id] = e.node.store.Scalars().Watermark
	case recorded:
		if e.unit.Scalars != nil && e.unit.Scalars.Watermark.After(p.marks[e.node.id]) {
			return p.publish(e.node, p.marks[e.node.id], e.unit.Scalars.Watermark)
		}
	}
	return nil
}

// publish has a node publish what it has applied after one time and up to another.
func (p *publications) publish(n *Node, after, upTo accord.Timestamp) error {
	p.marks[n.id] = upTo
	var batch []published
	for _, marks := range []map[accord.TxnID]mark{n.store.live.applied, n.store.live.caught} {
		for id, m := range marks {
			if at := m.record.ExecuteAt; at.After(after) && !at.After(upTo) {
				batch = append(batch, published{at, id})
			}
		}
	}
	slices.SortFunc(batch, func(a, b published) int { return a.at.Compare(b.at) })
	start, _ := slices.BinarySearchFunc(p.sequence, after, func(q published, t accord.Timestamp) int {
		if q.at.After(t) {
			return 1
		}
		return -1
	})
	for i, q := range batch {
		if start+i == len(p.sequence) {
			p.sequence = append(p.sequence, q)
		}
		if p.sequence[start+i] != q {
			return violation("I17", "node %d publishes %s at %s where another has %s at %s", n.id,
				name(q.id.Timestamp), name(q.at), name(p.sequence[start+i].id.Timestamp), name(p.sequence[start+i].at))
		}
	}
	if next := start + len(batch); next < len(p.sequence) && !p.sequence[next].at.After(upTo) {
		return violation("I17", "node %d publishes up to %s without %s", n.id, name(upTo), name(p.sequence[next].id.Timestamp))
	}
	return nil
}
