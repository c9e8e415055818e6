package accord

import "slices"

// applied is one line of the history of what was applied at or below the watermark.
type applied struct {
	executeAt Timestamp
	id        TxnID
}

// retire takes what the watermark covers out of the conflict index, and into the history.
// docs/protocol.md §8.1.
func (m *Machine) retire() {
	w := m.scalars.Watermark
	start := len(m.history)
	for id, c := range m.index.live {
		if id.After(w) || !c.rec.Status.Decided() || c.binds(w) {
			continue
		}
		m.index.remove(c)
		m.kept = append(m.kept, c)
		if c.rec.Status == StatusApplied {
			m.history = append(m.history, applied{c.rec.ExecuteAt, id})
		}
	}
	slices.SortFunc(m.history[start:], func(a, b applied) int { return a.executeAt.Compare(b.executeAt) })
	m.forget()
	m.watchErasing()
}

// forgettable returns up to when nobody will ask for what was applied: all nodes have applied it, or those that
// have not have been away for so long that they have to catch up from the log.
func (m *Machine) forgettable() Timestamp {
	lowest := m.scalars.Watermark
	for i := range m.peers {
		if p := &m.peers[i]; p.node != m.cfg.Self && p.watermark.Before(lowest) {
			lowest = p.watermark
		}
	}
	if n := len(m.history); n > m.cfg.KeptMax {
		lowest = maxTimestamp(lowest, m.history[n-m.cfg.KeptMax-1].executeAt)
	}
	if old := (Timestamp{HLC: m.now - min(m.now, m.cfg.Retain)}); old.Before(m.scalars.Watermark) {
		old.Epoch = m.scalars.Watermark.Epoch
		lowest = maxTimestamp(lowest, old)
	}
	return lowest
}

// forget drops the records that nobody will ask for. What is left is a tombstone, until an exclusive fence
// makes that superfluous too.
func (m *Machine) forget() {
	lowest := m.forgettable()
	if !lowest.After(m.fences.forgot) {
		return
	}
	m.fences.forgot = lowest
	m.trimHistory(lowest)
	still := m.kept[:0]
	for _, c := range m.kept {
		if c.rec.ExecuteAt.After(lowest) || c.rec.ID.After(lowest) {
			still = append(still, c)
			continue
		}
		m.counters.Forgets++
		delete(m.commands, c.rec.ID)
		if c.rec.ID.Before(m.scalars.RedundantBefore) || m.mutated(MutateEraseEarly) {
			continue
		}
		m.tombstones[c.rec.ID] = Timestamp{}
		if c.rec.Status == StatusApplied {
			m.tombstones[c.rec.ID] = c.rec.ExecuteAt
		}
	}
	clear(m.kept[len(still):])
	m.kept = still
}
