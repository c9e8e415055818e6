package accordtest

import (
	"maps"
	"slices"

	"natsaccord/accord"
)

// state is a deterministic toy of a database: per key, how many transactions were appended and a hash of
// them in order. It is sensitive to everything a real one would be: the order, what is left out, what is done
// twice.
type state map[accord.Key]chain

type chain struct {
	length int
	hash   uint64
	last   accord.Timestamp // highest executeAt applied, refused ones included
}

// Outcome is what a transaction's client is told.
type Outcome struct {
	Refused bool   // a condition did not hold, so nothing was appended
	Seen    uint64 // a hash of the keys as the transaction found them
}

// apply evaluates a transaction. One whose body starts with an odd byte has a condition: its first key's
// length must be even.
func (s state) apply(rec accord.Record) Outcome {
	keys := rec.Txn.Keys
	out := Outcome{Seen: s.hash(keys)}
	if body := rec.Txn.Body; len(body) > 0 && body[0]%2 == 1 && len(keys) > 0 {
		out.Refused = s[keys[0]].length%2 == 1
	}
	at := rec.ExecuteAt.AppendBinary(rec.ID.AppendBinary(nil))
	for _, key := range keys {
		c := s[key]
		c.last = rec.ExecuteAt
		if !out.Refused {
			c.length, c.hash = c.length+1, mix(c.hash, at)
		}
		s[key] = c
	}
	return out
}

// hash returns a hash of keys, which are sorted, as they stand.
func (s state) hash(keys accord.Keys) uint64 {
	var h uint64
	for _, key := range keys {
		h = mix(h^s[key].hash, []byte(key))
	}
	return h
}

func (s state) digest() uint64 {
	return s.hash(accord.NewKeys(slices.Collect(maps.Keys(s))))
}

// mix is FNV-1a, continued from h.
func mix(h uint64, b []byte) uint64 {
	h ^= 14695981039346656037
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
