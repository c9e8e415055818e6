package accordtest

import (
	"encoding/binary"
	"maps"
	"slices"
	"strconv"

	"natsaccord/accord"
)

// state is a deterministic toy of a database: under each key a list, to which transactions append their request's
// number and which they read. So the order of transactions, what is left out and what is done twice show in it.
type state map[accord.Key]chain

// chain is what stands under a key.
type chain struct {
	list   []uint64           // shared with Outcomes, so never changed in place
	times  []accord.Timestamp // when each of them executed
	last   accord.Timestamp   // highest executeAt applied, refused ones included
	answer *Outcome           // if the key is a request's: what its client is told, however often it asks
}

// Outcome is what a transaction's client is told.
type Outcome struct {
	Refused  bool       // a condition did not hold, so nothing was appended
	Repeated bool       // the request had been executed before, and this is what came of it then
	Seen     [][]uint64 // the list of each of its keys but the request's, as it found them
}

func (o Outcome) same(p Outcome) bool {
	return o.Refused == p.Refused && o.Repeated == p.Repeated && slices.EqualFunc(o.Seen, p.Seen, slices.Equal[[]uint64])
}

// newTxn returns a transaction for a request. With once, the request is one of its keys, and takes effect once
// however often it is sent.
func newTxn(request uint64, keys accord.Keys, conditional, once bool) *accord.Txn {
	body := []byte{0}
	if conditional {
		body[0] = 1
	}
	if once {
		keys = append(slices.Clone(keys), requestKey(request))
	}
	return &accord.Txn{Keys: accord.NewKeys(keys), Body: binary.BigEndian.AppendUint64(body, request)}
}

func requestKey(request uint64) accord.Key {
	return accord.Key("r" + strconv.FormatUint(request, 10))
}

// requestOf returns the request that a transaction was made for.
func requestOf(txn *accord.Txn) uint64 { return binary.BigEndian.Uint64(txn.Body[1:]) }

// apply evaluates a transaction. Its condition, if it has one, is that its first key's list has an even length.
func (s state) apply(rec accord.Record) Outcome {
	request := requestOf(rec.Txn)
	own := requestKey(request)
	if done := s[own].answer; done != nil {
		for _, key := range rec.Txn.Keys {
			s.touch(key, rec.ExecuteAt)
		}
		return Outcome{Refused: done.Refused, Repeated: true, Seen: done.Seen}
	}
	conditional := rec.Txn.Body[0] == 1
	out := Outcome{}
	for _, key := range rec.Txn.Keys {
		s.touch(key, rec.ExecuteAt)
		if key != own {
			out.Refused = out.Refused || conditional && len(out.Seen) == 0 && len(s[key].list)%2 == 1
			out.Seen = append(out.Seen, s[key].list)
		}
	}
	for _, key := range rec.Txn.Keys {
		c := s[key]
		if key == own {
			c.answer = &out
		} else if !out.Refused {
			c.list = append(slices.Clip(c.list), request)
			c.times = append(slices.Clip(c.times), rec.ExecuteAt)
		}
		s[key] = c
	}
	return out
}

func (s state) touch(key accord.Key, at accord.Timestamp) {
	c := s[key]
	c.last = at
	s[key] = c
}

// upTo returns what stands under a key as it was after everything that executed at or before a time.
func (s state) upTo(key accord.Key, t accord.Timestamp) []uint64 {
	c := s[key]
	n := len(c.times)
	for n > 0 && c.times[n-1].After(t) {
		n--
	}
	return c.list[:n]
}

// lists returns what stands under the keys that have lists.
func (s state) lists() map[accord.Key][]uint64 {
	lists := make(map[accord.Key][]uint64)
	for key, c := range s {
		if len(c.list) > 0 {
			lists[key] = c.list
		}
	}
	return lists
}

// digest returns a hash of everything.
func (s state) digest() uint64 {
	var h uint64
	for _, key := range slices.Sorted(maps.Keys(s)) {
		h = mix(h, []byte(key))
		for _, request := range s[key].list {
			h = mix(h, binary.BigEndian.AppendUint64(nil, request))
		}
		if answer := s[key].answer; answer != nil && answer.Refused {
			h = mix(h, []byte{1})
		}
	}
	return h
}

// mix is FNV-1a, continued from h.
func mix(h uint64, b []byte) uint64 {
	h ^= 14695981039346656037
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
