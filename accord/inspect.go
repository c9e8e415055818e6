package accord

import "iter"

// Record returns what the Machine holds about a transaction, and false if it holds nothing or has forgotten
// all but the outcome.
func (m *Machine) Record(id TxnID) (Record, bool) {
	c := m.commands[id]
	if c == nil {
		return Record{}, false
	}
	return c.rec, true
}

// Records returns every Record the Machine holds, in no order.
func (m *Machine) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for _, c := range m.commands {
			if !yield(c.rec) {
				return
			}
		}
	}
}

// Tombstones returns the outcomes of the transactions that are forgotten, in no order: executeAt, or zero for
// the invalidated ones.
func (m *Machine) Tombstones() iter.Seq2[TxnID, Timestamp] {
	return func(yield func(TxnID, Timestamp) bool) {
		for id, t := range m.tombstones {
			if !yield(id, t) {
				return
			}
		}
	}
}

// Scalars returns the Machine's durable scalars as they are now.
func (m *Machine) Scalars() Scalars { return m.scalars }

// Sizes are how many transactions a Machine remembers, and as what.
type Sizes struct {
	Commands   int // all whose record is held
	Live       int // of these, in the conflict index: undecided, or not below the watermark
	Kept       int // of these, over, and kept for nodes that may still ask
	Tombstones int // of which only the outcome is held
	History    int // known by when they executed
}

// Sizes returns how much the Machine remembers. It comes to rest at next to nothing: docs/protocol.md §10.2 I25.
func (m *Machine) Sizes() Sizes {
	return Sizes{len(m.commands), len(m.index.live), len(m.kept), len(m.tombstones), len(m.history)}
}

// Live returns how many transactions are in the conflict index.
func (m *Machine) Live() int { return len(m.index.live) }
