package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"natsaccord/client"
	"natsaccord/event"
)

// tally is the state of these tests: how many events there were, and their sum.
type tally struct {
	Count, Sum int
}

// tallying counts how often it is called.
func tallying(calls *atomic.Int64) func(tally, event.Event) (tally, error) {
	return func(s tally, e event.Event) (tally, error) {
		calls.Add(1)
		return tally{s.Count + 1, s.Sum + number(e)}, nil
	}
}

func counted(n int) event.Event {
	return event.Event{Type: "Counted", Data: fmt.Append(nil, n)}
}

// appendCounted appends events with the numbers from first to last.
func appendCounted(t *testing.T, c *client.Client, stream event.Stream, first, last int) {
	t.Helper()
	var a event.Append
	for n := first; n <= last; n++ {
		e := counted(n)
		e.Stream = stream
		if a.Events = append(a.Events, e); len(a.Events) == 1000 || n == last {
			if _, err := c.Append(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			a.Events = nil
		}
	}
}

// sum is the state when the numbers from 1 to n were appended.
func sum(n int) tally { return tally{n, n * (n + 1) / 2} }

func TestLoad(t *testing.T) {
	w := newWorld(t)
	w.serve(t, "n1", newBackend())
	c := w.client(t, client.Options{})
	var calls atomic.Int64
	done := 0
	for _, n := range []int{0, 1, 2, 1000, 1001, 2500} {
		appendCounted(t, c, "count.1", done+1, n)
		done = n
		got, err := client.Load(t.Context(), c, "count.1", tallying(&calls))
		if want := (client.State[tally]{Stream: "count.1", Version: uint64(n), Value: sum(n)}); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	bad := errors.New("no such event")
	_, err := client.Load(t.Context(), c, "count.1", func(s tally, e event.Event) (tally, error) {
		if e.Version == 3 {
			return s, bad
		}
		return s, nil
	})
	if !errors.Is(err, bad) || !strings.Contains(err.Error(), "count.1: version 3 at ") {
		t.Errorf("got %v", err)
	}
	if _, err := client.Load(t.Context(), c, "nothing", tallying(&calls)); err == nil {
		t.Error("a stream that has no name is loaded")
	}
}

// TestSnapshots looks at when snapshots are kept, and at how many events are read with them.
func TestSnapshots(t *testing.T) {
	w := newWorld(t)
	store := newBackend()
	w.serve(t, "n1", store)
	c := w.client(t, client.Options{})
	var calls atomic.Int64
	a := client.Aggregate[tally]{
		Evolve: tallying(&calls), Snapshot: "tally", Every: 100, Report: func(err error) { t.Errorf("reports %v", err) },
	}
	done := 0
	for _, step := range []struct{ upTo, evolved, snapshot int }{
		{99, 99, 0}, {100, 100, 100}, {100, 0, 100}, {150, 50, 100}, {199, 99, 100}, {250, 150, 250}, {251, 1, 250},
	} {
		appendCounted(t, c, "count.1", done+1, step.upTo)
		done = step.upTo
		calls.Store(0)
		got, err := a.Load(t.Context(), c, "count.1")
		if err != nil || got.Value != sum(step.upTo) || got.Version != uint64(step.upTo) {
			t.Errorf("up to %d: got %+v, %v", step.upTo, got, err)
		}
		snapshot, err := store.Snapshot(t.Context(), "count.1", "tally")
		if int(calls.Load()) != step.evolved || int(snapshot.Version) != step.snapshot {
			t.Errorf("up to %d: read %d events and left a snapshot of %d, %v, want %d and %d", step.upTo, calls.Load(), snapshot.Version, err, step.evolved, step.snapshot)
		}
	}
}

// TestSnapshotsAreBestEffort: whatever is wrong with a snapshot, the state is right.
func TestSnapshotsAreBestEffort(t *testing.T) {
	refused := errors.New("no room")
	for name, c := range map[string]struct {
		plant   *event.Snapshot
		encode  func(tally) ([]byte, error)
		faults  []fault // of a load: the snapshot is got without any, then there is one read, and then it is kept
		reports string
		keeps   bool
	}{
		"of other content":   {plant: &event.Snapshot{Version: 5, Data: []byte("{")}, reports: "read snapshot tally", keeps: true},
		"of what is not yet": {plant: &event.Snapshot{Version: 21, Data: []byte(`{"Count":21}`)}, reports: "events that are not there"},
		"not to be kept":     {faults: []fault{works, fails(&event.TooLargeError{What: "data"})}, reports: "keep snapshot tally"},
		"not to be encoded":  {encode: func(tally) ([]byte, error) { return nil, refused }, reports: refused.Error()},
		"good":               {plant: &event.Snapshot{Version: 10, Data: []byte(`{"Count":10,"Sum":55}`)}, keeps: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := w.serveFaulty(t)
			cl := w.client(t, client.Options{Tries: 1})
			appendCounted(t, cl, "count.1", 1, 20)
			if c.plant != nil {
				c.plant.Stream, c.plant.Name = "count.1", "tally"
				if err := f.Memory.PutSnapshot(t.Context(), *c.plant); err != nil {
					t.Fatal(err)
				}
			}
			f.mu.Lock()
			f.faults = c.faults
			f.mu.Unlock()
			var calls atomic.Int64
			var reports []string
			a := client.Aggregate[tally]{
				Evolve: tallying(&calls), Snapshot: "tally", Every: 10, Encode: c.encode, Report: func(err error) { reports = append(reports, err.Error()) },
			}
			got, err := a.Load(t.Context(), cl, "count.1")
			if err != nil || got.Value != sum(20) || got.Version != 20 {
				t.Errorf("got %+v, %v", got, err)
			}
			if all := strings.Join(reports, "; "); !strings.Contains(all, c.reports) || c.reports == "" && all != "" {
				t.Errorf("reported %q, want %q", all, c.reports)
			}
			snapshot, err := f.Memory.Snapshot(t.Context(), "count.1", "tally")
			if kept := err == nil && snapshot.Version == 20 && string(snapshot.Data) == `{"Count":20,"Sum":210}`; kept != c.keeps {
				t.Errorf("left the snapshot %+v, %v", snapshot, err)
			}
		})
	}
}

// next decides to append the number of the event that it will be.
func next(s client.State[tally]) ([]event.Event, error) {
	return []event.Event{counted(s.Value.Count + 1)}, nil
}

// TestDecideUnderContention: no decision is made on a state that is not there any more.
func TestDecideUnderContention(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t)
	c := w.client(t, client.Options{})
	var calls atomic.Int64
	a := client.Aggregate[tally]{Evolve: tallying(&calls), Snapshot: "tally", Every: 10, Tries: 100}
	const deciders, each = 6, 15
	var running sync.WaitGroup
	for range deciders {
		running.Go(func() {
			for range each {
				if _, err := a.Decide(t.Context(), c, "count.1", next); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	got, err := a.Load(t.Context(), c, "count.1")
	if err != nil || got.Value != sum(deciders*each) {
		t.Errorf("got %+v, %v, want %+v", got, err, sum(deciders*each))
	}
	ids := make(map[string]bool)
	for _, asked := range f.seen() {
		if ids[asked.RequestID] {
			t.Errorf("request id %s was used for two attempts", asked.RequestID)
		}
		ids[asked.RequestID] = true
	}
}

func TestDecide(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t)
	c := w.client(t, client.Options{TryTimeout: short, Tries: 2})
	var calls atomic.Int64
	a := client.Aggregate[tally]{Evolve: tallying(&calls), Tries: 3}
	tries := 0
	deciding := func(events []event.Event, err error) func(client.State[tally]) ([]event.Event, error) {
		return func(client.State[tally]) ([]event.Event, error) { tries++; return events, err }
	}

	events := []event.Event{counted(1), {Stream: "other.1", Type: "T", Data: []byte("1")}}
	receipt, err := a.Decide(t.Context(), c, "count.1", deciding(events, nil))
	if err != nil || events[0].Stream != "" || len(receipt.Streams) != 2 || receipt.Streams[0].Stream != "count.1" || receipt.Streams[1].Stream != "other.1" {
		t.Errorf("got %+v, %v", receipt, err)
	}
	if receipt, err := a.Decide(t.Context(), c, "count.1", deciding(nil, nil)); err != nil || receipt.TxnID != "" {
		t.Errorf("nothing to append: got %+v, %v", receipt, err)
	}
	// An error of the decision is not mistaken for one of the append.
	tries = 0
	no := &event.ConflictError{}
	if _, err := a.Decide(t.Context(), c, "count.1", deciding(nil, no)); err != no || tries != 1 {
		t.Errorf("got %v after %d tries, want the decision's own error", err, tries)
	}
	// Somebody is quicker each time.
	tries = 0
	_, err = a.Decide(t.Context(), c, "count.1", func(s client.State[tally]) ([]event.Event, error) {
		tries++
		appendCounted(t, c, "count.1", s.Value.Count+1, s.Value.Count+1)
		return next(s)
	})
	if _, conflict := errors.AsType[*event.ConflictError](err); !conflict || tries != 3 {
		t.Errorf("got %v after %d tries", err, tries)
	}
	// Nobody knows what became of it: it is not decided again.
	tries = 0
	before := f.version(t, "count.1")
	f.mu.Lock()
	f.faults = []fault{works, lostReply, lostRequest}
	f.mu.Unlock()
	_, err = a.Decide(t.Context(), c, "count.1", func(s client.State[tally]) ([]event.Event, error) { tries++; return next(s) })
	if unknown, ok := errors.AsType[*event.UnknownError](err); !ok || tries != 1 || f.version(t, "count.1") != before+1 {
		t.Errorf("got %v after %d tries, with %d events more", err, tries, f.version(t, "count.1")-before)
	} else if receipt, err := c.Outcome(t.Context(), unknown.RequestID); err != nil || receipt.Streams[0].Version != before+1 {
		t.Errorf("its request id leads to %+v, %v", receipt, err)
	}
}

func (f *faulty) version(t *testing.T, stream event.Stream) uint64 {
	t.Helper()
	head, err := f.Head(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return head.Version
}

// TestDecideOnce makes the same decision again in all the ways there are: one append commits.
func TestDecideOnce(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t)
	c := w.client(t, client.Options{TryTimeout: short, Tries: 2})
	var calls atomic.Int64
	a := client.Aggregate[tally]{Evolve: tallying(&calls)}
	first, err := a.DecideOnce(t.Context(), c, "order-7", "count.1", next)
	if err != nil || first.Duplicate || first.RequestID != "order-7" {
		t.Fatalf("got %+v, %v", first, err)
	}
	never := func(client.State[tally]) ([]event.Event, error) {
		t.Error("a decision that was made is made again")
		return nil, nil
	}
	again, err := a.DecideOnce(t.Context(), c, "order-7", "count.1", never)
	if err != nil || !again.Duplicate || again.Position != first.Position {
		t.Errorf("got %+v, %v, want %+v", again, err, first)
	}

	// The first attempts are outrun; the third commits, and is found again.
	tries := 0
	receipt, err := a.DecideOnce(t.Context(), c, "order-8", "count.1", func(s client.State[tally]) ([]event.Event, error) {
		if tries++; tries < 3 {
			appendCounted(t, c, "count.1", s.Value.Count+1, s.Value.Count+1)
		}
		return next(s)
	})
	if err != nil || receipt.RequestID != "order-8#3" || tries != 3 {
		t.Errorf("got %+v, %v after %d tries", receipt, err, tries)
	}
	if again, err := a.DecideOnce(t.Context(), c, "order-8", "count.1", never); err != nil || !again.Duplicate || again.Position != receipt.Position {
		t.Errorf("got %+v, %v, want %+v", again, err, receipt)
	}

	// What became of it is not known; asking again tells, and appends nothing.
	before := f.version(t, "count.1")
	f.mu.Lock()
	f.faults = []fault{works, works, lostReply, lostRequest}
	f.mu.Unlock()
	_, err = a.DecideOnce(t.Context(), c, "order-9", "count.1", next)
	if _, unknown := errors.AsType[*event.UnknownError](err); !unknown {
		t.Errorf("got %v", err)
	}
	if again, err := a.DecideOnce(t.Context(), c, "order-9", "count.1", never); err != nil || !again.Duplicate || f.version(t, "count.1") != before+1 {
		t.Errorf("got %+v, %v", again, err)
	}

	for _, id := range []string{"", "a b", strings.Repeat("x", 125)} {
		if _, err := a.DecideOnce(t.Context(), c, id, "count.1", never); err == nil {
			t.Errorf("the request id %q is taken", id)
		}
	}
}

// TestDecideOnceAfterAnEarlyConflict: nobody remembers it, so that whoever takes the id next may commit under it. A try with
// another id would make the decision a second time.
func TestDecideOnceAfterAnEarlyConflict(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t)
	c := w.client(t, client.Options{TryTimeout: short})
	conflicts := []event.Conflict{{Stream: "count.1", Want: 0, Have: 1}}
	f.mu.Lock()
	f.faults = []fault{works, works, fails(&event.ConflictError{Conflict: conflicts[0], All: conflicts, Early: true})} // Outcome, Load, Append
	f.mu.Unlock()
	a := client.Aggregate[tally]{Evolve: tallying(new(atomic.Int64))}
	receipt, err := a.DecideOnce(t.Context(), c, "order-7", "count.1", next)
	if err != nil || receipt.RequestID != "order-7" || receipt.Duplicate {
		t.Errorf("got %+v, %v, want a receipt under the first id", receipt, err)
	}
	if n := len(f.seen()); n != 2 {
		t.Errorf("%d appends were tried, want 2", n)
	}
}

// TestDecideOnceAmongRivals has many make the same decisions at once, each with other content, while replies and
// requests get lost and others append to the same stream.
func TestDecideOnceAmongRivals(t *testing.T) {
	const decisions, rivals = 8, 4
	w := newWorld(t)
	f := w.serveFaulty(t)
	c := w.client(t, client.Options{TryTimeout: short})
	a := client.Aggregate[tally]{Evolve: tallying(new(atomic.Int64)), Tries: 1000}
	f.mu.Lock()
	for range 12 {
		f.faults = append(f.faults, lostReply, works, fails(event.ErrNoQuorum), works, works, works, lostRequest, works, works)
	}
	f.mu.Unlock()
	var mu sync.Mutex
	receipts := make(map[string]event.Receipt)
	var running sync.WaitGroup
	for rival := range rivals {
		running.Go(func() {
			for d := range decisions {
				id := fmt.Sprint("decision-", d)
				receipt, err := a.DecideOnce(t.Context(), c, id, "count.1", func(client.State[tally]) ([]event.Event, error) {
					return []event.Event{{Type: "Decided", Data: fmt.Appendf(nil, "[%d,%d]", d, rival)}}, nil
				})
				if err != nil {
					t.Errorf("%s: %v", id, err)
					continue
				}
				mu.Lock()
				if first, known := receipts[id]; known && first.Position != receipt.Position {
					t.Errorf("%s: one is told %s, another %s", id, first.Position, receipt.Position)
				}
				receipts[id] = receipt
				mu.Unlock()
			}
		})
	}
	running.Wait()
	made := make(map[string]int)
	for e, err := range c.Events(context.Background(), event.ReadArgs{Stream: "count.1"}) {
		if err != nil {
			t.Fatal(err)
		}
		d, _, _ := strings.Cut(string(e.Data), ",")
		made[d]++
	}
	for d, n := range made {
		if n != 1 {
			t.Errorf("decision %s was made %d times", d, n)
		}
	}
	if len(made) != decisions {
		t.Errorf("%d decisions were made, want %d", len(made), decisions)
	}
}
