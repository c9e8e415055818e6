package accordtest

import (
	"slices"

	"natsaccord/accord"
)

// histories writes down what clients asked for and were told, and checks at the end that it is strictly
// serializable (G3, I21), that every request took effect at most once (G6), and that what was told is so (I20).
type histories struct {
	clock    uint64 // counts events
	requests map[uint64]*tried
	order    []*tried                // as they came
	keys     accord.Keys             // of all of them
	refs     map[uint64]*tried       // by the Ref of an attempt
	attempts map[accord.TxnID]*tried // by its TxnID
	never    map[accord.TxnID]bool   // attempts that are said never to happen
	reads    map[uint64]pendingOp    // by Ref
	done     []Op                    // reads that were answered, one for each key
}

// tried is a request and what became of the attempts at it.
type tried struct {
	op     Op
	answer *Outcome
	open   int // attempts that may still happen, for all the client knows
}

type pendingOp struct {
	begin uint64
	keys  accord.Keys
}

func newHistories() *histories {
	return &histories{
		requests: map[uint64]*tried{}, reads: map[uint64]pendingOp{}, refs: map[uint64]*tried{},
		attempts: map[accord.TxnID]*tried{}, never: map[accord.TxnID]bool{},
	}
}

func (h *histories) observe(e event) error {
	h.clock++
	switch e := e.(type) {
	case submitted:
		h.submit(e)
	case started:
		h.attempts[e.id] = h.refs[e.ref]
	case acknowledged:
		return h.acknowledge(e)
	case aborted:
		h.abort(e)
	case asked:
		h.reads[e.ref] = pendingOp{h.clock, e.keys}
	case readable:
		h.read(e)
	case finished:
		return h.check(e.nodes)
	}
	return nil
}

func (h *histories) submit(e submitted) {
	request := requestOf(e.in.Txn)
	t := h.requests[request]
	if t == nil {
		keys := slices.DeleteFunc(slices.Clone(e.in.Txn.Keys), func(key accord.Key) bool { return key == requestKey(request) })
		t = &tried{op: Op{Request: request, Begin: h.clock, Keys: keys}}
		h.requests[request] = t
		h.order = append(h.order, t)
		h.keys = accord.NewKeys(append(slices.Clone(h.keys), keys...))
	}
	t.open++
	h.refs[e.in.Ref] = t
}

// acknowledge notes the first answer, and checks that all later ones say the same.
func (h *histories) acknowledge(e acknowledged) error {
	t := h.refs[e.ref]
	answer := e.outcome
	answer.Repeated = false
	if t.answer == nil {
		t.answer = &answer
		t.op.End, t.op.Refused, t.op.Seen = h.clock, answer.Refused, answer.Seen
		return nil
	}
	if !t.answer.same(answer) {
		return violation("G6", "request %d is answered %v, and before %v", t.op.Request, answer, *t.answer)
	}
	return nil
}

// abort notes that an attempt never happens. If it was the last that might have, the request does not either.
func (h *histories) abort(e aborted) {
	if t := h.attempts[e.id]; t != nil && !h.never[e.id] {
		h.never[e.id] = true
		t.open--
	}
}

func (h *histories) read(e readable) {
	r := h.reads[e.ref]
	state := e.node.store.live.state
	if len(r.keys) == 0 {
		// A reader of everything looks at the log, up to the watermark. Each key is a read of its own: unrelated
		// requests may stand in the log the other way round than they were answered (docs/protocol.md §7.6).
		for _, key := range h.keys {
			h.saw(r.begin, key, state.upTo(key, e.node.machine.Scalars().Watermark))
		}
	}
	for _, key := range r.keys {
		h.saw(r.begin, key, state[key].list)
	}
}

func (h *histories) saw(begin uint64, key accord.Key, list []uint64) {
	h.done = append(h.done, Op{Begin: begin, End: h.clock, Keys: accord.Keys{key}, Seen: [][]uint64{list}})
}

func (h *histories) check(nodes []*Node) error {
	ops := h.done
	for _, t := range h.order {
		if t.answer == nil && t.open == 0 {
			t.op.End, t.op.Never = h.clock, true
		}
		ops = append(ops, t.op)
	}
	return CheckHistory(ops, nodes[0].store.live.state.lists())
}
