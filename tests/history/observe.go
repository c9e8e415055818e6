package history

import (
	"fmt"
	"math"
	"slices"
)

// list is all that the history tells of one key.
type list struct {
	key     string
	writers map[int64]write // by value
	order   []int64         // the longest list that was read: the order of its values
	first   map[int64]int   // value → its place in order
	reads   []read
	unseen  []int32 // committed transactions that appended a value which is not in order, each once
	lost    int     // values that may be in the list and are not in order
}

// write is an append.
type write struct {
	txn  int32
	last bool // the transaction's last one to the key
}

// read is what a transaction saw of a key before it appended anything itself.
type read struct {
	txn    int32
	values []int64 // nil if only the length is known
	length int
	whole  []int64 // as it was read, with the transaction's own values
	bound  bool    // there may have been more
}

// observer goes over a history and notes what can be told of each key.
type observer struct {
	txns      []Txn
	lists     map[string]*list
	keys      []*list // lists in the order in which they turned up
	happened  []bool  // by transaction: it took effect, or it was refused and what it read counts
	anomalies []Anomaly
}

func observe(txns []Txn) *observer {
	o := &observer{txns: txns, lists: make(map[string]*list), happened: make([]bool, len(txns))}
	for i := range txns {
		o.noteAppends(i)
	}
	for i := range txns {
		if txns[i].Outcome != Unknown {
			o.happened[i] = true
			o.noteReads(i)
		}
	}
	for o.promote() {
	}
	for _, l := range o.keys {
		o.checkOrder(l)
		o.findUnseen(l)
		o.checkReads(l)
	}
	for i := range txns {
		o.checkAppends(i)
	}
	return o
}

func (o *observer) found(class Class, format string, args ...any) {
	o.anomalies = append(o.anomalies, Anomaly{Class: class, Detail: fmt.Sprintf(format, args...)})
}

func (o *observer) list(key string) *list {
	l := o.lists[key]
	if l == nil {
		l = &list{key: key, writers: make(map[int64]write)}
		o.lists[key] = l
		o.keys = append(o.keys, l)
	}
	return l
}

// noteAppends notes who appends which value.
func (o *observer) noteAppends(i int) {
	last := make(map[string]int64)
	for _, op := range o.txns[i].Ops {
		l := o.list(op.Key)
		if op.Kind != AppendKind {
			continue
		}
		if w, twice := l.writers[op.Value]; twice {
			o.found(BadHistory, "%d is appended to %s twice: by %s and by T%d", op.Value, op.Key, describe(int(w.txn), &o.txns[w.txn]), i)
			continue
		}
		l.writers[op.Value] = write{txn: int32(i)}
		last[op.Key] = op.Value
	}
	for key, value := range last {
		o.lists[key].writers[value] = write{txn: int32(i), last: true}
	}
}

// view is what one transaction has found out about one key so far.
type view struct {
	own  []int64
	seen *read
}

// noteReads notes what a transaction saw of the others.
func (o *observer) noteReads(i int) {
	views := make(map[string]*view)
	var keys []string
	for _, op := range o.txns[i].Ops {
		if op.Kind == AtLeastKind {
			l := o.lists[op.Key]
			l.reads = append(l.reads, read{txn: int32(i), length: op.Length, bound: true})
			continue
		}
		v := views[op.Key]
		if v == nil {
			v = &view{}
			views[op.Key] = v
			keys = append(keys, op.Key)
		}
		if op.Kind == AppendKind {
			v.own = append(v.own, op.Value)
			continue
		}
		r, ok := v.strip(op)
		if !ok || !v.take(r) {
			o.found(Internal, "the reads of %s by %s disagree", op.Key, describe(i, &o.txns[i]))
		}
	}
	for _, key := range keys {
		if v := views[key]; v.seen != nil {
			v.seen.txn = int32(i)
			o.lists[key].reads = append(o.lists[key].reads, *v.seen)
		}
	}
}

// strip takes the transaction's own values off what it read; false if they are not there.
func (v *view) strip(op Op) (read, bool) {
	if op.Kind == LengthKind {
		return read{length: op.Length - len(v.own)}, op.Length >= len(v.own)
	}
	others := len(op.List) - len(v.own)
	if others < 0 || !slices.Equal(op.List[others:], v.own) {
		return read{}, false
	}
	return read{values: op.List[:others:others], length: others, whole: op.List}, true
}

// take adds a read to the view; false if it is not what was read before.
func (v *view) take(r read) bool {
	if v.seen == nil {
		v.seen = &r
		return true
	}
	if v.seen.length != r.length || v.seen.whole != nil && r.whole != nil && !slices.Equal(v.seen.values, r.values) {
		return false
	}
	if len(r.whole) >= len(v.seen.whole) && r.whole != nil {
		v.seen = &r
	}
	return true
}

// promote takes the longest list that was read of each key as its order, and notes that the transactions of unknown
// outcome took effect whose values stand there. It tells whether there were any: what they read may be longer still.
func (o *observer) promote() (more bool) {
	for _, l := range o.keys {
		for i := range l.reads {
			if whole := l.reads[i].whole; len(whole) > len(l.order) {
				l.order = whole
			}
		}
	}
	for _, l := range o.keys {
		for _, value := range l.order {
			w, known := l.writers[value]
			if known && o.txns[w.txn].Outcome == Unknown && !o.happened[w.txn] {
				o.happened[w.txn], more = true, true
				o.noteReads(int(w.txn))
			}
		}
	}
	return more
}

// checkOrder looks for values in a list that cannot be there.
func (o *observer) checkOrder(l *list) {
	l.first = make(map[int64]int, len(l.order))
	for i, value := range l.order {
		w, known := l.writers[value]
		at, twice := l.first[value]
		if !twice {
			l.first[value] = i
		}
		switch {
		case twice:
			o.found(Duplicate, "%d stands in %s at %d and at %d", value, l.key, at+1, i+1)
		case !known:
			o.found(Phantom, "%d stands in %s and nobody appended it", value, l.key)
		case o.txns[w.txn].Outcome == Refused:
			o.found(G1a, "%d stands in %s and was refused: %s", value, l.key, describe(int(w.txn), &o.txns[w.txn]))
		}
	}
}

// findUnseen notes the appends that took effect, or may have, and were never read.
func (o *observer) findUnseen(l *list) {
	seen := make(map[int32]bool)
	for value, w := range l.writers {
		if _, ordered := l.first[value]; ordered || o.txns[w.txn].Outcome == Refused {
			continue
		}
		l.lost++
		if o.happened[w.txn] && !seen[w.txn] {
			seen[w.txn] = true
			l.unseen = append(l.unseen, w.txn)
		}
	}
	slices.Sort(l.unseen)
}

// checkAppends tells of values that stand in another order than their transaction appended them.
func (o *observer) checkAppends(i int) {
	places := make(map[string]int)
	for _, op := range o.txns[i].Ops {
		if op.Kind != AppendKind || !o.happened[i] {
			continue
		}
		at, ordered := o.lists[op.Key].first[op.Value]
		if !ordered {
			at = math.MaxInt
		}
		if at < places[op.Key] {
			o.found(Internal, "%s has %d before an earlier value of the same transaction: %s", op.Key, op.Value, describe(i, &o.txns[i]))
		}
		places[op.Key] = at
	}
}

// checkReads keeps the reads that have a place in the order, and tells of the others.
func (o *observer) checkReads(l *list) {
	kept := l.reads[:0]
	for _, r := range l.reads {
		seen, unseen := o.own(l, r)
		most := len(l.order) + l.lost - unseen
		switch {
		case r.length > most:
			o.found(Phantom, "%s has at most %d values, and more were counted by %s", l.key, most, o.describe(r))
		case !slices.Equal(r.whole, l.order[:min(len(r.whole), len(l.order))]):
			o.incompatible(l, r)
		case seen:
			o.found(Internal, "%s was read with a value that was appended only then: %s", l.key, o.describe(r))
		default:
			o.checkEnd(l, r)
			kept = append(kept, r)
		}
	}
	l.reads = kept
}

// own tells whether a transaction saw a value of its own before it had appended any, and how many of its values are
// not in the order.
func (o *observer) own(l *list, r read) (seen bool, unseen int) {
	for _, op := range o.txns[r.txn].Ops {
		if op.Kind != AppendKind || op.Key != l.key {
			continue
		}
		at, ordered := l.first[op.Value]
		if !ordered && o.txns[r.txn].Outcome != Refused {
			unseen++
		}
		seen = seen || ordered && at < r.length
	}
	return seen, unseen
}

// checkEnd tells of a read that ends in the middle of another's transaction.
func (o *observer) checkEnd(l *list, r read) {
	if r.length == 0 || r.length > len(l.order) || r.bound {
		return
	}
	value := l.order[r.length-1]
	if w, known := l.writers[value]; known && !w.last && w.txn != r.txn {
		o.found(G1b, "%s was read up to %d by T%d: the middle of %s", l.key, value, r.txn, describe(int(w.txn), &o.txns[w.txn]))
	}
}

// incompatible tells how a read differs from the longest.
func (o *observer) incompatible(l *list, r read) {
	seen := make(map[int64]bool)
	for i, value := range r.whole {
		if seen[value] {
			o.found(Duplicate, "%d stands twice in %s as read by T%d", value, l.key, r.txn)
		}
		seen[value] = true
		if _, known := l.writers[value]; !known {
			o.found(Phantom, "%d stands in %s at %d as read by T%d, and nobody appended it", value, l.key, i+1, r.txn)
		}
	}
	at := 0
	for at < len(r.whole) && r.whole[at] == l.order[at] {
		at++
	}
	o.found(IncompatibleOrder, "%s has %d at %d, another read has %d: %s", l.key, l.order[at], at+1, r.whole[at], o.describe(r))
}

func (o *observer) describe(r read) string { return describe(int(r.txn), &o.txns[r.txn]) }
