package accord

import "slices"

// peer is what this replica knows of another, or of itself.
type peer struct {
	node      NodeID
	watermark Timestamp // as last told
	redundant Timestamp // its RedundantBefore, as last told
	heard     bool      // since this Machine was made

	silence detector

	// Smoothed time from a request to its answer and its mean deviation, microseconds (as RFC 6298).
	latency, deviation uint64
	probe              probe

	// unacked are decisions the peer has not confirmed, in the order they were made; the slice may hold
	// confirmed ones that are no longer in the map.
	unacked map[TxnID]*unacked
	order   []TxnID
	pause   uint64 // until the next resending; doubles while nothing is heard
	ticking bool
}

// unacked is a decision on its way to a peer.
type unacked struct {
	sent    uint64
	again   int  // how often, after the first time
	hasBody bool // the peer is known to have the transaction's body
}

// resendMax bounds how many decisions are on their way to one peer for a second time.
const resendMax = 256

func newPeers(nodes []NodeID) []peer {
	peers := make([]peer, len(nodes))
	for i, node := range nodes {
		peers[i] = peer{node: node, unacked: make(map[TxnID]*unacked)}
	}
	return peers
}

// rank returns a node's place among the nodes, -1 if it is none.
func (m *Machine) rank(node NodeID) int {
	for i := range m.peers {
		if m.peers[i].node == node {
			return i
		}
	}
	return -1
}

// hear takes note of a sign of life, and tells whether its sender is a member.
func (m *Machine) hear(from NodeID, h Header) bool {
	i := m.rank(from)
	if i < 0 {
		return false
	}
	p := &m.peers[i]
	p.silence.hear(m.now, m.silenceLimit(p))
	p.heard, p.pause = true, m.cfg.RetryAfter
	p.watermark = maxTimestamp(p.watermark, h.Watermark)
	p.redundant = maxTimestamp(p.redundant, h.RedundantBefore)
	if p.watermark.After(m.scalars.Watermark) {
		m.lag()
	}
	if h.SentHLC <= m.now+m.cfg.MaxSkew {
		m.clock.observe(h.SentHLC)
	} else {
		m.counters.ClockSkews++ // a broken clock drags nobody forward
	}
	return true
}

// greet has the others asked how far they are, as soon as time passes: what was decided while this node was
// down may be all there is, with nobody left to tell it.
func (m *Machine) greet() {
	for i := range m.peers {
		if p := &m.peers[i]; p.node != m.cfg.Self {
			p.ticking = true
			m.wake(0, timerPeer, peerName(p))
		}
	}
}

// peerName is how a timer names a peer.
func peerName(p *peer) TxnID { return TxnID{Timestamp{HLC: uint64(p.node)}} }

// expect notes that a message to p wants an answer.
func (m *Machine) expect(p *peer) {
	p.silence.expect(m.now)
	if !p.ticking {
		p.ticking = true
		m.wakePeer(p)
	}
}

// Reachable returns how many nodes are not suspected, this one included.
func (m *Machine) Reachable() int {
	n := 0
	for i := range m.peers {
		if !m.suspects(&m.peers[i]) {
			n++
		}
	}
	return n
}

// Suspected tells whether node has owed an answer for too long.
func (m *Machine) Suspected(node NodeID) bool {
	i := m.rank(node)
	return i < 0 || m.suspects(&m.peers[i])
}

// FastQuorum returns how many of which nodes decide in one round, when their votes agree. docs/protocol.md §1.3.
func (m *Machine) FastQuorum() (n int, electorate []NodeID) {
	return m.fast, slices.Clone(m.cfg.Electorate)
}

// Unacked returns how many decisions node has not confirmed.
func (m *Machine) Unacked(node NodeID) int {
	if i := m.rank(node); i >= 0 {
		return len(m.peers[i].unacked)
	}
	return 0
}

// patience returns how long an answer of p may take before it is unusual.
func (m *Machine) patience(p *peer) uint64 { return p.latency + 4*p.deviation }

// timed takes note of how long an answer of p took.
func (p *peer) timed(took uint64) {
	if p.latency == 0 {
		p.latency, p.deviation = took, took/2
		return
	}
	diff := max(p.latency, took) - min(p.latency, took)
	p.deviation = (3*p.deviation + diff) / 4
	p.latency = (7*p.latency + took) / 8
}

// spread tells a decision to all other nodes, and keeps telling until they confirm it. hasBody are the nodes
// known to have the body. docs/protocol.md §4.7.
func (m *Machine) spread(c *command, hasBody nodeSet) {
	for i := range m.peers {
		p := &m.peers[i]
		if p.node == m.cfg.Self {
			continue
		}
		if p.unacked[c.rec.ID] == nil {
			if len(p.unacked) >= m.cfg.UnackedMax {
				m.counters.Unspread++ // it learns from fences instead
				continue
			}
			p.order = append(p.order, c.rec.ID)
		}
		u := &unacked{sent: m.now, hasBody: hasBody.has(i)}
		p.unacked[c.rec.ID] = u
		m.tell(p, c, u.hasBody)
	}
}

// tell sends p the decision of c.
func (m *Machine) tell(p *peer, c *command, hasBody bool) {
	m.expect(p)
	if c.rec.Status == StatusInvalidated {
		m.send(p.node, c.rec.ID, Invalidated{})
		return
	}
	m.send(p.node, c.rec.ID, c.stable(!hasBody))
}

// stable returns c's decision as a message.
func (c *command) stable(withBody bool) Stable {
	s := Stable{ExecuteAt: c.rec.ExecuteAt, Deps: *c.rec.Deps}
	if withBody {
		s.Txn = c.rec.Txn
	}
	return s
}

// confirmed takes a decision off the list of a node that has it.
func (m *Machine) confirmed(from NodeID, id TxnID) {
	delete(m.peers[m.rank(from)].unacked, id)
}

func (m *Machine) wakePeer(p *peer) {
	p.pause = max(p.pause, m.cfg.RetryAfter)
	m.wake(m.now+p.pause, timerPeer, peerName(p))
}

// tickPeer resends what p has not confirmed. A suspected peer gets no more than a sign that it is waited for.
func (m *Machine) tickPeer(node NodeID) {
	p := &m.peers[m.rank(node)]
	p.pause = min(2*p.pause, m.cfg.RetryMax)
	switch {
	case !p.heard && p.silence.owing == 0:
		m.expect(p)
		m.send(p.node, TxnID{}, Ping{})
	case m.suspects(p):
		m.send(p.node, TxnID{}, Ping{})
	case len(p.unacked) > 0:
		m.resend(p)
	}
	if p.silence.owing == 0 && len(p.unacked) == 0 {
		p.ticking = false
		return
	}
	m.wakePeer(p)
}

// resend tells p the oldest decisions that it has not confirmed in time. What is on its way again is bounded: a peer that has
// been away and lags would otherwise be given the more to read the longer it takes, and all others wait behind that.
func (m *Machine) resend(p *peer) {
	var due []TxnID
	kept, flying, bytes := p.order[:0], 0, 0
	for _, id := range p.order {
		u, c := p.unacked[id], m.commands[id]
		if u == nil {
			continue
		}
		if c == nil || c.rec.Status == StatusApplied && !c.rec.ExecuteAt.After(p.watermark) {
			delete(p.unacked, id)
			continue
		}
		kept = append(kept, id)
		switch {
		case m.now >= u.sent+m.overdue(p, u):
			if len(due) < resendMax {
				due = append(due, id)
			}
		case u.again > 0:
			flying++
			bytes += u.bytes(c)
		}
	}
	p.order = kept
	for _, id := range due {
		u, c := p.unacked[id], m.commands[id]
		if bytes += u.bytes(c); flying >= resendMax || flying > 0 && bytes > m.cfg.LagBytes {
			return
		}
		flying++
		u.sent = m.now
		u.again++
		m.counters.Resent++
		m.tell(p, c, u.hasBody)
	}
}

// bytes returns how much of c has to be sent with the decision.
func (u *unacked) bytes(c *command) int {
	if u.hasBody || c.rec.Txn == nil {
		return 0
	}
	return len(c.rec.Txn.Body)
}

// overdue returns after which time a decision is sent again: longer each time.
func (m *Machine) overdue(p *peer, u *unacked) uint64 {
	first := max(m.cfg.RetryAfter, m.patience(p))
	return max(first, min(first<<min(u.again, 16), m.cfg.RetryMax))
}
