package accord

import "slices"

// In mode G fewer votes than rule the fast path out do not say that it may have been taken: the transaction may
// have come too late for others that the recovery's quorum knows. Those are evidence. docs/protocol.md §5.4.

// finding is what one transaction says about another that is being recovered.
type finding uint8

const (
	nothing  finding = iota
	ruledOut         // that one was not decided fast
	unclear          // that depends on what this one is decided with
)

// evidence returns whether what is known here rules out that a transaction was decided fast, or else which
// transactions have to be decided before that can be told.
func (m *Machine) evidence(id TxnID, keys Keys) (out bool, wait []TxnID) {
	if !id.After(m.scalars.Watermark) {
		return true, nil // whatever executes up to there is decided here
	}
	for _, fence := range m.fences.accepted {
		if m.finding(&fence.rec, id) == ruledOut {
			return true, nil
		}
	}
	for _, key := range keys {
		on := m.index.keys[key]
		if on == nil {
			continue
		}
		for _, x := range on.commands {
			if x.rec.ID == id || !x.rec.ID.Kind.witnesses(id.Kind) {
				continue
			}
			switch m.finding(&x.rec, id) {
			case ruledOut:
				return true, nil
			case unclear:
				wait = append(wait, x.rec.ID)
			}
		}
	}
	return false, NewDeps(Timestamp{}, wait).IDs
}

// finding returns what x, which must wait for r if r executes first, says about r.
func (m *Machine) finding(x *Record, r TxnID) finding {
	switch x.Status {
	case StatusAccepted, StatusCommitted, StatusStable, StatusApplied:
	default:
		return nothing
	}
	proposed := x.AcceptedDeps != nil && m.mutateLacks(*x.AcceptedDeps, r)
	switch {
	case !x.ExecuteAt.After(r.Timestamp):
		return nothing
	case x.ID.After(r.Timestamp) && proposed:
		return ruledOut // a fast voter of r would have told x's voters, or be one of them and have known x first
	case x.Status == StatusAccepted && proposed:
		return unclear // x's voters were not asked for what began after it
	case x.Deps != nil && m.mutateLacks(*x.Deps, r):
		return ruledOut // a fast voter of r would have told x's acceptors
	}
	return nothing
}

// weighEvidence goes on with a recovery whose votes do not rule the fast path out.
func (m *Machine) weighEvidence(c *coordination) {
	var wait []TxnID
	for _, r := range c.reports {
		if r.RuledOut && !m.mutated(MutateIgnoreEvidence) {
			m.counters.RuledOut++
			m.push(c, true)
			return
		}
		wait = append(wait, r.Wait...)
	}
	wait = NewDeps(Timestamp{}, wait).IDs
	if len(wait) == 0 || m.mutated(MutateIgnoreWait) {
		m.push(c, false)
		return
	}
	m.await(c, wait)
}

// await has a recovery wait until others are decided. Meanwhile it leaves its place among the recoveries to
// those. What its quorum has promised and registered stays good. All of them began before, so that no two
// recoveries wait for each other.
func (m *Machine) await(c *coordination, wait []TxnID) {
	invariant(wait[len(wait)-1].Before(c.id.Timestamp), "transaction %s: its recovery waits for %s", c.id, wait[len(wait)-1])
	m.counters.Waits++
	c.phase, c.answered, c.reports, c.wait = awaiting, 0, nil, wait
	c.pause = m.firstPause()
	m.rearm(c, m.now+c.pause)
	i, _ := slices.BinarySearchFunc(m.awaiting, c.id, compareTxnID)
	m.awaiting = slices.Insert(m.awaiting, i, c.id)
	for _, id := range wait {
		m.need(id)
	}
	m.recovering--
	m.next()
}

// stopAwaiting takes a transaction off the list of those whose recovery waits.
func (m *Machine) stopAwaiting(id TxnID) {
	if i, ok := slices.BinarySearchFunc(m.awaiting, id, compareTxnID); ok {
		m.awaiting = slices.Delete(m.awaiting, i, i+1)
	}
}

// checkWaits lets recoveries go on that have waited long enough, as many as there is place for.
func (m *Machine) checkWaits() {
	for i := 0; i < len(m.awaiting) && m.recovering < m.cfg.RecoverMax; {
		c := m.coords[m.awaiting[i]]
		out, over := m.awaited(c)
		if !over {
			i++
			continue
		}
		m.awaiting = slices.Delete(m.awaiting, i, i+1)
		m.recovering++
		if out {
			m.counters.RuledOut++
		}
		m.push(c, out)
	}
}

// awaited looks at the evidence again, here, and tells whether it is complete. Only what others are executed
// with counts: what they are committed with may not be that.
func (m *Machine) awaited(c *coordination) (out, over bool) {
	if !c.id.After(m.scalars.Watermark) {
		return true, true
	}
	for ; len(c.wait) > 0; c.wait = c.wait[1:] {
		x := m.commands[c.wait[0]]
		if x == nil {
			if !m.settled(c.wait[0], endOfTime()) {
				return false, false
			}
			continue // invalidated, or executed at or below the watermark, and so before
		}
		switch {
		case !x.rec.Status.Decided():
			return false, false
		case x.rec.Status == StatusInvalidated || !x.rec.ExecuteAt.After(c.id.Timestamp):
		case x.rec.Deps == nil:
			return false, false // told by another's log without them, and the watermark is about to pass
		case m.mutateLacks(*x.rec.Deps, c.id):
			return true, true
		}
	}
	return false, true
}
