package history

import (
	"cmp"
	"slices"
)

// none is the key of an edge that no key is the reason of.
const none = -1

// depend makes the graph of all dependencies that follow from what was observed.
func (o *observer) depend() *graph {
	g := newGraph(len(o.txns))
	for key, l := range o.keys {
		o.dependOn(g, key, l)
	}
	o.dependInTime(g)
	return g
}

// dependOn adds the dependencies that one key makes.
func (o *observer) dependOn(g *graph, key int, l *list) {
	for i := 1; i < len(l.order); i++ {
		if before, after, ok := l.writersAt(i-1, i); ok {
			g.add(before, after, Ww, key)
		}
	}
	tail := newTail(g, key, l)
	if w, known := l.writerAt(len(l.order) - 1); known {
		tail.follow(w, Ww)
	}
	for _, r := range l.reads {
		if w, known := l.writerAt(r.length - 1); known {
			g.add(w, r.txn, Wr, key)
		}
		if r.bound {
			continue // it may have seen more
		}
		if w, known := l.writerAt(r.length); known {
			g.add(r.txn, w, Rw, key)
		} else if r.length == len(l.order) {
			tail.follow(r.txn, Rw)
		}
	}
}

// writerAt returns who wrote the value at a place of the order.
func (l *list) writerAt(i int) (int32, bool) {
	if i < 0 || i >= len(l.order) {
		return 0, false
	}
	w, known := l.writers[l.order[i]]
	return w.txn, known
}

func (l *list) writersAt(i, j int) (int32, int32, bool) {
	a, knowA := l.writerAt(i)
	b, knowB := l.writerAt(j)
	return a, b, knowA && knowB
}

// tailOf is what follows the longest list that was read: the transactions whose values nobody read, in whatever
// order. For each of them it has a step that leads to all up to it, and one that leads to all from it on, so that
// whoever comes before them all, or is one of them and comes before the others, needs two edges at most.
type tailOf struct {
	g      *graph
	key    int
	unseen []int32
	upTo   []int32
	from   []int32
}

func newTail(g *graph, key int, l *list) *tailOf {
	e := &tailOf{g: g, key: key, unseen: l.unseen}
	for i, txn := range l.unseen {
		e.upTo, e.from = append(e.upTo, g.step()), append(e.from, g.step())
		g.add(e.upTo[i], txn, Ww, key)
		g.add(e.from[i], txn, Ww, key)
		if i > 0 {
			g.add(e.upTo[i], e.upTo[i-1], Ww, key)
			g.add(e.from[i-1], e.from[i], Ww, key)
		}
	}
	return e
}

// follow has all unseen transactions come after txn, unless it is one of them.
func (e *tailOf) follow(txn int32, kind EdgeKind) {
	at, itself := slices.BinarySearch(e.unseen, txn)
	if !itself && len(e.unseen) > 0 {
		e.g.add(txn, e.from[0], kind, e.key)
	}
	if itself && at > 0 {
		e.g.add(txn, e.upTo[at-1], kind, e.key)
	}
	if itself && at+1 < len(e.unseen) {
		e.g.add(txn, e.from[at+1], kind, e.key)
	}
}

// moment is when a transaction was asked for, or had returned.
type moment struct {
	at      int64
	returns bool
	txn     int32
}

// dependInTime adds that a transaction which had returned comes before those asked for later. Whatever has returned
// by some moment leads to a step, the steps lead to each other in order, and to what was asked for in between.
func (o *observer) dependInTime(g *graph) {
	var moments []moment
	for i := range o.txns {
		if !o.happened[i] {
			continue
		}
		moments = append(moments, moment{o.txns[i].Invoke, false, int32(i)})
		if o.txns[i].Outcome != Unknown {
			moments = append(moments, moment{o.txns[i].Return, true, int32(i)})
		}
	}
	slices.SortFunc(moments, func(a, b moment) int {
		if c := cmp.Compare(a.at, b.at); c != 0 || a.returns == b.returns {
			return c
		}
		if a.returns {
			return 1 // at the same moment they are concurrent
		}
		return -1
	})
	step, used := int32(-1), true
	for _, m := range moments {
		switch {
		case m.returns && used:
			before := step
			if step, used = g.step(), false; before >= 0 {
				g.add(before, step, Rt, none)
			}
			g.add(m.txn, step, Rt, none)
		case m.returns:
			g.add(m.txn, step, Rt, none)
		case step >= 0:
			g.add(step, m.txn, Rt, none)
			used = true
		}
	}
}
