package history_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"natsaccord/tests/history"
)

// explained is what Check decides, in the dullest way: it tries every order of the transactions. One of unknown
// outcome may be left out.
func explained(txns []history.Txn) bool {
	return extend(txns, make([]bool, len(txns)), map[string][]int64{})
}

// extend tries every transaction next that no other has to come before.
func extend(txns []history.Txn, done []bool, lists map[string][]int64) bool {
	rest := false
	for i := range txns {
		rest = rest || !done[i] && txns[i].Outcome != history.Unknown
	}
	if !rest {
		return true
	}
	for i := range txns {
		if done[i] || !first(txns, done, i) {
			continue
		}
		if after, ok := apply(txns[i], lists); ok {
			done[i] = true
			if extend(txns, done, after) {
				return true
			}
			done[i] = false
		}
	}
	return false
}

// first tells whether no transaction that is left had returned before this one was asked for.
func first(txns []history.Txn, done []bool, i int) bool {
	for j := range txns {
		if !done[j] && txns[j].Outcome != history.Unknown && txns[j].Return < txns[i].Invoke {
			return false
		}
	}
	return true
}

// apply does a transaction, if what it saw is so.
func apply(t history.Txn, before map[string][]int64) (map[string][]int64, bool) {
	after := make(map[string][]int64, len(before))
	for key, list := range before {
		after[key] = list
	}
	for _, op := range t.Ops {
		list := after[op.Key]
		switch op.Kind {
		case history.AppendKind:
			if t.Outcome != history.Refused {
				after[op.Key] = append(list[:len(list):len(list)], op.Value)
			}
		case history.ReadKind:
			if !slices.Equal(list, op.List) {
				return nil, false
			}
		case history.LengthKind:
			if len(list) != op.Length {
				return nil, false
			}
		case history.AtLeastKind:
			if len(before[op.Key]) < op.Length {
				return nil, false
			}
		}
	}
	return after, true
}

// small draws a history of a few transactions that see prefixes of lists, right or wrong. Every list is read whole
// in the end: what was never read cannot be told from what never happened.
func small(t *rapid.T) []history.Txn {
	keys := []string{"x", "y"}
	appended := map[string]int64{}
	txns := make([]history.Txn, rapid.IntRange(1, 5).Draw(t, "txns"))
	for i := range txns {
		txns[i].Invoke = rapid.Int64Range(1, 8).Draw(t, "invoke")
		txns[i].Return = txns[i].Invoke + rapid.Int64Range(0, 8).Draw(t, "took")
		txns[i].Outcome = rapid.SampledFrom([]history.Outcome{history.Committed, history.Committed, history.Committed, history.Unknown}).Draw(t, "outcome")
		for range rapid.IntRange(0, 2).Draw(t, "appends") {
			key := rapid.SampledFrom(keys).Draw(t, "key")
			appended[key]++
			txns[i].Ops = append(txns[i].Ops, app(key, appended[key]))
		}
	}
	whole := map[string][]int64{}
	end := history.Txn{Invoke: 100, Return: 101, Outcome: history.Committed}
	for _, key := range keys {
		values := []int64{}
		for v := range appended[key] {
			values = append(values, v+1)
		}
		whole[key] = rapid.Permutation(values).Draw(t, "order")
		whole[key] = whole[key][:len(whole[key])-min(len(values), rapid.SampledFrom([]int{0, 0, 0, 0, 1}).Draw(t, "lost"))]
		end.Ops = append(end.Ops, read(key, whole[key]...))
	}
	for i := range txns {
		if key := rapid.SampledFrom([]string{"x", "y", ""}).Draw(t, "reads"); key != "" {
			n := rapid.IntRange(0, len(whole[key])).Draw(t, "length")
			saw := read(key, whole[key][:n]...)
			switch rapid.SampledFrom([]string{"list", "list", "length", "bound"}).Draw(t, "sees") {
			case "length":
				saw = length(key, n)
			case "bound":
				saw = atLeast(key, n)
			}
			txns[i].Ops = append([]history.Op{saw}, txns[i].Ops...)
		}
	}
	return append(txns, end)
}

func TestCheckAgreesWithTryingEveryOrder(t *testing.T) {
	right, wrong := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		txns := small(t)
		want := explained(txns)
		if want {
			right++
		} else {
			wrong++
		}
		if report := history.Check(txns); (len(report.Anomalies) == 0) != want {
			t.Fatalf("there is an order is %v, and: %s", want, report)
		}
	})
	if right < 5 || wrong < 5 {
		t.Errorf("tried %d right histories and %d wrong ones", right, wrong)
	}
}

func TestLinearizableAgreesWithTryingEveryOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var txns []history.Txn
		for _, txn := range small(t) { // of one key: what holds for each list alone need not for all
			txn.Ops = slices.DeleteFunc(txn.Ops, func(op history.Op) bool { return op.Key != "x" })
			txns = append(txns, txn)
		}
		want := explained(txns)
		if err := history.Linearizable(txns, time.Minute); (err == nil) != want {
			t.Fatalf("there is an order is %v, and: %v", want, err)
		}
		if report := history.Check(txns); (len(report.Anomalies) == 0) != want {
			t.Fatalf("there is an order is %v, and: %s", want, report)
		}
	})
}
