package accord

// demand sees to it that the watermark gets to a time that somebody here waits for. After an interval without
// fences one is issued at once, so that whoever waits in a quiet cluster does not wait for the interval. It lies
// no later than it must: it pushes off the fast path only what was proposed before the time waited for and is
// not voted on yet. In a busy cluster the next fences get there by themselves. docs/protocol.md §7.5.
func (m *Machine) demand(at Timestamp) {
	f := &m.fences
	if !at.After(m.scalars.Watermark) || at.HLC > m.now+m.cfg.MaxSkew {
		return
	}
	f.demanded = maxTimestamp(f.demanded, at)
	if f.current == nil && m.quiet() && !m.pendingBeyond(at) {
		m.issueFence()
	}
	m.watchFences()
}

// demanded tells whether somebody waits for a higher watermark.
func (m *Machine) demanded() bool { return m.fences.demanded.After(m.scalars.Watermark) }

// quiet tells whether no fence was committed for an interval.
func (m *Machine) quiet() bool { return m.now >= m.fences.moved+m.cfg.FenceEvery }

// pendingBeyond tells whether a fence at or after a time only waits for what it names.
func (m *Machine) pendingBeyond(at Timestamp) bool {
	n := len(m.fences.pending)
	return n > 0 && !m.fences.pending[n-1].at.Before(at)
}
