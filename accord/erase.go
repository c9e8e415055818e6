package accord

import "slices"

// erasing lets a replica forget for good what is over. An exclusive fence is a point in time before which no
// new transaction can be decided to execute: whoever registers one gives it a vote that rejects it. Once all
// that a slow quorum named is decided at a replica, what it does not know from before the fence never happens
// or is applied there, and needs no memory. docs/protocol.md §8.2, §8.4.
type erasing struct {
	pending []pendingFence // committed exclusive fences, not complete here; by time
	heard   uint64         // when one was last heard of
	ticking bool

	// wanted is the latest of the transactions that are open here and that others have forgotten.
	wanted Timestamp
	asked  uint64 // when the way there was last asked for
}

// watchErasing starts issuing exclusive fences if there is anything to erase.
func (m *Machine) watchErasing() {
	e := &m.erase
	if e.ticking || len(m.tombstones) == 0 && len(m.kept) == 0 {
		return
	}
	e.ticking = true
	turn := uint64(m.rank(m.cfg.Self))
	m.wake(max(m.now, e.heard)+m.cfg.EraseEvery+turn*m.cfg.EraseEvery/4, timerErase, TxnID{})
}

// tickErase issues an exclusive fence unless another node has.
func (m *Machine) tickErase() {
	e := &m.erase
	e.ticking = false
	m.forget()
	if len(m.tombstones) > 0 && m.fences.current == nil && m.now >= e.heard+m.cfg.EraseEvery {
		m.issueFenceX()
	}
	m.watchErasing()
}

// issueFenceX asks all nodes to let nothing new begin before a time that lies so far back that nobody means to.
func (m *Machine) issueFenceX() {
	at := m.timestamp(KindFenceX)
	at.HLC -= min(at.HLC, m.cfg.EraseDelay)
	if at.HLC <= m.fences.boot || !at.After(m.scalars.RejectFloor) {
		return
	}
	m.counters.ExclusiveFences++
	m.collect(TxnID{at})
}

// onFenceXCommit waits for what an exclusive fence names.
func (m *Machine) onFenceXCommit(id TxnID, msg FenceCommit) {
	e := &m.erase
	e.heard = m.now
	if !id.After(m.scalars.RedundantBefore) {
		return
	}
	i, known := slices.BinarySearchFunc(e.pending, id.Timestamp, func(p pendingFence, t Timestamp) int { return p.at.Compare(t) })
	switch {
	case known && msg.Deps.lighter(e.pending[i].deps): // the answer to a FenceFetch waits for less
		e.pending[i] = pendingFence{at: id.Timestamp, deps: msg.Deps}
	case !known:
		e.pending = slices.Insert(e.pending, i, pendingFence{at: id.Timestamp, deps: msg.Deps})
	}
	if len(e.pending) > pendingMax {
		// The lowest but for this one, which may be the answer to a FenceFetch: a later one covers it.
		lowest := 0
		if i == 0 {
			lowest = 1
		}
		e.pending = slices.Delete(e.pending, lowest, lowest+1)
	}
	for _, dep := range msg.Deps.IDs {
		m.need(dep)
	}
	m.fences.changed = true
	m.checkFences()
}

// checkErasing closes the past up to the last pending exclusive fence all of whose transactions are decided here.
func (m *Machine) checkErasing() {
	e := &m.erase
	for i := len(e.pending) - 1; i >= 0; i-- {
		if m.allDecided(&e.pending[i]) {
			at := e.pending[i].at
			e.pending = slices.Delete(e.pending, 0, i+1)
			m.closePast(at)
			return // which has looked at the rest
		}
	}
}

// allDecided tells whether the outcome of all that an exclusive fence names is known here. It need not be applied:
// what is to execute may wait for what the fence is to close.
func (m *Machine) allDecided(p *pendingFence) bool {
	if m.scalars.Watermark.Before(p.deps.Floor) {
		m.lag()
		return false
	}
	for ; p.next < len(p.deps.IDs); p.next++ {
		id := p.deps.IDs[p.next]
		c := m.commands[id]
		_, forgotten := m.tombstones[id]
		if c != nil && !c.rec.Status.Decided() || c == nil && !forgotten && !id.Before(m.scalars.RedundantBefore) {
			return false
		}
	}
	return true
}

// closePast notes that what began before a time and is not known here to execute later is over: its effects
// are in the store, or it never happens. Which of the two, nobody can ask any more.
func (m *Machine) closePast(before Timestamp) {
	if !before.After(m.scalars.RedundantBefore) {
		return
	}
	m.counters.Erasures++
	m.scalars.RedundantBefore = before
	m.scalars.RejectFloor = maxTimestamp(m.scalars.RejectFloor, before)
	m.scalars.ConflictFloor = maxTimestamp(m.scalars.ConflictFloor, before)
	m.clock.observe(before.HLC) // what begins here from now on is not rejected
	m.recordScalars()
	m.dropFences()
	for id := range m.tombstones {
		if id.Before(before) {
			delete(m.tombstones, id)
		}
	}
	for _, c := range m.unapplied(before) {
		switch {
		case m.commands[c.rec.ID] != c: // closing yet more of the past, on the way, has taken it
		case !c.rec.Status.Decided():
			m.abandon(c)
		case m.index.live[c.rec.ID] == nil:
			delete(m.commands, c.rec.ID)
		}
	}
	m.fences.changed = true
	m.checkFences()
	m.checkReads()
}

// unapplied returns the commands that began before a time and are undecided or invalidated, by TxnID.
func (m *Machine) unapplied(before Timestamp) []*command {
	var found []*command
	for id, c := range m.commands {
		if id.Before(before) && (!c.rec.Status.Decided() || c.rec.Status == StatusInvalidated) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *command) int { return compareTxnID(a.rec.ID, b.rec.ID) })
	return found
}

// abandon forgets a transaction that is over without its outcome being known here. Nobody has to wait for it.
func (m *Machine) abandon(c *command) {
	id := c.rec.ID
	m.drop(id)
	m.endInquiry(id)
	if m.index.live[id] != nil {
		m.index.remove(c)
	}
	delete(m.commands, id)
	m.surrender(id)
	c.over = true
	m.satisfy(c)
}

// surrender tells the caller that proposed a transaction here that it is over, and how is not known here.
func (m *Machine) surrender(id TxnID) {
	if id.Node == m.cfg.Self {
		m.counters.Forgotten++
		m.ready.Forgotten = append(m.ready.Forgotten, id)
	}
}

// outdated takes note of a node that has forgotten what is asked of it. A transaction is open here that is over
// there, and the way to that knowledge is the other's last exclusive fence; or a fence is asked for that the
// other remembers too little for, and only its log helps. docs/protocol.md §8.4.
func (m *Machine) outdated(from NodeID, id TxnID) {
	if id.Kind == KindFence || id.Kind == KindFenceX {
		m.catchUp(from)
		return
	}
	if id.Before(m.scalars.RedundantBefore) {
		m.tooLate(id)
		return
	}
	m.erase.wanted = maxTimestamp(m.erase.wanted, id.Timestamp)
	m.lag()
}

// tooLate gives up a transaction that was proposed here with a clock so far behind that it began in the past that
// is closed.
func (m *Machine) tooLate(id TxnID) {
	if m.coords[id] != nil && m.commands[id] == nil {
		m.drop(id)
		m.surrender(id)
	}
}

// open tells whether others have forgotten something that is open here.
func (m *Machine) open() bool {
	return !m.erase.wanted.IsZero() && !m.erase.wanted.Before(m.scalars.RedundantBefore)
}

// fetchPast asks a node that has closed more of the past for the way there.
func (m *Machine) fetchPast() {
	e := &m.erase
	if !m.open() || m.now < e.asked+m.cfg.RetryAfter {
		return
	}
	for i := range m.peers {
		p := &m.peers[(i+int(m.counters.FenceFetches))%len(m.peers)]
		if p.node != m.cfg.Self && p.redundant.After(e.wanted) && !m.suspects(p) {
			e.asked = m.now
			m.counters.FenceFetches++
			m.expect(p)
			m.send(p.node, TxnID{p.redundant}, FenceFetch{})
			return
		}
	}
}

// onFenceXFetch names what an asker must know before it may close as much of the past as this node has: all that
// began before and executes after the asker's watermark. All of that is known here to be decided.
func (m *Machine) onFenceXFetch(from NodeID, id TxnID) {
	closed, low := m.scalars.RedundantBefore, m.peers[m.rank(from)].watermark
	if id.After(closed) {
		return
	}
	var ids []TxnID
	for i := len(m.history) - 1; i >= 0 && m.history[i].executeAt.After(low); i-- {
		if m.history[i].id.Before(closed) {
			ids = append(ids, m.history[i].id)
		}
	}
	for dep, c := range m.index.live {
		if dep.Before(closed) && c.binds(m.scalars.Watermark) {
			ids = append(ids, dep)
		}
	}
	if low.Before(m.historyFrom) || len(ids) > fenceFetchMax {
		m.owe(from, id, Nack{Reason: NackTruncated})
		return
	}
	m.owe(from, TxnID{closed}, FenceCommit{Deps: NewDeps(low, ids)})
}
