package accordtest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"natsaccord/accord"
)

// Op is something a client did: a transaction, which sees the lists of its keys and appends its request to all of
// them or to none, or a read of one key.
type Op struct {
	Request    uint64 // names the transaction, whatever it was tried as; zero: a read
	Begin, End uint64 // when it was asked for and answered; End zero: it never was
	Keys       accord.Keys
	Refused    bool       // answered: it appended nothing, since a condition did not hold
	Never      bool       // answered: it did not happen and never will
	Seen       [][]uint64 // answered: the list of each key, as it found it
}

func (o *Op) String() string {
	kind := "a read"
	if o.Request != 0 {
		kind = fmt.Sprintf("request %d", o.Request)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d to %d", kind, o.Begin, o.End)
	for i, key := range o.Keys {
		if i < len(o.Seen) {
			fmt.Fprintf(&b, ", %s=%v", key, o.Seen[i])
		}
	}
	return b.String()
}

// CheckHistory tells whether a history is strictly serializable, given the lists as they stand in the end: whether
// all that was done could have been done by one client after another, in an order that puts whatever was answered
// before another was asked for before it. Since every list only grows and every request stands in it under its own
// name, the lists give away the order of what appended to them, and the first element that an operation has not
// seen is what it came before. What remains to be shown is that these orders, and that of time, have no circle.
func CheckHistory(ops []Op, lists map[accord.Key][]uint64) error {
	h := &history{ops: ops, lists: lists, writers: make(map[uint64]int)}
	for i, op := range ops {
		if op.Request != 0 {
			h.writers[op.Request] = i
		}
	}
	for i := range ops {
		if err := h.appended(&ops[i]); err != nil {
			return err
		}
		if err := h.seen(&ops[i]); err != nil {
			return err
		}
	}
	if err := h.known(); err != nil {
		return err
	}
	return h.acyclic()
}

// history is a history under examination.
type history struct {
	ops     []Op
	lists   map[accord.Key][]uint64
	writers map[uint64]int // by request: its index in ops
	after   [][]int        // for each op: ops that come after it
}

// appended checks that a request stands in the lists of all its keys, once, or of none, as its client was told.
func (h *history) appended(op *Op) error {
	if op.Request == 0 {
		return nil
	}
	found := 0
	for _, key := range op.Keys {
		count := 0
		for _, request := range h.lists[key] {
			if request == op.Request {
				count++
			}
		}
		if count > 1 {
			return violation("G6", "%v took effect %d times on %s", op, count, key)
		}
		found += count
	}
	switch answered := op.End != 0; {
	case found != 0 && found != len(op.Keys):
		return violation("I21", "%v stands in the lists of some of its keys only", op)
	case found != 0 && op.Never:
		return violation("I20", "%v was said never to happen, and did", op)
	case found != 0 && answered && op.Refused:
		return violation("I20", "%v was refused, and happened", op)
	case found == 0 && answered && !op.Refused && !op.Never:
		return violation("I20", "%v was acknowledged, and is lost", op)
	}
	return nil
}

// seen checks that what an operation saw was there once, and for a request that it saw all up to itself.
func (h *history) seen(op *Op) error {
	for i := range op.Seen {
		list, saw := h.lists[op.Keys[i]], op.Seen[i]
		if len(saw) > len(list) || !slices.Equal(saw, list[:len(saw)]) {
			return violation("I21", "%v: it has %v on %s, and in the end there is %v", op, saw, op.Keys[i], list)
		}
		if at := slices.Index(list, op.Request); op.Request != 0 && at >= 0 && at != len(saw) {
			return violation("I21", "%v: it saw %d elements of %s, and is the one at %d", op, len(saw), op.Keys[i], at)
		}
	}
	return nil
}

// known checks that everything in the lists was asked for, of those keys.
func (h *history) known() error {
	for key, list := range h.lists {
		for _, request := range list {
			i, asked := h.writers[request]
			if !asked || !slices.Contains(h.ops[i].Keys, key) {
				return violation("I21", "%s has request %d, for which nobody asked", key, request)
			}
		}
	}
	return nil
}

// acyclic checks that the operations can be put in one order. Those that were not answered and not seen came
// never, and take no part.
func (h *history) acyclic() error {
	moments := h.link()
	before := make([]int, len(h.after)) // how many are to come first
	for _, next := range h.after {
		for _, j := range next {
			before[j]++
		}
	}
	var free []int
	for i, n := range before {
		if n == 0 {
			free = append(free, i)
		}
	}
	done := 0
	for ; len(free) > 0; done++ {
		i := free[len(free)-1]
		free = free[:len(free)-1]
		for _, j := range h.after[i] {
			if before[j]--; before[j] == 0 {
				free = append(free, j)
			}
		}
	}
	if done == len(h.ops)+moments {
		return nil
	}
	return violation("I21", "no order of these explains what they saw:\n%s", h.circle(before))
}

// link notes who comes before whom. Behind the operations stand as many moments in time: each answer comes before
// its moment, each moment before the next one and before what was asked for after it.
func (h *history) link() (moments int) {
	h.after = make([][]int, len(h.ops))
	for _, key := range slices.Sorted(maps.Keys(h.lists)) {
		list := h.lists[key]
		for i := 1; i < len(list); i++ {
			h.before(h.writers[list[i-1]], h.writers[list[i]])
		}
		for i := range h.ops {
			h.linkReader(i, key, list)
		}
	}
	var ends []int
	for i := range h.ops {
		if op := &h.ops[i]; op.End != 0 && !op.Never {
			ends = append(ends, i)
		}
	}
	slices.SortFunc(ends, func(a, b int) int { return compareTime(h.ops[a].End, h.ops[b].End) })
	for k, i := range ends {
		moment := len(h.after)
		h.after = append(h.after, nil)
		h.before(i, moment)
		if k > 0 {
			h.before(moment-1, moment)
		}
		until := uint64(math.MaxUint64)
		if k+1 < len(ends) {
			until = h.ops[ends[k+1]].End
		}
		for j := range h.ops {
			if begin := h.ops[j].Begin; begin > h.ops[i].End && begin <= until {
				h.before(moment, j)
			}
		}
	}
	return len(ends)
}

// linkReader puts an operation that only saw a list between what it saw and the next element.
func (h *history) linkReader(i int, key accord.Key, list []uint64) {
	op := &h.ops[i]
	at := slices.Index(op.Keys, key)
	if at < 0 || at >= len(op.Seen) || op.Request != 0 && !op.Refused {
		return
	}
	saw := len(op.Seen[at])
	if saw > 0 {
		h.before(h.writers[list[saw-1]], i)
	}
	if saw < len(list) {
		h.before(i, h.writers[list[saw]])
	}
}

func (h *history) before(i, j int) { h.after[i] = append(h.after[i], j) }

// circle shows a circle among the operations that could not be put in order: those that still have before.
func (h *history) circle(before []int) string {
	at := slices.IndexFunc(before, func(n int) bool { return n > 0 })
	var path []int
	for !slices.Contains(path, at) {
		path = append(path, at)
		for i, next := range h.after { // somebody who is to come first, and cannot either
			if before[i] > 0 && slices.Contains(next, at) {
				at = i
				break
			}
		}
	}
	var b strings.Builder
	circle := path[slices.Index(path, at):]
	slices.Reverse(circle)
	for _, i := range circle {
		if i < len(h.ops) {
			fmt.Fprintf(&b, "  %v\n", &h.ops[i])
		}
	}
	return b.String()
}
