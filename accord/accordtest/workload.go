package accordtest

import (
	"math/rand/v2"
	"slices"
	"strconv"

	"natsaccord/accord"
)

// workload is what clients do.
type workload struct {
	patience uint64 // mean time until a client that has no answer turns to another node; zero: it never does
	requests []request
	refs     []int                // by the Ref of an attempt, less one: which request it is for
	attempts map[accord.TxnID]int // the same
	open     int                  // requests that are not settled
	due      int                  // which request is to be made next; -1: none
	sought   bool                 // due has been looked for
}

// request is one transaction or read of a client.
type request struct {
	at     uint64        // when to turn to a node, for the first time or again
	node   accord.NodeID // to this one; zero: to any
	client int           // has one request at a time; zero: as many as it likes
	txn    *accord.Txn   // nil: a read
	keys   accord.Keys
	late   bool // the transaction must execute after everything any client has seen

	tries    int
	settled  bool // its client waits for it no more
	asked    uint64
	answered uint64 // zero: not yet
	never    bool   // answered: it did not happen and will not
}

// Order is a request that is laid down.
type Order struct {
	At   uint64        // since the run began
	Node accord.NodeID // the first that is asked; if it is down, any other
	Keys []accord.Key
	Read bool
}

// Answer tells what came of a request, in the order they were planned.
type Answer struct {
	Asked, Answered uint64 // microseconds since the run began; Answered zero: never
	Never           bool   // the answer was that it does not happen
}

// Clients that get no answer give up, as long as there are faults, and are patient when there are none.
const (
	triesMax      = 4  // attempts at one request
	triesSpare    = 40 // attempts of all clients beyond the first ones
	quietPatience = accord.Second
)

// newWorkload plans all requests: those laid down, or else some at random times.
func newWorkload(r *rand.Rand, o Options) workload {
	w := workload{patience: o.Patience, attempts: map[accord.TxnID]int{}}
	if len(o.Orders) > 0 {
		w.layDown(o.Orders)
	} else {
		w.draw(r, o)
	}
	w.open = len(w.requests)
	return w
}

func (w *workload) draw(r *rand.Rand, o Options) {
	at := uint64(epochStart)
	for left, reads := o.Txns, o.Reads; left+reads > 0; {
		at += uint64(r.ExpFloat64() * float64(o.Every))
		q := request{at: at, keys: someKeys(r, o)}
		if o.Clients > 0 {
			q.client = 1 + r.IntN(o.Clients)
		}
		if r.IntN(left+reads) < reads {
			reads--
		} else {
			left--
			q.late = r.IntN(8) == 0
			q.txn = newTxn(uint64(len(w.requests)+1), q.keys, r.IntN(2) == 0, o.Patience > 0)
		}
		w.requests = append(w.requests, q)
	}
}

// layDown plans orders.
func (w *workload) layDown(orders []Order) {
	for i, order := range orders {
		q := request{at: epochStart + order.At, node: order.Node, keys: accord.NewKeys(slices.Clone(order.Keys))}
		if !order.Read {
			q.txn = newTxn(uint64(i+1), q.keys, false, false)
		}
		w.requests = append(w.requests, q)
	}
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
	if !w.sought {
		w.due, w.sought = w.seek(), true
	}
	if w.due < 0 {
		return 0, false
	}
	return w.requests[w.due].at, true
}

// seek looks for the next request: the earliest of those whose clients have nothing else to wait for.
func (w *workload) seek() int {
	due := -1
	busy := make(map[int]bool)
	for i := range w.requests {
		q := &w.requests[i]
		if q.settled || q.client != 0 && busy[q.client] {
			continue
		}
		busy[q.client] = true
		if due < 0 || q.at < w.requests[due].at {
			due = i
		}
	}
	return due
}

func (w *workload) settle(q *request) {
	if !q.settled {
		q.settled = true
		w.open--
	}
	w.sought = false
}

// observe takes note of answers.
func (w *workload) observe(now uint64, e event) {
	switch e := e.(type) {
	case started:
		w.attempts[e.id] = w.refs[e.ref-1]
	case acknowledged:
		w.answer(now, w.refs[e.ref-1], false)
	case readable:
		w.answer(now, w.refs[e.ref-1], false)
	case aborted:
		if i, known := w.attempts[e.id]; known && w.patience == 0 {
			w.answer(now, i, true)
		} else if known {
			w.soon(now, i)
		}
	case forgotten:
		if i, known := w.attempts[e.id]; known && w.patience > 0 {
			w.soon(now, i)
		}
	}
}

// soon has a client try again that has been told to.
func (w *workload) soon(now uint64, i int) {
	w.requests[i].at, w.sought = min(now+w.patience, w.requests[i].at), false
}

func (w *workload) answer(now uint64, i int, never bool) {
	q := &w.requests[i]
	if q.answered == 0 {
		q.answered, q.never = now, never
	}
	w.settle(q)
}

// answers reports on all requests.
func (w *workload) answers() []Answer {
	var all []Answer
	for _, q := range w.requests {
		a := Answer{Asked: q.asked - epochStart, Never: q.never}
		if q.answered > 0 {
			a.Answered = q.answered - epochStart
		}
		all = append(all, a)
	}
	return all
}

// request has a client turn to a node. If that one is down, it turns to another later.
func (s *Sim) request() {
	w := &s.load
	i := w.due
	q := &w.requests[i]
	m := s.turnTo(q.node)
	w.sought, q.node = false, 0
	if !m.up() || m.paused {
		q.at = s.now + s.around(1+s.o.Every)
		return
	}
	if q.tries++; q.tries == 1 {
		q.asked = s.now
	}
	w.refs = append(w.refs, i)
	if q.tries > 1 && q.txn != nil {
		s.stats.Retried++
	}
	switch {
	case w.patience == 0 || !s.quiet && (q.tries == triesMax || len(w.refs) >= len(w.requests)+triesSpare):
		w.settle(q)
	case s.quiet:
		q.at = s.now + max(w.patience, quietPatience)
	default:
		q.at = s.now + s.around(w.patience<<q.tries) + 1
	}
	ref := uint64(len(w.refs))
	if q.txn == nil && ref%4 == 1 { // follows the log
		m.demand(m.time(s.now), s.checker.clients.latest)
	}
	switch {
	case q.txn == nil && ref%4 == 0:
		m.read(m.time(s.now), ref, nil) // of everything
	case q.txn == nil:
		m.read(m.time(s.now), ref, q.keys)
	case q.late:
		m.submit(m.time(s.now), accord.Submit{Ref: ref, Txn: q.txn, After: s.checker.clients.latest})
	default:
		m.submit(m.time(s.now), accord.Submit{Ref: ref, Txn: q.txn})
	}
}

// turnTo returns the node a client turns to.
func (s *Sim) turnTo(id accord.NodeID) *member {
	if id != 0 {
		return s.member(id)
	}
	return s.anyNode()
}

// insist has the clients that gave up, but could try again, do so until they are answered.
func (w *workload) insist(now uint64) {
	for i := range w.requests {
		if q := &w.requests[i]; w.patience > 0 && q.settled && q.answered == 0 {
			q.settled, q.at = false, now
			w.open++
		}
	}
	w.sought = false
}
