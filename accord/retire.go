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
}

// forget drops the records that no node can ask for any more: those that all nodes have applied. What is
// left is a tombstone.
func (m *Machine) forget() {
	lowest := m.scalars.Watermark
	for i := range m.peers {
		if p := &m.peers[i]; p.node != m.cfg.Self && p.watermark.Before(lowest) {
			lowest = p.watermark
		}
	}
	if !lowest.After(m.fences.forgot) {
		return
	}
	m.fences.forgot = lowest
	still := m.kept[:0]
	for _, c := range m.kept {
		if c.rec.ExecuteAt.After(lowest) || c.rec.ID.After(lowest) {
			still = append(still, c)
			continue
		}
		m.counters.Forgets++
		m.tombstones[c.rec.ID] = Timestamp{}
		if c.rec.Status == StatusApplied {
			m.tombstones[c.rec.ID] = c.rec.ExecuteAt
		}
		delete(m.commands, c.rec.ID)
	}
	clear(m.kept[len(still):])
	m.kept = still
}
