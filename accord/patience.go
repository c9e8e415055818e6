package accord

// A coordinator that has the votes of a slow quorum chooses: to wait for those that are missing for a fast one, or to
// take the slow path at once. On a wide area either can be the shorter way, and by how much is measured.

// patienceEnd returns until when to hope for the votes that are missing for a fast quorum. It is fixed when a
// slow quorum has answered, and past if a missing node is suspected.
func (m *Machine) patienceEnd(c *coordination) uint64 {
	if c.until == 0 {
		c.until = m.now + m.hope(c)
	}
	hope := (c.answered & m.electors).len()
	missing := m.electors &^ c.answered
	for i := range m.peers {
		if missing.has(i) && !m.suspects(&m.peers[i]) {
			hope++
		}
	}
	if hope < m.fast {
		return 0
	}
	return c.until
}

// hope returns how long to wait for missing votes, from now on. The slow path has to be clearly shorter: it is more work.
func (m *Machine) hope(c *coordination) uint64 {
	detour, missing := m.detour(), m.electors&^c.answered
	fastBy := c.started + m.nearest(m.fast-c.fast, missing)
	if detour > 0 && fastBy > m.now+detour+detour/5+m.cfg.FastWaitMin {
		return 0
	}
	// The slow path would take about as long again as its quorum has taken to answer.
	until := m.now + max(m.cfg.FastWaitMin, 2*(m.now-c.started))
	for i := range m.peers {
		if missing.has(i) {
			until = max(until, c.started+m.patience(&m.peers[i]))
		}
	}
	// Giving up before votes that are worth waiting for would cost both ways.
	return min(until-m.now, max(m.cfg.FastWaitMax, detour+detour/5+2*m.cfg.FastWaitMin))
}

// detour returns how long the rounds of the slow path are expected to take; 0: not known.
func (m *Machine) detour() uint64 {
	round := m.nearest(m.slow, ^nodeSet(0))
	if m.general {
		return 2 * round // Accept and Commit
	}
	return round
}

// nearest returns in how many microseconds so many of some nodes are expected to answer; 0: not known.
func (m *Machine) nearest(count int, among nodeSet) (last uint64) {
	for range count {
		best := -1
		for i := range m.peers {
			if among.has(i) && (best < 0 || m.peers[i].latency < m.peers[best].latency) {
				best = i
			}
		}
		if best < 0 || m.peers[best].latency == 0 {
			return 0
		}
		among &^= 1 << best
		last = m.peers[best].latency
	}
	return last
}

// probe is a question whose answer is timed even if it comes too late for the coordination: a link that is always
// too slow would never be known otherwise.
type probe struct {
	id   TxnID
	sent uint64
}

// probe times one question to p at a time.
func (m *Machine) probe(p *peer, id TxnID) {
	if p.probe.id == (TxnID{}) || m.now > p.probe.sent+4*m.cfg.RetryMax { // it, or its answer, is lost
		p.probe = probe{id, m.now}
	}
}

// probed takes note of an answer to a question, late if the coordination does not count it any more.
func (m *Machine) probed(from NodeID, id TxnID, late bool) {
	p := &m.peers[m.rank(from)]
	if p.probe.id != id {
		return
	}
	if late {
		p.timed(m.now - min(m.now, p.probe.sent))
	}
	p.probe = probe{}
}
