package history_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"natsaccord/tests/history"
)

// world is a store in which every transaction takes effect at once, at some moment between its invocation and its
// return, and the clients that use it.
type world struct {
	rng     *rand.Rand
	clock   int64
	lists   map[string][]int64
	next    int64 // value to append
	clients []clientState
	left    int // transactions to begin
	done    []history.Txn
}

// clientState is what a client is at. Its transaction is nil between two of them.
type clientState struct {
	txn     *history.Txn
	applied bool
}

// keysAtATime is how many lists are in use at a time; each gets valuesPerKey values and then gives way to another.
const (
	keysAtATime  = 4
	valuesPerKey = 30
)

// generate makes a history of n transactions in which nothing is wrong.
func generate(seed uint64, clients, n int) []history.Txn {
	w := &world{rng: rand.New(rand.NewPCG(seed, 0)), lists: make(map[string][]int64), clients: make([]clientState, clients), left: n}
	for busy := true; busy; {
		busy = false
		for range clients {
			w.turn(w.rng.IntN(clients))
		}
		for i := range w.clients {
			busy = busy || w.clients[i].txn != nil
		}
		busy = busy || w.left > 0
	}
	for _, key := range w.keys() {
		w.clock += 2
		w.done = append(w.done, history.Txn{
			Client: "end", Invoke: w.clock - 1, Return: w.clock, Outcome: history.Committed, Ops: []history.Op{read(key, w.lists[key]...)},
		})
	}
	return w.done
}

func (w *world) keys() []string {
	var keys []string
	for key := range w.lists {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// turn takes a client one step on: it asks, or its transaction takes effect, or it hears of that.
func (w *world) turn(i int) {
	c := &w.clients[i]
	w.clock++
	switch {
	case c.txn == nil && w.left > 0:
		w.left--
		*c = clientState{txn: &history.Txn{Client: fmt.Sprint("c", i), Invoke: w.clock}}
	case c.txn == nil:
	case !c.applied:
		c.applied = true
		w.apply(c.txn)
	default:
		c.txn.Return = w.clock
		w.done = append(w.done, *c.txn)
		c.txn = nil
	}
}

func (w *world) key() string {
	return fmt.Sprint("k", int(w.next)/(keysAtATime*valuesPerKey), ".", w.rng.IntN(keysAtATime))
}

// apply draws what a transaction does, and does it.
func (w *world) apply(t *history.Txn) {
	t.Outcome = history.Committed
	t.Order = fmt.Sprintf("%012d", w.clock)
	for range w.rng.IntN(3) {
		key := w.key()
		if list := w.lists[key]; w.rng.IntN(3) == 0 {
			t.Ops = append(t.Ops, length(key, len(list)))
		} else {
			t.Ops = append(t.Ops, read(key, slices.Clone(list)...))
		}
	}
	fate := w.rng.IntN(20)
	for range 1 + w.rng.IntN(2) {
		key := w.key()
		w.next++
		t.Ops = append(t.Ops, app(key, w.next))
		if fate > 1 {
			w.lists[key] = append(w.lists[key], w.next)
		}
	}
	switch fate {
	case 0: // it never happened, and nobody knows
		t.Outcome = history.Unknown
	case 1:
		t.Outcome = history.Refused
	case 2: // it happened, and nobody knows
		t.Outcome = history.Unknown
	}
}

func TestNothingIsFoundInGeneratedHistories(t *testing.T) {
	for seed := range uint64(200) {
		txns := generate(seed, 1+int(seed)%8, 300)
		report := history.Check(txns)
		if len(report.Anomalies) > 0 {
			t.Fatalf("seed %d: %s", seed, report)
		}
		if report.Edges["rw"] == 0 || report.Edges["wr"] == 0 || report.Edges["ww"] == 0 {
			t.Errorf("seed %d: no dependencies in %s", seed, report)
		}
	}
}

func TestGeneratedHistoriesAreLinearizable(t *testing.T) {
	for seed := range uint64(10) {
		if err := history.Linearizable(generate(seed, 4, 300), time.Minute); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// forget takes a value that was acknowledged out of all reads.
func forget(rng *rand.Rand, txns []history.Txn) bool {
	t := &txns[rng.IntN(len(txns))]
	if t.Outcome != history.Committed {
		return false
	}
	for _, op := range t.Ops {
		if op.Kind != history.AppendKind {
			continue
		}
		for i := range txns {
			for j := range txns[i].Ops {
				if read := &txns[i].Ops[j]; read.Key == op.Key {
					read.List = slices.DeleteFunc(read.List, func(v int64) bool { return v == op.Value })
				}
			}
		}
		return true
	}
	return false
}

// age takes the last value out of a read that came after it had been acknowledged.
func age(rng *rand.Rand, txns []history.Txn) bool {
	t := &txns[rng.IntN(len(txns))]
	for i := range t.Ops {
		list := t.Ops[i].List
		if len(list) == 0 || t.Outcome == history.Unknown {
			continue
		}
		for _, w := range txns {
			if w.Outcome == history.Committed && w.Return < t.Invoke && slices.ContainsFunc(w.Ops, func(op history.Op) bool {
				return op.Kind == history.AppendKind && op.Key == t.Ops[i].Key && op.Value == list[len(list)-1]
			}) {
				t.Ops[i].List = list[:len(list)-1]
				return true
			}
		}
	}
	return false
}

func TestOneWrongThingIsFoundAmongMany(t *testing.T) {
	for name, spoil := range map[string]func(*rand.Rand, []history.Txn) bool{"forget": forget, "age": age} {
		for seed := range uint64(100) {
			rng := rand.New(rand.NewPCG(seed, 1))
			txns := generate(seed, 6, 400)
			for !spoil(rng, txns) {
			}
			if report := history.Check(txns); len(report.Anomalies) == 0 {
				t.Errorf("%s, seed %d: nothing was found in %s", name, seed, report)
			}
		}
	}
}

// TestOneWrongThingIsNotLinearizable takes histories that are small: to try all orders in vain takes long.
func TestOneWrongThingIsNotLinearizable(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		txns := generate(seed, 3, 60)
		for !forget(rng, txns) {
		}
		if history.Linearizable(txns, time.Minute) == nil {
			t.Errorf("seed %d: is said to be linearizable", seed)
		}
	}
}

// TestLargeHistories takes long only if the time it takes is not linear.
func TestLargeHistories(t *testing.T) {
	txns := generate(1, 16, 100_000)
	report := history.Check(txns)
	edges := 0
	for _, n := range report.Edges {
		edges += n
	}
	if len(report.Anomalies) > 0 || edges > 12*len(txns) {
		t.Errorf("%d transactions: %s", len(txns), report)
	}
	for i := range txns { // a single component of nearly everything
		for j := range txns[i].Ops {
			if op := &txns[i].Ops[j]; op.Kind == history.ReadKind && i%2 == 0 && len(op.List) > 1 && txns[i].Client != "end" {
				op.List = op.List[:len(op.List)/2]
			}
		}
	}
	if report := history.Check(txns); len(report.Anomalies) == 0 {
		t.Error("nothing is found in a history that is all wrong")
	}
}

func BenchmarkCheck(b *testing.B) {
	txns := generate(1, 16, 20_000)
	b.ReportAllocs()
	for b.Loop() {
		history.Check(txns)
	}
}
