package blackbox

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
	"natsaccord/tests/history"
)

// shownErrors is how many errors of one kind are told.
const shownErrors = 10

// findings gathers what is wrong, of each kind a few.
type findings struct {
	errs  []error
	count int
}

func (f *findings) add(format string, args ...any) {
	if f.count++; f.count <= shownErrors {
		f.errs = append(f.errs, fmt.Errorf(format, args...))
	}
}

func (f *findings) err() error {
	if f.count > shownErrors {
		f.errs = append(f.errs, fmt.Errorf("and %d more", f.count-shownErrors))
	}
	return errors.Join(f.errs...)
}

// checkLogs checks that all nodes have the same log, that its streams are without gaps, that every acknowledged event stands in it once and where
// its receipt says, and nothing else but what was resolved as committed.
func checkLogs(logs [][]event.Event, requests []*request) error {
	var f findings
	for i, log := range logs[1:] {
		checkSame(&f, i+2, logs[0], log)
	}
	at := checkOrder(&f, logs[0])
	acknowledged := 0
	for _, r := range requests {
		checkRefusal(&f, r)
		if r.outcome != history.Committed {
			continue
		}
		acknowledged += len(r.receipt.Events)
		if len(r.receipt.Events) != len(r.append.Events) {
			f.add("request %s has %d events, its receipt %d", r.append.RequestID, len(r.append.Events), len(r.receipt.Events))
			continue
		}
		for k, ref := range r.receipt.Events {
			checkEvent(&f, r, k, ref, at)
		}
	}
	if acknowledged != len(logs[0]) {
		f.add("%d events were acknowledged or found to have committed, %d stand in the log", acknowledged, len(logs[0]))
	}
	return f.err()
}

// checkRefusal checks that what a request is said to be refused for is a reason: early, only that a stream is past what was demanded.
func checkRefusal(f *findings, r *request) {
	for _, c := range r.refusal {
		asked := slices.Contains(r.append.Conditions, event.Condition{Stream: c.Stream, Expect: c.Want})
		if held := c.Want >= 0 && uint64(c.Want) == c.Have; !asked || held || r.early && (c.Want < 0 || c.Have < uint64(c.Want)) {
			f.add("request %s, which demands %+v, is refused (early: %v) for %+v", r.append.RequestID, r.append.Conditions, r.early, c)
		}
	}
}

// checkSame compares a node's log with the first one's.
func checkSame(f *findings, node int, want, have []event.Event) {
	if len(want) != len(have) {
		f.add("n1 has %d events, n%d has %d", len(want), node, len(have))
	}
	for i := range min(len(want), len(have)) {
		w, h := want[i], have[i]
		if w.Position != h.Position || w.ID != h.ID || w.Stream != h.Stream || w.Version != h.Version || w.Type != h.Type ||
			string(w.Data) != string(h.Data) || w.Metadata[valueKey] != h.Metadata[valueKey] || w.TxnID != h.TxnID {
			f.add("event %d: n1 has %+v, n%d has %+v", i+1, w, node, h)
			return
		}
	}
}

// checkOrder checks positions and versions, and returns the events by their ids.
func checkOrder(f *findings, log []event.Event) map[ulid.ULID]event.Event {
	at := make(map[ulid.ULID]event.Event, len(log))
	versions := make(map[event.Stream]uint64)
	values := make(map[string]event.Position, len(log))
	var last event.Position
	for _, e := range log {
		if e.Position <= last {
			f.add("position %s comes behind %s", e.Position, last)
		}
		last = e.Position
		if versions[e.Stream]++; e.Version != versions[e.Stream] {
			f.add("%s has version %d where %d is due", e.Stream, e.Version, versions[e.Stream])
			versions[e.Stream] = e.Version
		}
		if before, twice := values[e.Metadata[valueKey]]; twice {
			f.add("value %s stands at %s and at %s", e.Metadata[valueKey], before, e.Position)
		}
		values[e.Metadata[valueKey]] = e.Position
		at[e.ID] = e
	}
	return at
}

// checkEvent checks that the k-th event of a request stands where its receipt says.
func checkEvent(f *findings, r *request, k int, ref event.Ref, at map[ulid.ULID]event.Event) {
	e, there := at[ref.ID]
	asked := r.append.Events[k]
	switch {
	case !there:
		f.add("request %s: event %s of %s, acknowledged as version %d at %s, is lost", r.append.RequestID, ref.ID, ref.Stream, ref.Version, ref.Position)
	case e.Position != ref.Position || e.Version != ref.Version || e.Stream != asked.Stream:
		f.add("request %s: event %s was acknowledged as %s version %d at %s, and is %s version %d at %s",
			r.append.RequestID, ref.ID, asked.Stream, ref.Version, ref.Position, e.Stream, e.Version, e.Position)
	case e.Metadata[valueKey] != asked.Metadata[valueKey] || string(e.Data) != string(asked.Data):
		f.add("request %s: event %s is not the one asked for: %s, %v", r.append.RequestID, ref.ID, e.Data, e.Metadata)
	}
}

// finalReads adds, for every stream, a read of what the log has of it: whoever was told that an append has committed must find it there.
func finalReads(l *ledger, log []event.Event) error {
	values, err := valuesOf(log)
	if err != nil {
		return err
	}
	streams := make(map[event.Stream][]int64)
	for _, r := range l.requests {
		for _, e := range r.append.Events {
			streams[e.Stream] = nil
		}
	}
	for i, e := range log {
		streams[e.Stream] = append(streams[e.Stream], values[i])
	}
	var names []event.Stream
	for name := range streams {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		l.history.Add(history.Txn{Client: "end", Invoke: l.history.Now(), Outcome: history.Committed, Ops: []history.Op{history.Read(string(name), streams[name]...)}})
	}
	return nil
}

// checkHistory checks that the history is strictly serializable, and every stream's by itself linearizable.
func checkHistory(txns []history.Txn) (history.Report, error) {
	const search = 2 * time.Minute // of one stream
	report := history.Check(txns)
	var err error
	if len(report.Anomalies) > 0 {
		err = errors.New(report.String())
	}
	return report, errors.Join(err, history.Linearizable(txns, search))
}

// world is a small run that went well: three nodes with one log, and what its clients were told.
func world(t *testing.T) (*ledger, [][]event.Event) {
	t.Helper()
	l := newLedger()
	var log []event.Event
	versions := make(map[event.Stream]uint64)
	for i := range 10 {
		streams := []event.Stream{event.Stream(fmt.Sprint("a.", i%3)), "a.all"}
		r := l.request("c1", event.Append{Events: []event.Event{{Stream: streams[0], Type: "T", Data: []byte(`1`)}, {Stream: streams[1], Type: "T", Data: []byte(`2`)}}})
		executeAt := fmt.Sprintf("%024d", i)
		receipt := event.Receipt{Position: event.PositionAt(executeAt, 1)}
		for k, e := range r.append.Events {
			versions[e.Stream]++
			e.ID, e.Version, e.Position = ulid.Make(), versions[e.Stream], event.PositionAt(executeAt, k)
			log = append(log, e)
			receipt.Events = append(receipt.Events, event.Ref{ID: e.ID, Stream: e.Stream, Version: e.Version, Position: e.Position})
			receipt.Streams = append(receipt.Streams, event.StreamVersion{Stream: e.Stream, Version: e.Version})
		}
		l.settle(r, receipt, nil)
		l.requests = append(l.requests, r)
	}
	return l, [][]event.Event{log, slices.Clone(log), slices.Clone(log)}
}

// judge is everything that is checked at the end of a run.
func judge(l *ledger, logs [][]event.Event) (history.Report, error) {
	logged := checkLogs(logs, l.requests)
	if err := finalReads(l, logs[0]); err != nil {
		return history.Report{}, errors.Join(logged, err)
	}
	report, err := checkHistory(l.history.Txns())
	return report, errors.Join(logged, err)
}

// TestJudge damages a run that went well in every way that the checks are there for.
func TestJudge(t *testing.T) {
	l, logs := world(t)
	if report, err := judge(l, logs); err != nil || report.Edges["ww"] == 0 || report.Edges["rt"] == 0 {
		t.Fatalf("got %v, %v of a run that went well", report, err)
	}
	everywhere := func(logs [][]event.Event, change func(log []event.Event) []event.Event) {
		for i := range logs {
			logs[i] = change(logs[i])
		}
	}
	renumber := func(log []event.Event) []event.Event {
		versions := make(map[event.Stream]uint64)
		for i := range log {
			versions[log[i].Stream]++
			log[i].Version = versions[log[i].Stream]
		}
		return log
	}
	for name, damage := range map[string]func(l *ledger, logs [][]event.Event){
		"lost at one node": func(_ *ledger, logs [][]event.Event) { logs[1] = slices.Delete(logs[1], 5, 6) },
		"lost at all nodes": func(_ *ledger, logs [][]event.Event) {
			everywhere(logs, func(log []event.Event) []event.Event { return renumber(slices.Delete(log, 5, 6)) })
		},
		"lost at the end": func(_ *ledger, logs [][]event.Event) {
			everywhere(logs, func(log []event.Event) []event.Event { return log[:18] })
		},
		"doubled at one node":               func(_ *ledger, logs [][]event.Event) { logs[2] = append(logs[2], logs[2][3]) },
		"changed at one node":               func(_ *ledger, logs [][]event.Event) { logs[2][3].Data = []byte(`3`) },
		"in another order":                  func(_ *ledger, logs [][]event.Event) { logs[1][2], logs[1][4] = logs[1][4], logs[1][2] },
		"committed after refusal":           func(l *ledger, _ [][]event.Event) { l.requests[4].outcome = history.Refused },
		"refused in time":                   func(l *ledger, _ [][]event.Event) { refusedEarly(l, 10, 10) },
		"refused early for what is to come": func(l *ledger, _ [][]event.Event) { refusedEarly(l, 12, 10) },
		"refused early for what never was":  func(l *ledger, _ [][]event.Event) { refusedEarly(l, 10, 11) },
		"elsewhere than receipt":            func(l *ledger, _ [][]event.Event) { l.requests[4].receipt.Events[0].Position += "0" },
		"doubled at all nodes": func(_ *ledger, logs [][]event.Event) {
			everywhere(logs, func(log []event.Event) []event.Event {
				again := log[5]
				again.ID, again.Position = ulid.Make(), event.PositionAt(fmt.Sprintf("%024d", 99), 0)
				return renumber(append(log, again))
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, logs := world(t)
			damage(l, logs)
			_, err := judge(l, logs)
			if err == nil {
				t.Fatal("nothing is found")
			}
			t.Log(err)
		})
	}
}

// refusedEarly has a node refuse an append that wants a version of a stream which is at 10 by now, because it is at another.
func refusedEarly(l *ledger, want event.Expect, have uint64) {
	r := l.request("c2", event.Append{
		Conditions: []event.Condition{{Stream: "a.all", Expect: want}}, Events: []event.Event{{Stream: "a.all", Type: "T", Data: []byte(`1`)}},
	})
	l.settle(r, event.Receipt{}, &event.ConflictError{All: []event.Conflict{{Stream: "a.all", Want: want, Have: have}}, Early: true})
	l.requests = append(l.requests, r)
}

// TestStaleRefusalIsRight: a node may refuse what is certain to lose before it has heard of all that others have been acknowledged.
func TestStaleRefusalIsRight(t *testing.T) {
	l, logs := world(t)
	refusedEarly(l, 3, 5)
	if report, err := judge(l, logs); err != nil {
		t.Errorf("got %v, %v", report, err)
	}
}

// TestStaleReadIsFound has a client read, after an append was acknowledged, that it is not there.
func TestStaleReadIsFound(t *testing.T) {
	l, logs := world(t)
	l.history.Add(history.Txn{Client: "c2", Invoke: l.history.Now(), Outcome: history.Committed, Ops: []history.Op{history.Read("a.1", 3)}})
	if report, err := judge(l, logs); err == nil || !report.Has(history.GSingleRealtime) {
		t.Errorf("got %v, %v", report, err)
	}
}
