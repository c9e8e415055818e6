package accord

import "slices"

// In mode G a fence takes a second round: a transaction that the fence's quorum does not name may still seem to
// have been decided fast, before the fence, unless those who recover it meet somebody who remembers what the
// fence does not name. docs/protocol.md §7.3.

// proposeFence asks all nodes to remember what a fence names.
func (m *Machine) proposeFence(f *fence) {
	m.counters.FenceAccepts++
	f.round, f.answered, f.deps, f.proposed = 2, 0, Deps{}, f.deps
	m.repeatFence(f)
}

// repeatFence asks those who have not answered. Two rounds take so long on slow disks that fences which are given up
// after a while and begun anew might never come to an end; the answers to one that goes on add up.
func (m *Machine) repeatFence(f *fence) {
	f.sent = m.now
	for i := range m.peers {
		p := &m.peers[i]
		if f.answered.has(i) {
			continue
		}
		if p.node != m.cfg.Self {
			m.expect(p)
		}
		if f.round == 1 {
			m.owe(p.node, f.id, FenceCollect{})
		} else {
			m.send(p.node, f.id, FenceAccept{Deps: f.proposed})
		}
	}
}

// fencePassed tells whether others have brought this node to where a fence was to bring it.
func (m *Machine) fencePassed(id TxnID) bool {
	if id.Kind == KindFenceX {
		return !id.After(m.scalars.RedundantBefore)
	}
	return !id.After(m.scalars.Watermark)
}

// onFenceAccept remembers what a fence names. The answer names that too: whatever the fence does not name in the
// end, everybody who answered has evidence against, whichever of several collections of the fence they answered.
func (m *Machine) onFenceAccept(from NodeID, id TxnID, msg FenceAccept) {
	if !m.general || !id.Kind.fences() || id.HLC > m.now+m.cfg.MaxSkew {
		m.counters.Refused++
		return
	}
	m.raiseFloors(id)
	named := m.index.all(id.Timestamp, m.scalars.Watermark)
	if !m.fenceCovered(id) {
		named = named.Union(*m.acceptFence(id, msg.Deps).rec.AcceptedDeps)
	}
	m.owe(from, id, FenceOK{Round: 2, Deps: named})
}

// acceptFence records a fence as accepted with what it names. A fence may be collected again by somebody else, and
// then name other transactions: what either does not name there is evidence against.
func (m *Machine) acceptFence(id TxnID, deps Deps) *command {
	c := m.command(id)
	if c.rec.Status == StatusNone {
		c.rec.ExecuteAt = id.Timestamp
		m.rememberFence(c)
	} else {
		deps = c.rec.AcceptedDeps.Meet(deps)
	}
	c.rec.AcceptedDeps = &deps
	c.advance(StatusAccepted)
	m.record(c)
	return c
}

func (m *Machine) rememberFence(c *command) {
	f := &m.fences
	i, _ := slices.BinarySearchFunc(f.accepted, c.rec.ID, compareCommand)
	f.accepted = slices.Insert(f.accepted, i, c)
}

// fenceCovered tells whether a fence is no evidence any more that the watermark or the closed past is not too.
func (m *Machine) fenceCovered(id TxnID) bool {
	return !id.After(m.scalars.Watermark) || id.Before(m.scalars.RedundantBefore)
}

// loadFence restores an accepted fence.
func (m *Machine) loadFence(rec Record) {
	if !m.general || m.fenceCovered(rec.ID) {
		return
	}
	c := &command{rec: rec}
	m.commands[rec.ID] = c
	m.rememberFence(c)
}

// dropFences forgets the accepted fences that are no longer needed.
func (m *Machine) dropFences() {
	f := &m.fences
	f.accepted = slices.DeleteFunc(f.accepted, func(c *command) bool {
		if m.fenceCovered(c.rec.ID) {
			delete(m.commands, c.rec.ID)
			return true
		}
		return false
	})
}
