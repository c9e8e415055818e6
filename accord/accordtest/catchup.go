package accordtest

import (
	"maps"

	"natsaccord/accord"
)

// merged is what a store has taken over from another node's, as that was at one moment.
type merged struct{ from view }

// Merge takes over all that another store has applied, and returns what to tell the Machine.
func (s *MemStore) Merge(from *MemStore) accord.CaughtUp {
	other := from.live.clone()
	s.add(entry{merge: &merged{other}})
	report := accord.CaughtUp{Watermark: other.scalars.Watermark, RedundantBefore: other.scalars.RedundantBefore}
	for _, rec := range other.sorted() {
		above := rec.ExecuteAt.After(report.Watermark)
		if rec.Status.Decided() && (above || !rec.ID.Before(report.RedundantBefore)) {
			if !above { // a database keeps the outcome longer than the rest
				rec.Txn, rec.Deps, rec.AcceptedDeps = nil, nil, nil
			}
			report.Records = append(report.Records, rec)
		}
	}
	return report
}

// Caught tells whether the effects of a transaction came with another node's log.
func (s *MemStore) Caught(id accord.TxnID) bool {
	_, ok := s.live.caught[id]
	return ok
}

// merge takes over the effects. Of each key one store has a prefix of what the other has, so the longer one is
// both of them together.
func (v *view) merge(m *merged) {
	for key, c := range m.from.state {
		if c.last.After(v.state[key].last) {
			v.state[key] = c
		}
	}
	take := func(marks map[accord.TxnID]mark) {
		for id, done := range marks {
			if _, here := v.applied[id]; !here {
				v.caught[id] = done
			}
		}
	}
	take(m.from.caught)
	take(m.from.applied)
}

// sorted returns the records that the journal would load, by TxnID: not those that are over for good.
func (v *view) sorted() []accord.Record {
	var records []accord.Record
	for id := range v.records {
		rec, _ := v.record(id)
		over := rec.Status.Decided() && id.Before(v.scalars.RedundantBefore) && !rec.ExecuteAt.After(v.scalars.Watermark)
		if !over {
			records = append(records, rec)
		}
	}
	sortRecords(records)
	return records
}

func (v *view) clone() view {
	return view{maps.Clone(v.records), v.scalars, maps.Clone(v.applied), maps.Clone(v.caught), maps.Clone(v.state)}
}

// catchUp merges another node's log, or tells the Machine that it could not be had.
func (n *Node) catchUp(now uint64, from *Node) {
	n.catching = nil
	report := accord.CaughtUp{}
	if from != nil && from.up() {
		report = n.store.Merge(from.store)
		n.emit(caughtUp{n, from.id, report})
	}
	n.step(now, report)
	n.collect()
}

// caughtUp is a node that has merged the log of another.
type caughtUp struct {
	node   *Node
	from   accord.NodeID
	report accord.CaughtUp
}

func (e caughtUp) lines(t *text) {
	t.str("> ")
	t.node(e.node.id)
	t.str(" merges the log of ")
	t.node(e.from)
	t.str(", up to ")
	t.time(e.report.Watermark)
	t.str("\n")
	for _, r := range e.report.Records {
		t.str("  ")
		t.record(r)
		t.str("\n")
	}
}

// forgotten is a transaction that is over, its proposer does not know how.
type forgotten struct {
	node *Node
	id   accord.TxnID
}

func (e forgotten) lines(t *text) {
	t.node(e.node.id)
	t.str(" forgets   ")
	t.time(e.id.Timestamp)
	t.str("\n")
}
