package accord

import "slices"

// conflicts knows which registered transactions touch a key. A transaction is in it from its registration
// until it is retired.
type conflicts struct {
	keys map[Key]*keyConflicts
	live map[TxnID]*command
}

// keyConflicts are the transactions on one key.
type keyConflicts struct {
	commands []*command // by TxnID
	maxWrite Timestamp  // highest t0, vote or executeAt of the writes
	maxAny   Timestamp  // the same of all
}

func newConflicts() conflicts {
	return conflicts{keys: make(map[Key]*keyConflicts), live: make(map[TxnID]*command)}
}

func compareCommand(c *command, id TxnID) int { return compareTxnID(c.rec.ID, id) }

// add registers c, whose Txn is known.
func (x *conflicts) add(c *command) {
	x.live[c.rec.ID] = c
	for _, key := range c.rec.Txn.Keys {
		on := x.keys[key]
		if on == nil {
			on = &keyConflicts{}
			x.keys[key] = on
		}
		i, _ := slices.BinarySearchFunc(on.commands, c.rec.ID, compareCommand)
		on.commands = slices.Insert(on.commands, i, c)
	}
	x.raise(c)
}

// raise makes later votes on c's keys go above everything c's record holds.
func (x *conflicts) raise(c *command) {
	t := maxTimestamp(c.rec.ID.Timestamp, maxTimestamp(c.rec.Vote, c.rec.ExecuteAt))
	for _, key := range c.rec.Txn.Keys {
		on := x.keys[key]
		if on == nil {
			continue // retired
		}
		on.maxAny = maxTimestamp(on.maxAny, t)
		if c.rec.ID.Kind == KindWrite {
			on.maxWrite = maxTimestamp(on.maxWrite, t)
		}
	}
}

// remove takes c out. What the node's conflict floor covers needs no other memory: the highest t0 and
// executeAt of a key without transactions are at or below it, and votes alone bind nobody.
func (x *conflicts) remove(c *command) {
	delete(x.live, c.rec.ID)
	for _, key := range c.rec.Txn.Keys {
		on := x.keys[key]
		if i, ok := slices.BinarySearchFunc(on.commands, c.rec.ID, compareCommand); ok {
			on.commands = slices.Delete(on.commands, i, i+1)
		}
		if len(on.commands) == 0 {
			delete(x.keys, key)
		}
	}
}

// max returns the highest timestamp of a transaction that one of the given kind and keys conflicts with.
func (x *conflicts) max(kind Kind, keys Keys) Timestamp {
	var t Timestamp
	for _, key := range keys {
		switch on := x.keys[key]; {
		case on == nil:
		case kind == KindWrite:
			t = maxTimestamp(t, on.maxAny)
		default:
			t = maxTimestamp(t, on.maxWrite)
		}
	}
	return t
}

// deps returns the transactions on keys that one called id must wait for if it executes before bound.
// Those applied at or below the watermark are covered by the floor. docs/protocol.md §3.1 calcDeps.
func (x *conflicts) deps(id TxnID, keys Keys, bound, watermark Timestamp) Deps {
	var ids []TxnID
	for _, key := range keys {
		on := x.keys[key]
		if on == nil {
			continue
		}
		for _, c := range on.commands {
			if !c.rec.ID.Before(bound) {
				break
			}
			if c.rec.ID != id && id.Kind.witnesses(c.rec.ID.Kind) && c.binds(watermark) {
				ids = append(ids, c.rec.ID)
			}
		}
	}
	return NewDeps(watermark, ids)
}

// all returns every live transaction before a fence.
func (x *conflicts) all(fence, watermark Timestamp) Deps {
	var ids []TxnID
	for id, c := range x.live {
		if id.Before(fence) && c.binds(watermark) {
			ids = append(ids, id)
		}
	}
	return NewDeps(watermark, ids)
}
