package accord

import (
	"slices"
)

// Key is something two transactions can conflict over: a stream, a request id, an event id. The core only
// compares keys; what they mean is their maker's business.
type Key string

// Keys is a sorted set of keys. It is immutable.
type Keys []Key

// NewKeys returns keys as a set. It takes over the slice.
func NewKeys(keys []Key) Keys {
	slices.Sort(keys)
	return Keys(slices.Compact(keys))
}

// Intersects tells whether k and l share a key.
func (k Keys) Intersects(l Keys) bool {
	for i, j := 0, 0; i < len(k) && j < len(l); {
		switch {
		case k[i] == l[j]:
			return true
		case k[i] < l[j]:
			i++
		default:
			j++
		}
	}
	return false
}

// Txn is a one-shot transaction: the keys its evaluation may touch, and a body that the core never looks
// into. Keys and Body travel together, so whoever knows a transaction's keys can also execute it. A Txn is
// immutable. Whether it reads or writes is its TxnID's Kind.
type Txn struct {
	Keys Keys
	Body []byte
}

// fences tells whether k is a fence's.
func (k Kind) fences() bool { return k == KindFence || k == KindFenceX }

// witnesses tells whether a transaction of kind x must depend on one of kind r that it shares a key with
// and that executes first. docs/protocol.md §2.2.
func (x Kind) witnesses(r Kind) bool {
	switch {
	case r.fences():
		return false
	case x.fences():
		return true
	}
	return x == KindWrite || r == KindWrite
}
