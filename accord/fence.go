package accord

import "slices"

// fencing moves the watermark: a fence is a point in time below which no vote is given any more once a slow
// quorum has seen it, so that all that executes before it can be named. docs/protocol.md §7.3.
type fencing struct {
	boot    uint64    // no fence of this node before its start is above it
	current *fence    // being collected here
	issued  Timestamp // last fence of this node

	pending  []pendingFence // committed, not complete here; by time
	changed  bool           // something was decided or applied since pending was looked at
	moved    uint64         // when a FenceCommit was last heard of
	ticking  bool
	asked    uint64    // when a FenceFetch was last sent
	catching bool      // one was sent, and this node is far behind still
	lagSince uint64    // since when something here waits for a higher watermark; zero: nothing does
	demanded Timestamp // somebody here waits for the watermark to get there
	forgot   Timestamp // everything kept is above it

	accepted []*command // mode G: evidence against what they do not name; by time
}

// fence is one fence on its way.
type fence struct {
	id       TxnID
	round    uint8 // as in FenceOK
	answered nodeSet
	deps     Deps
	proposed Deps // in round 2
	sent     uint64
}

// pendingFence is a fence whose deps are not all applied here.
type pendingFence struct {
	at   Timestamp
	deps Deps
	next int // deps.IDs before it are settled
}

const (
	pendingMax    = 16    // fences waited for at a time; a lost one is covered by the next
	fenceFetchMax = 10000 // transactions named in one answer to a FenceFetch
	takeover      = 4     // a node issues fences if those before it have not for so many intervals each
)

// watchFences starts fencing if there is anything to fence.
func (m *Machine) watchFences() {
	f := &m.fences
	if f.ticking || len(m.index.live) == 0 && f.lagSince == 0 && !m.demanded() {
		return
	}
	f.ticking = true
	m.wake(m.now+m.cfg.FenceEvery, timerFence, TxnID{})
}

// tickFence issues a fence if it is this node's turn, and asks for what it missed.
func (m *Machine) tickFence() {
	f := &m.fences
	f.ticking = false
	switch {
	case f.current == nil || m.now <= f.current.sent+max(m.cfg.SuspectAfter, 2*m.slowest()):
	case m.general && !m.fencePassed(f.current.id):
		m.repeatFence(f.current)
	default:
		f.current = nil // nobody misses it
	}
	m.fetchFence()
	if f.current == nil && (len(m.index.live) > 0 && m.myTurn() || m.demanded() && m.quiet()) {
		m.issueFence()
	}
	m.watchFences()
}

// myTurn tells whether the nodes that come first have let their turn pass.
func (m *Machine) myTurn() bool {
	before := uint64(0)
	for i := range m.peers {
		p := &m.peers[i]
		if p.node == m.cfg.Self {
			break
		}
		if !m.suspects(p) {
			before++
		}
	}
	return m.now >= m.fences.moved+before*takeover*m.cfg.FenceEvery
}

// issueFence asks all nodes to close the past. The fence lies so far back that what is in flight is not
// pushed off the fast path.
func (m *Machine) issueFence() {
	f := &m.fences
	delay := m.cfg.FenceDelay
	for i := range m.peers {
		delay = max(delay, min(2*m.patience(&m.peers[i]), 10*m.cfg.FenceDelay))
	}
	demanded := m.demanded() && m.quiet()
	if demanded {
		m.clock.observe(f.demanded.HLC) // so that the fence's time is reserved
	}
	at := m.timestamp(KindFence)
	at.HLC -= min(at.HLC, delay)
	if demanded {
		at.HLC = max(at.HLC, f.demanded.HLC, f.issued.HLC+1)
	}
	if at.HLC <= f.boot || !at.After(f.issued) || !at.After(m.scalars.Watermark) {
		return
	}
	m.counters.Fences++
	f.issued = at
	m.collect(TxnID{at})
}

// collect asks all nodes what they know before a fence.
func (m *Machine) collect(id TxnID) {
	m.fences.current = &fence{id: id, round: 1, sent: m.now}
	if m.mutateCollect() {
		return
	}
	for i := range m.peers {
		p := &m.peers[i]
		if p.node == m.cfg.Self {
			m.send(p.node, id, FenceCollect{})
			continue
		}
		m.expect(p)
		m.owe(p.node, id, FenceCollect{})
	}
}

// onFenceCollect lets no later vote be below the fence, and names what is. Who asks does not matter: a fence is
// nothing but a time, and may be collected again by somebody who lacks the way there.
func (m *Machine) onFenceCollect(from NodeID, id TxnID) {
	if !id.Kind.fences() || id.HLC > m.now+m.cfg.MaxSkew {
		m.counters.Refused++
		return
	}
	m.raiseFloors(id)
	m.owe(from, id, FenceOK{Round: 1, Deps: m.index.all(id.Timestamp, m.scalars.Watermark)})
}

// raiseFloors lets no later vote be below a fence.
func (m *Machine) raiseFloors(id TxnID) {
	if id.After(m.scalars.ConflictFloor) && !m.mutated(MutateNoFloor) {
		m.scalars.ConflictFloor = id.Timestamp
		m.scribble = true
	}
	if id.Kind == KindFenceX && id.After(m.scalars.RejectFloor) && !m.mutated(MutateNoRejectFloor) {
		m.scalars.RejectFloor = id.Timestamp
		m.scribble = true
	}
}

// onFenceOK collects what a slow quorum names, and tells everybody; in mode G once they have accepted the fence.
func (m *Machine) onFenceOK(from NodeID, id TxnID, ok FenceOK) {
	f := m.fences.current
	if f == nil || f.id != id || ok.Round != f.round || f.answered.has(m.rank(from)) {
		m.counters.Late++
		return
	}
	f.answered.add(m.rank(from))
	f.deps = f.deps.Union(ok.Deps)
	if f.answered.len() < m.slow {
		return
	}
	if m.general && f.round == 1 && !m.mutated(MutateFenceOneRound) {
		m.proposeFence(f)
		return
	}
	m.fences.current = nil
	for i := range m.peers {
		m.send(m.peers[i].node, id, FenceCommit{Deps: f.deps})
	}
}

// onFenceCommit waits for what the fence names.
func (m *Machine) onFenceCommit(id TxnID, msg FenceCommit) {
	if id.Kind == KindFenceX {
		m.onFenceXCommit(id, msg)
		return
	}
	f := &m.fences
	f.moved = m.now
	if !id.After(m.scalars.Watermark) || !id.After(msg.Deps.Floor) {
		return // of no use: the watermark is there, or has to pass it first
	}
	i, known := slices.BinarySearchFunc(f.pending, id.Timestamp, func(p pendingFence, t Timestamp) int { return p.at.Compare(t) })
	switch {
	case known && msg.Deps.lighter(f.pending[i].deps): // the answer to a FenceFetch waits for less
		f.pending[i] = pendingFence{at: id.Timestamp, deps: msg.Deps}
	case !known:
		f.pending = slices.Insert(f.pending, i, pendingFence{at: id.Timestamp, deps: msg.Deps})
	}
	if len(f.pending) > pendingMax {
		// Neither the newest, which covers the others, nor the lowest: one of those is what the rest waits for.
		f.pending = slices.Delete(f.pending, len(f.pending)-2, len(f.pending)-1)
	}
	for _, dep := range msg.Deps.IDs {
		m.need(dep)
	}
	f.changed = true
	m.checkFences()
}

// need makes sure that the outcome of a transaction gets known here.
func (m *Machine) need(id TxnID) {
	if _, forgotten := m.tombstones[id]; !forgotten && !id.Before(m.scalars.RedundantBefore) {
		m.block(m.command(id))
	}
}

// checkFences moves the watermark to the last pending fence that is complete.
func (m *Machine) checkFences() {
	f := &m.fences
	if !f.changed {
		return
	}
	f.changed = false
	before := m.scalars.Watermark
	f.pending = slices.DeleteFunc(f.pending, func(p pendingFence) bool { return !p.at.After(m.scalars.Watermark) })
	for i := 0; i < len(f.pending); i++ {
		if p := &f.pending[i]; m.complete(p) {
			at := p.at
			f.pending = slices.Delete(f.pending, 0, i+1)
			m.moveWatermark(at)
			i = -1
		}
	}
	if f.catching && m.scalars.Watermark != before {
		f.asked = 0 // it was answered, and done: on to the next one
		m.fetchFence()
	}
	m.checkErasing()
}

// complete tells whether everything that executes before the fence is applied here.
func (m *Machine) complete(p *pendingFence) bool {
	if m.mutated(MutateEarlyWatermark) {
		return true
	}
	if m.scalars.Watermark.Before(p.deps.Floor) {
		m.lag()
		return false
	}
	for ; p.next < len(p.deps.IDs); p.next++ {
		if !m.settled(p.deps.IDs[p.next], p.at) {
			return false
		}
	}
	return true
}

// settled tells whether a transaction is applied here, or never executes before a time.
func (m *Machine) settled(id TxnID, before Timestamp) bool {
	c := m.commands[id]
	if c == nil {
		_, forgotten := m.tombstones[id]
		return forgotten || id.Before(m.scalars.RedundantBefore)
	}
	switch c.rec.Status {
	case StatusInvalidated, StatusApplied:
		return true
	case StatusStable:
		return c.rec.ExecuteAt.After(before)
	}
	return false
}

// moveWatermark notes that everything up to a time is applied here. docs/protocol.md §7.4.
func (m *Machine) moveWatermark(to Timestamp) {
	invariant(to.After(m.scalars.Watermark), "watermark %s: told to move back to %s", m.scalars.Watermark, to)
	m.counters.Watermarks++
	m.scalars.Watermark = to
	m.scalars.ConflictFloor = maxTimestamp(m.scalars.ConflictFloor, to)
	m.recordScalars()
	m.fences.lagSince = 0
	m.retire()
	m.dropFences()
	m.releaseFloors()
	m.checkReads()
	m.checkWaits()
}

// lag notes that others have a higher watermark, which something here may be waiting for.
func (m *Machine) lag() {
	if m.fences.lagSince == 0 {
		m.fences.lagSince = m.now
	}
	m.watchFences()
}

// fetchFence asks a node that is further on for the way to the lowest watermark that is waited for here. That
// one first: what a higher one names may itself wait for it. If nothing is waited for, it asks for the way to
// where the others are: what they have applied without this node, nobody else may tell it.
func (m *Machine) fetchFence() {
	f := &m.fences
	m.fetchPast()
	target := m.wanted()
	if target.IsZero() {
		if m.open() {
			return
		}
		f.lagSince = 0
		return
	}
	if f.lagSince == 0 {
		f.lagSince = m.now
	}
	f.catching = f.catching && m.behind()
	if !f.catching && m.now < f.lagSince+2*m.cfg.FenceEvery || m.now < f.asked+m.cfg.RetryAfter {
		return
	}
	for i := range m.peers {
		// Start with another node each time.
		p := &m.peers[(i+int(m.counters.FenceFetches))%len(m.peers)]
		if p.node != m.cfg.Self && !p.watermark.Before(target) && !m.suspects(p) {
			f.asked, f.catching = m.now, true
			m.counters.FenceFetches++
			m.expect(p)
			target.Kind = KindFence // whatever it was that the watermark stopped at
			m.send(p.node, TxnID{target}, FenceFetch{})
			return
		}
	}
	target.Kind = KindFence
	pending := slices.ContainsFunc(f.pending, func(p pendingFence) bool { return p.at == target })
	if f.current == nil && !pending {
		// Who knew the way is gone. All later fences may wait for what waits for this one.
		f.asked = m.now
		m.counters.Fences++
		m.collect(TxnID{target})
	}
}

// behind tells whether some node's watermark is so far ahead that the fences to come do not make up for it.
func (m *Machine) behind() bool {
	for i := range m.peers {
		if m.peers[i].watermark.HLC > m.scalars.Watermark.HLC+4*m.cfg.FenceEvery {
			return true
		}
	}
	return false
}

// wanted returns the lowest watermark something here waits for, or else the highest of all, zero if that is
// this node's.
func (m *Machine) wanted() Timestamp {
	var lowest Timestamp
	consider := func(t Timestamp) {
		if t.After(m.scalars.Watermark) && (lowest.IsZero() || t.Before(lowest)) {
			lowest = t
		}
	}
	if len(m.exec.floors) > 0 {
		consider(m.exec.floors[0].rec.Deps.Floor)
	}
	for i := range m.fences.pending {
		consider(m.fences.pending[i].deps.Floor)
	}
	if lowest.IsZero() {
		for i := range m.peers {
			if t := m.peers[i].watermark; t.After(m.scalars.Watermark) {
				lowest = maxTimestamp(lowest, t)
			}
		}
	}
	return lowest
}

// onFenceFetch names all that executed between the asker's watermark and the one it wants. Any time up to this
// node's watermark serves as a fence: what executes before it is known here for ever.
func (m *Machine) onFenceFetch(from NodeID, id TxnID) {
	low := m.peers[m.rank(from)].watermark
	switch {
	case id.Kind == KindFenceX:
		m.onFenceXFetch(from, id)
		return
	case low.Before(m.historyFrom):
		m.owe(from, id, Nack{Reason: NackTruncated})
		return
	}
	high := id.Timestamp
	if high.After(m.scalars.Watermark) {
		high = m.scalars.Watermark
	}
	find := func(t Timestamp) int {
		i, found := slices.BinarySearchFunc(m.history, t, func(a applied, t Timestamp) int { return a.executeAt.Compare(t) })
		if found {
			i++
		}
		return i
	}
	i, j := find(low), find(high)
	if i >= j && !high.After(low) {
		return
	}
	if j > i+fenceFetchMax {
		j = i + fenceFetchMax
		high = m.history[j-1].executeAt
	}
	ids := make([]TxnID, 0, max(0, j-i))
	for _, a := range m.history[i:max(i, j)] {
		ids = append(ids, a.id)
	}
	m.owe(from, TxnID{high}, FenceCommit{Deps: NewDeps(low, ids)})
}
