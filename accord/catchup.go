package accord

import "slices"

// CatchUp asks for the log of another node, since what this one has missed is remembered nowhere as
// transactions any more. The caller merges into its own store all that is applied at From's, which it reads as
// of one moment, and all that is in effect there. It then reports a CaughtUp, and always reports one: an empty
// one if it could not. Until then there is no other CatchUp. docs/protocol.md §8.5.
type CatchUp struct {
	From  NodeID
	After Timestamp // everything that executes at or before it is in the store already
}

// CaughtUp reports what came of a CatchUp: the scalars of the other store at that moment, and those of its
// records, as the journal holds them, that say of a transaction that it is decided and either began at or after
// RedundantBefore or executes after Watermark. Effects of applied ones are in this node's store now.
type CaughtUp struct {
	Watermark       Timestamp // zero: it came to nothing
	RedundantBefore Timestamp
	Records         []Record
}

func (CaughtUp) isInput() {}

// catchUp has the log fetched from a node.
func (m *Machine) catchUp(from NodeID) {
	if m.catching {
		return
	}
	m.catching = true
	m.counters.CatchUps++
	m.ready.CatchUp = &CatchUp{From: from, After: m.scalars.Watermark}
}

// caughtUp takes over what another node's log says.
func (m *Machine) caughtUp(in CaughtUp) {
	m.catching = false
	if in.Watermark.IsZero() {
		return
	}
	if m.mutated(MutateNoCarry) {
		in.Records = nil
	}
	m.pass(append(m.adopt(in), m.stable(in.Watermark)...))
	if in.Watermark.After(m.scalars.Watermark) { // passing may have completed a fence
		m.moveWatermark(in.Watermark)
	}
	m.trimHistory(in.Watermark)
	m.historyFrom = maxTimestamp(m.historyFrom, in.Watermark)
	m.adoptRest(in)
	m.closePast(in.RedundantBefore)
	m.fences.changed = true
	m.checkFences()
}

// adopt makes stable what the log tells is decided and applied, and returns what of it lies beyond its end.
func (m *Machine) adopt(in CaughtUp) (beyond []*command) {
	for i := range in.Records {
		rec := &in.Records[i]
		_, forgotten := m.tombstones[rec.ID]
		c := m.commands[rec.ID]
		above := rec.ExecuteAt.After(in.Watermark)
		switch {
		case rec.Status == StatusInvalidated || rec.Status == StatusStable && above:
		case forgotten || c == nil && rec.ID.Before(m.scalars.RedundantBefore):
		case c == nil && !rec.ExecuteAt.After(m.scalars.Watermark):
		case c == nil || c.rec.Status != StatusApplied:
			if m.settleAt(rec); above {
				beyond = append(beyond, m.commands[rec.ID])
			}
		}
	}
	return beyond
}

// adoptRest takes over the other outcomes: what is never to happen, and what is still to be executed.
func (m *Machine) adoptRest(in CaughtUp) {
	for i := range in.Records {
		rec := &in.Records[i]
		_, forgotten := m.tombstones[rec.ID]
		switch {
		case forgotten || m.commands[rec.ID] == nil && rec.ID.Before(m.scalars.RedundantBefore):
		case rec.Status == StatusInvalidated:
			m.invalidated(m.command(rec.ID))
		case rec.Status == StatusStable && rec.ExecuteAt.After(m.scalars.Watermark):
			m.learn(rec.ID, *rec)
		}
	}
}

// settleAt makes a transaction stable without having it executed.
func (m *Machine) settleAt(rec *Record) {
	c := m.command(rec.ID)
	m.drop(rec.ID)
	m.endInquiry(rec.ID)
	if c.rec.Status == StatusStable {
		return
	}
	c.advance(StatusStable)
	c.rec.ExecuteAt, c.rec.Deps = rec.ExecuteAt, rec.Deps
	if !c.registered() && rec.Txn != nil {
		m.include(c, rec.Txn)
	}
	if c.registered() {
		m.index.raise(c)
	} else {
		m.kept = append(m.kept, c)
	}
}

// pass marks stable commands applied whose effects came with another node's log. None is handed out.
func (m *Machine) pass(passed []*command) {
	for _, c := range passed {
		if !c.handed {
			m.surrender(c.rec.ID)
		}
		c.handed = true
	}
	for _, c := range passed {
		c.advance(StatusApplied)
		m.record(c)
		m.satisfy(c)
	}
}

// stable returns the stable commands up to a time, in the order of execution.
func (m *Machine) stable(to Timestamp) []*command {
	var found []*command
	for _, c := range m.commands {
		if c.rec.Status == StatusStable && !c.rec.ExecuteAt.After(to) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *command) int { return a.rec.ExecuteAt.Compare(b.rec.ExecuteAt) })
	return found
}

// trimHistory forgets what was applied up to a time. Who lags behind the last of that has to catch up from the log.
func (m *Machine) trimHistory(to Timestamp) {
	i, _ := slices.BinarySearchFunc(m.history, to, func(a applied, t Timestamp) int {
		if a.executeAt.After(t) {
			return 1
		}
		return -1
	})
	if i > 0 {
		m.historyFrom = maxTimestamp(m.historyFrom, m.history[i-1].executeAt)
		m.history = m.history[i:] // growing it lets go of what is cut off
	}
}
