package accordtest

import (
	"math/rand/v2"
	"strconv"

	"natsaccord/accord"
)

// workload is what clients do.
type workload struct {
	requests []request
	done     int
}

// request is one transaction or read of a client.
type request struct {
	at   uint64
	txn  *accord.Txn // nil: a read
	keys accord.Keys
	late bool // the transaction must execute after everything any client has seen
}

// newWorkload plans all requests, at random times.
func newWorkload(r *rand.Rand, o Options) workload {
	var w workload
	at := uint64(epochStart)
	for left, reads := o.Txns, o.Reads; left+reads > 0; {
		at += uint64(r.ExpFloat64() * float64(o.Every))
		q := request{at: at, keys: someKeys(r, o)}
		if r.IntN(left+reads) < reads {
			reads--
		} else {
			left--
			q.late = r.IntN(8) == 0
			q.txn = &accord.Txn{Keys: q.keys, Body: []byte{byte(r.IntN(256))}}
		}
		w.requests = append(w.requests, q)
	}
	return w
}

func someKeys(r *rand.Rand, o Options) accord.Keys {
	var keys []accord.Key
	for range 1 + r.IntN(o.KeysMax) {
		if o.ColdKeys == 0 || r.Float64() < o.Hot {
			keys = append(keys, accord.Key("h"+strconv.Itoa(r.IntN(o.HotKeys))))
		} else {
			keys = append(keys, accord.Key("c"+strconv.Itoa(r.IntN(o.ColdKeys))))
		}
	}
	return accord.NewKeys(keys)
}

// next returns when the next request is due.
func (w *workload) next() (uint64, bool) {
	if w.done == len(w.requests) {
		return 0, false
	}
	return w.requests[w.done].at, true
}

// request has a client turn to a random node. If that one is down, it tries again later.
func (s *Sim) request() {
	q := &s.load.requests[s.load.done]
	m := s.anyNode()
	if !m.up() || m.paused {
		q.at = s.now + s.around(1+s.o.Every)
		return
	}
	s.load.done++
	ref := uint64(s.load.done)
	switch {
	case q.txn == nil:
		m.read(m.time(s.now), ref, q.keys)
	case q.late:
		m.submit(m.time(s.now), accord.Submit{Ref: ref, Txn: q.txn, After: s.checker.clients.latest})
	default:
		m.submit(m.time(s.now), accord.Submit{Ref: ref, Txn: q.txn})
	}
}
