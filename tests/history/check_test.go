package history_test

import (
	"slices"
	"strings"
	"testing"

	"natsaccord/tests/history"
)

// at makes a committed transaction that took from one moment to another.
func at(invoke, returned int64, ops ...history.Op) history.Txn {
	return history.Txn{Client: "c", Invoke: invoke, Return: returned, Outcome: history.Committed, Ops: ops}
}

// whenever makes a committed transaction that is concurrent with all others.
func whenever(ops ...history.Op) history.Txn { return at(1, 1000, ops...) }

func ended(outcome history.Outcome, t history.Txn) history.Txn {
	t.Outcome = outcome
	return t
}

func ordered(position string, t history.Txn) history.Txn {
	t.Order = position
	return t
}

// planted is a history and what is wrong with it.
type planted struct {
	name string
	want []history.Class // all that is to be found, and nothing else
	txns []history.Txn
}

func app(key string, value int64) history.Op    { return history.Append(key, value) }
func read(key string, list ...int64) history.Op { return history.Read(key, list...) }
func length(key string, n int) history.Op       { return history.Length(key, n) }
func atLeast(key string, n int) history.Op      { return history.AtLeast(key, n) }

func plantedWithoutCycle() []planted {
	return []planted{
		{"a value appended twice", []history.Class{history.BadHistory}, []history.Txn{whenever(app("x", 1)), whenever(app("x", 1))}},
		{"a value that nobody appended", []history.Class{history.Phantom}, []history.Txn{whenever(app("x", 1)), whenever(read("x", 1, 7))}},
		{"more values than were appended", []history.Class{history.Phantom}, []history.Txn{whenever(app("x", 1)), whenever(length("x", 2))}},
		{"a bound above all that was appended", []history.Class{history.Phantom}, []history.Txn{whenever(app("x", 1)), whenever(atLeast("x", 2))}},
		{"a bound above all that was appended, by who is refused", []history.Class{history.Phantom}, []history.Txn{
			whenever(app("x", 1)), whenever(read("x", 1)), ended(history.Refused, whenever(atLeast("x", 2), app("x", 2))),
		}},
		{"a value twice in a list", []history.Class{history.Duplicate}, []history.Txn{whenever(app("x", 1)), whenever(read("x", 1, 1))}},
		{"two orders", []history.Class{history.IncompatibleOrder}, []history.Txn{
			whenever(app("x", 1)), whenever(app("x", 2)), whenever(read("x", 1, 2)), whenever(read("x", 2)),
		}},
		{"a refused value read", []history.Class{history.G1a}, []history.Txn{
			ended(history.Refused, whenever(app("x", 1))), whenever(read("x", 1)),
		}},
		{"the middle of a transaction read", []history.Class{history.G1b, history.GSingle}, []history.Txn{
			whenever(app("x", 1), app("x", 2)), whenever(read("x", 1)),
		}},
		{"two reads in one transaction that differ", []history.Class{history.Internal}, []history.Txn{
			whenever(app("x", 1)), whenever(read("x"), read("x", 1)),
		}},
		{"two lengths in one transaction that differ", []history.Class{history.Internal}, []history.Txn{
			whenever(app("x", 1)), whenever(length("x", 0), length("x", 1)),
		}},
		{"its own value missing", []history.Class{history.Internal}, []history.Txn{whenever(app("x", 1), read("x"))}},
		{"its own value not counted", []history.Class{history.Internal}, []history.Txn{whenever(app("x", 1), length("x", 0))}},
		{"its own values the other way round", []history.Class{history.Internal, history.G1b}, []history.Txn{
			whenever(app("x", 1), app("x", 2)), whenever(read("x", 2, 1)),
		}},
		{"half of its own values", []history.Class{history.Internal, history.GSingle}, []history.Txn{
			whenever(app("x", 1), app("x", 2)), whenever(read("x", 2)),
		}},
		{"its own value before it was there", []history.Class{history.Internal}, []history.Txn{whenever(read("x", 1), app("x", 1))}},
		{"its own value counted before it was there", []history.Class{history.Internal}, []history.Txn{
			whenever(length("x", 1), app("x", 1)), whenever(read("x", 1)),
		}},
		{"its own value counted before it was there, unread", []history.Class{history.Phantom}, []history.Txn{whenever(length("x", 1), app("x", 1))}},
		{"an order told the other way round", []history.Class{history.PositionOrder}, []history.Txn{
			ordered("b", whenever(app("x", 1))), ordered("a", whenever(app("x", 2))), whenever(read("x", 1, 2)),
		}},
		{"an order told for two that are one", []history.Class{history.PositionOrder}, []history.Txn{
			ordered("a", whenever(app("x", 1))), ordered("a", whenever(length("x", 1), app("y", 1))), whenever(read("x", 1)),
		}},
	}
}

func plantedCycles() []planted {
	return []planted{
		{"two lists in opposite orders", []history.Class{history.G0}, []history.Txn{
			whenever(app("x", 1), app("y", 1)), whenever(app("x", 2), app("y", 2)), whenever(read("x", 1, 2)), whenever(read("y", 2, 1)),
		}},
		{"a transaction torn apart", []history.Class{history.G0}, []history.Txn{
			whenever(app("x", 1), app("x", 3)), whenever(app("x", 2)), whenever(read("x", 1, 2, 3)),
		}},
		{"each reads the other", []history.Class{history.G1c}, []history.Txn{
			whenever(read("y", 1), app("x", 1)), whenever(read("x", 1), app("y", 1)),
		}},
		{"each counts the other", []history.Class{history.G1c}, []history.Txn{
			whenever(length("y", 1), app("x", 1)), whenever(length("x", 1), app("y", 1)), whenever(read("x", 1)), whenever(read("y", 1)),
		}},
		{"half of a transaction seen", []history.Class{history.GSingle}, []history.Txn{
			whenever(app("x", 1), app("y", 1)), whenever(read("x", 1), read("y")),
		}},
		{"a lost update", []history.Class{history.GSingle}, []history.Txn{
			whenever(read("x"), app("x", 1)), whenever(read("x"), app("x", 2)), whenever(read("x", 1, 2)),
		}},
		{"a version that was not so", []history.Class{history.GSingle}, []history.Txn{
			whenever(app("x", 1)), whenever(length("x", 0), app("x", 2)), whenever(read("x", 1, 2)),
		}},
		{"write skew", []history.Class{history.G2}, []history.Txn{
			whenever(read("x"), app("y", 1)), whenever(read("y"), app("x", 1)), whenever(read("x", 1)), whenever(read("y", 1)),
		}},
		{"write skew of what nobody read", []history.Class{history.G2}, []history.Txn{
			whenever(read("x"), app("y", 1)), whenever(read("y"), app("x", 1)),
		}},
		{"a long fork", []history.Class{history.G2}, []history.Txn{
			whenever(app("x", 1)), whenever(app("y", 1)), whenever(read("x", 1), read("y")), whenever(read("x"), read("y", 1)),
		}},
		{"appends against time", []history.Class{history.G0Realtime}, []history.Txn{
			at(1, 2, app("x", 1)), at(3, 4, app("x", 2)), at(5, 6, read("x", 2, 1)),
		}},
		{"a read of the future", []history.Class{history.G1cRealtime}, []history.Txn{
			at(1, 2, read("x", 1)), at(3, 4, app("x", 1)),
		}},
		{"a stale read", []history.Class{history.GSingleRealtime}, []history.Txn{
			at(1, 2, app("x", 1)), at(3, 4, read("x")), at(5, 6, read("x", 1)),
		}},
		{"a lost append, and a later one", []history.Class{history.G0Realtime}, []history.Txn{
			at(1, 2, app("x", 1)), at(3, 4, app("x", 2)), at(5, 6, read("x", 2)),
		}},
		{"a lost append", []history.Class{history.GSingleRealtime}, []history.Txn{
			at(1, 2, app("x", 1)), at(3, 4, read("x")),
		}},
		{"a stale count", []history.Class{history.GSingleRealtime}, []history.Txn{
			at(1, 2, app("x", 1)), at(3, 4, length("x", 0)), at(5, 6, read("x", 1)),
		}},
		{"reads that go back", []history.Class{history.GSingleRealtime}, []history.Txn{
			at(1, 100, app("x", 1)), at(2, 3, read("x", 1)), at(4, 5, read("x")),
		}},
		{"a bound on what was appended only later", []history.Class{history.G1cRealtime}, []history.Txn{
			at(1, 2, app("x", 1)), ended(history.Refused, at(3, 4, atLeast("x", 2), app("x", 9))), at(5, 6, app("x", 2)), at(7, 8, read("x", 1, 2)),
		}},
		{"two reads that missed something, and time", []history.Class{history.G2Realtime}, []history.Txn{
			at(1, 2, app("y", 1)), at(3, 4, read("x")), at(1, 100, app("x", 1)), at(1, 100, read("x", 1), read("y")),
		}},
		{"two anomalies apart", []history.Class{history.GSingle, history.GSingleRealtime}, []history.Txn{
			at(1, 5, app("x", 1), app("y", 1)), at(1, 5, read("x", 1), read("y")), at(6, 7, read("x", 1)),
			at(10, 11, app("z", 1)), at(12, 13, read("z")),
		}},
	}
}

func TestPlantedAnomaliesAreFound(t *testing.T) {
	for _, p := range append(plantedWithoutCycle(), plantedCycles()...) {
		t.Run(p.name, func(t *testing.T) {
			report := history.Check(p.txns)
			var got []history.Class
			for _, a := range report.Anomalies {
				got = append(got, a.Class)
				checkCycle(t, a, len(p.txns))
			}
			slices.Sort(got)
			slices.Sort(p.want)
			if !slices.Equal(got, p.want) {
				t.Errorf("got %v, want %v in\n%s", got, p.want, report)
			}
			for _, class := range p.want {
				if !report.Has(class) || !strings.Contains(report.String(), string(class)) {
					t.Errorf("%s is not told: %s", class, report)
				}
			}
		})
	}
}

// checkCycle checks that a cycle is one, and of the class it is said to be.
func checkCycle(t *testing.T, a history.Anomaly, txns int) {
	t.Helper()
	if len(a.Cycle) == 0 || a.Class == history.PositionOrder {
		return
	}
	count := make(map[history.EdgeKind]int)
	for i, e := range a.Cycle {
		count[e.Kind]++
		next := a.Cycle[(i+1)%len(a.Cycle)]
		if e.To != next.From || e.From >= txns || (e.Key == "") != (e.Kind == history.Rt) {
			t.Errorf("%+v does not go on with %+v", e, next)
		}
	}
	rw, wr, rt := count[history.Rw], count[history.Wr], count[history.Rt]
	class, realtime := strings.CutSuffix(string(a.Class), "-realtime")
	ok := realtime == (rt > 0)
	switch history.Class(class) {
	case history.G0:
		ok = ok && rw == 0 && wr == 0
	case history.G1c:
		ok = ok && rw == 0 && wr > 0
	case history.GSingle:
		ok = ok && rw == 1
	case history.G2:
		ok = ok && rw > 1
	default:
		ok = false
	}
	if !ok {
		t.Errorf("%s with %v", a.Class, count)
	}
}

func TestNothingIsFoundInWhatIsRight(t *testing.T) {
	for name, txns := range map[string][]history.Txn{
		"nothing":                          nil,
		"appends that nobody read":         {at(1, 2, app("x", 1)), at(3, 4, app("x", 2))},
		"concurrent in any order":          {at(1, 10, app("x", 1)), at(2, 9, app("x", 2)), at(11, 12, read("x", 2, 1))},
		"a read that is just concurrent":   {at(1, 5, app("x", 1)), at(5, 6, read("x"))},
		"its own values":                   {at(1, 2, app("x", 1)), at(3, 4, read("x", 1), app("x", 2), read("x", 1, 2), length("x", 2))},
		"appended to the end and not read": {at(1, 2, read("x"), app("x", 1)), at(3, 4, length("x", 1), app("x", 2))},
		"appends of one to many lists":     {at(1, 2, app("x", 1), app("y", 1), app("x", 2)), at(3, 4, read("x", 1, 2), read("y", 1))},
		"unknown and seen": {
			ended(history.Unknown, at(1, 2, app("x", 1))), at(3, 4, read("x")), at(5, 6, read("x", 1)),
		},
		"unknown and never seen":      {ended(history.Unknown, at(1, 2, app("x", 1))), at(3, 4, read("x"))},
		"unknown and its reads wrong": {ended(history.Unknown, at(1, 2, read("y", 1), app("x", 1))), at(3, 4, read("y"))},
		"unknown, and counted":        {ended(history.Unknown, at(1, 2, app("x", 1))), at(3, 4, length("x", 1))},
		"refused, and never seen":     {ended(history.Refused, at(1, 2, app("x", 1))), at(3, 4, read("x"))},
		"refused for what it read":    {at(1, 2, app("x", 1)), ended(history.Refused, at(3, 4, length("x", 1), app("x", 2))), at(5, 6, read("x", 1))},
		"refused for what it knew": {
			at(1, 2, app("x", 1)), at(3, 4, app("x", 2)), ended(history.Refused, at(5, 6, atLeast("x", 1), app("x", 3))), at(7, 8, read("x", 1, 2)),
		},
		"an order told":                  {ordered("a", at(1, 2, app("x", 1))), ordered("b", at(3, 4, app("x", 2))), at(5, 6, read("x", 1, 2))},
		"an order told of what is apart": {ordered("b", at(1, 2, app("x", 1))), ordered("a", at(3, 4, app("y", 1)))},
	} {
		if report := history.Check(txns); len(report.Anomalies) > 0 {
			t.Errorf("%s: %s", name, report)
		}
	}
}

func TestUnknownThatReadMoreThanAllOthers(t *testing.T) {
	report := history.Check([]history.Txn{
		at(1, 2, app("x", 1)),
		ended(history.Unknown, at(3, 4, read("x", 1, 7), app("y", 1))),
		at(5, 6, read("y", 1)),
	})
	if len(report.Anomalies) != 1 || !report.Has(history.Phantom) || report.Txns != 3 {
		t.Errorf("got %s, want what an unknown transaction read to count once it is seen to have happened", report)
	}
}

func TestReportCountsDependencies(t *testing.T) {
	report := history.Check([]history.Txn{
		at(1, 2, app("x", 1)), at(3, 4, app("x", 2)), at(5, 6, read("x", 1)), at(7, 8, read("x", 1, 2)),
	})
	for kind, want := range map[string]int{"ww": 1, "wr": 2, "rw": 1} {
		if report.Edges[kind] != want {
			t.Errorf("%d edges of kind %s, want %d", report.Edges[kind], kind, want)
		}
	}
	if !report.Has(history.GSingleRealtime) {
		t.Errorf("got %s", report)
	}
}
