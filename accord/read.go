package accord

// reading is a linearizable read on its way. docs/protocol.md §7.1.
type reading struct {
	ref      uint64
	keys     Keys
	answered nodeSet
	deps     Deps
	started  uint64
	next     int       // deps.IDs before it are settled
	last     Timestamp // executeAt of the latest of these, if everything is read
	ready    bool
}

// readGiveUp is how many retransmissions a read gets before it is dropped.
const readGiveUp = 100

// ReadGiveUp returns after how long a Read that too few nodes answer is dropped, in microseconds: nothing says when its caller stops
// waiting. Who still waits then has to ask anew.
func (c Config) ReadGiveUp() uint64 { return readGiveUp * c.withDefaults().RetryAfter }

// read asks all nodes what a read of the keys must see: whatever was acknowledged before it began was
// registered at a slow quorum.
func (m *Machine) read(in Read) {
	id := TxnID{m.timestamp(KindRead)}
	r := &reading{ref: in.Ref, keys: in.Keys, started: m.now}
	m.reads[id] = r
	m.askRead(id, r)
}

func (m *Machine) askRead(id TxnID, r *reading) {
	for i := range m.peers {
		p := &m.peers[i]
		if r.answered.has(i) {
			continue
		}
		if p.node != m.cfg.Self {
			m.expect(p)
		}
		m.send(p.node, id, ReadDeps{Keys: r.keys})
	}
	m.wake(m.now+m.cfg.RetryAfter, timerRead, id)
}

func (m *Machine) tickRead(id TxnID) {
	r := m.reads[id]
	switch {
	case r == nil || r.ready:
	case m.now > r.started+m.cfg.ReadGiveUp():
		delete(m.reads, id)
	default:
		m.askRead(id, r)
	}
}

// onReadDeps names what a read of the keys must see, or of everything if it has none.
func (m *Machine) onReadDeps(from NodeID, id TxnID, msg ReadDeps) {
	deps := m.index.deps(id, msg.Keys, endOfTime(), m.scalars.Watermark)
	if len(msg.Keys) == 0 {
		deps = m.index.all(endOfTime(), m.scalars.Watermark)
	}
	m.owe(from, id, ReadDepsOK{Deps: deps})
}

func (m *Machine) onReadDepsOK(from NodeID, id TxnID, ok ReadDepsOK) {
	r := m.reads[id]
	if r == nil || r.ready || r.answered.has(m.rank(from)) {
		m.counters.Late++
		return
	}
	r.answered.add(m.rank(from))
	r.deps = r.deps.Union(ok.Deps)
	if r.answered.len() < m.slow {
		return
	}
	r.ready = true
	for _, dep := range r.deps.IDs {
		m.need(dep)
	}
	m.checkRead(id, r)
}

// checkReads lets reads go on whose writes are all applied here.
func (m *Machine) checkReads() {
	if len(m.reads) == 0 {
		return
	}
	var ids []TxnID
	for id := range m.reads {
		ids = append(ids, id)
	}
	for _, id := range NewDeps(Timestamp{}, ids).IDs {
		m.checkRead(id, m.reads[id])
	}
}

func (m *Machine) checkRead(id TxnID, r *reading) {
	if !r.ready {
		return
	}
	if m.scalars.Watermark.Before(r.deps.Floor) {
		m.lag()
		return
	}
	for ; r.next < len(r.deps.IDs); r.next++ {
		dep := r.deps.IDs[r.next]
		if !m.settled(dep, endOfTime()) {
			return
		}
		r.last = maxTimestamp(r.last, m.executedAt(dep))
	}
	// What was acknowledged is applied here. On one key nothing is missing before it; in the log something may
	// be, until the watermark has passed it.
	if len(r.keys) == 0 && r.last.After(m.scalars.Watermark) && !m.mutated(MutateEarlyRead) {
		m.demand(r.last)
		return
	}
	delete(m.reads, id)
	m.ready.Readable = append(m.ready.Readable, r.ref)
}

// executedAt returns when a transaction that is applied here executed; zero if it is invalidated, or forgotten
// below the watermark.
func (m *Machine) executedAt(id TxnID) Timestamp {
	if c := m.commands[id]; c != nil && c.rec.Status == StatusApplied {
		return c.rec.ExecuteAt
	}
	return Timestamp{}
}
