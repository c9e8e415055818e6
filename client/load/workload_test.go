package load_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"natsaccord/client/load"
	"natsaccord/event"
	"natsaccord/event/eventtest"
)

const workers = 8

// put puts a workload on a store in memory, 400 requests, none of which may fail.
func put(t *testing.T, w load.Workload) (*eventtest.Memory, *load.Load) {
	t.Helper()
	m := eventtest.NewMemory()
	l, err := load.New(w, []load.Target{m, m}, workers)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := load.Run(t.Context(), load.Config{Concurrency: workers, Count: 400, Duration: time.Minute}, l.Do)
	if err != nil {
		t.Fatal(err)
	}
	if r.Done != 400 || r.Errors() != 0 {
		t.Fatalf("got %d done and %v failed, want 400 and none", r.Done, r.Failed)
	}
	return m, l
}

// all returns what stands in the log.
func all(t *testing.T, m *eventtest.Memory) []event.Event {
	t.Helper()
	var events []event.Event
	for page := (event.Page{}); !page.End; {
		var err error
		if page, err = m.Read(t.Context(), event.ReadArgs{After: page.Next, Limit: 1000}); err != nil {
			t.Fatal(err)
		}
		events = append(events, page.Events...)
	}
	return events
}

// lengths returns how many events each stream has.
func lengths(events []event.Event) map[event.Stream]int {
	n := make(map[event.Stream]int)
	for i := range events {
		n[events[i].Stream]++
	}
	return n
}

func TestWorkloadsWrite(t *testing.T) {
	for _, c := range []struct {
		w                load.Workload
		events, streams  int // in all; streams 0: any number
		longest, atLeast int // events of the longest stream
	}{
		{load.Workload{Kind: load.Uncontended, Streams: 8}, 400, 8, 400, 50},
		{load.Workload{Kind: load.Uncontended, Streams: 8, Expect: true}, 400, 8, 400, 50},
		{load.Workload{Kind: load.Uncontended, Fresh: true, Expect: true}, 400, 400, 1, 1},
		{load.Workload{Kind: load.Update, Streams: 8}, 400, 8, 400, 50},
		{load.Workload{Kind: load.Hot}, 400, 10, 400, 40},
		{load.Workload{Kind: load.Hot, Expect: true, Streams: 1}, 400, 1, 400, 400},
		{load.Workload{Kind: load.Zipf, Streams: 1000}, 400, 0, 399, 20},
		{load.Workload{Kind: load.Zipf, Streams: 1000, Expect: true}, 400, 0, 399, 20},
		{load.Workload{Kind: load.Transaction, Streams: 5}, 800, 5, 400, 160},
		{load.Workload{Kind: load.Transaction, Streams: 5, Unguarded: true}, 800, 5, 400, 160},
		{load.Workload{Kind: load.Transaction, Streams: 5, Span: 3, Expect: true}, 1200, 5, 400, 240},
	} {
		t.Run(fmt.Sprintf("%s,expect=%t,streams=%d", c.w.Kind, c.w.Expect, c.w.Streams), func(t *testing.T) {
			m, _ := put(t, c.w)
			events := all(t, m)
			n := lengths(events)
			longest := 0
			for _, length := range n {
				longest = max(longest, length)
			}
			if len(events) != c.events || c.streams != 0 && len(n) != c.streams || longest > c.longest || longest < c.atLeast {
				t.Errorf("got %d events in %d streams, the longest of %d: want %+v", len(events), len(n), longest, c)
			}
		})
	}
}

func TestDataIsAsLargeAsDemanded(t *testing.T) {
	for _, size := range []int{12, 256, 4096, 64 << 10} {
		m, _ := put(t, load.Workload{Kind: load.Uncontended, Bytes: size})
		events := all(t, m)
		if got := len(events[0].Data); got != size {
			t.Errorf("got data of %d bytes, want %d", got, size)
		}
		if size >= 256 && string(events[0].Data) == string(events[1].Data) {
			t.Error("two events hold the same data")
		}
	}
}

func TestReadsFindWhatWasPrepared(t *testing.T) {
	for _, consistency := range []event.Consistency{"", event.Local, event.Linearizable, event.AtLeast, event.Frontier} {
		put(t, load.Workload{Kind: load.Read, Streams: 250, Consistency: consistency})
	}
	l, err := load.New(load.Workload{Kind: load.Read}, []load.Target{eventtest.NewMemory()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Do(t.Context(), load.Call{}); err == nil {
		t.Error("a read that finds nothing succeeds")
	}
}

// failing fails every second append.
type failing struct {
	*eventtest.Memory
	n atomic.Int64
}

func (f *failing) Append(ctx context.Context, a event.Append) (event.Receipt, error) {
	receipt, err := f.Memory.Append(ctx, a)
	if err == nil && f.n.Add(1)%2 == 0 {
		return event.Receipt{}, &event.UnknownError{RequestID: receipt.RequestID, Err: errors.New("the answer is lost")}
	}
	return receipt, err
}

// TestUnknownOutcomesAreNotBuiltUpon: after an unknown outcome the version of a stream is unknown, and expecting
// one would only count conflicts that are the load's own fault.
func TestUnknownOutcomesAreNotBuiltUpon(t *testing.T) {
	f := &failing{Memory: eventtest.NewMemory()}
	l, err := load.New(load.Workload{Kind: load.Uncontended, Streams: 8, Expect: true}, []load.Target{f}, workers)
	if err != nil {
		t.Fatal(err)
	}
	r, err := load.Run(t.Context(), load.Config{Concurrency: workers, Count: 400}, l.Do)
	if err != nil || fmt.Sprint(r.Failed) != "map[unknown:200]" || r.Done != 200 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestConflictsAreRetriedAndCounted(t *testing.T) {
	m := eventtest.NewMemory()
	for range 3 { // the load does not know of these
		if _, err := m.Append(t.Context(), event.Append{Events: []event.Event{{Stream: "bench.0", Type: "T", Data: []byte("1")}}}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := load.New(load.Workload{Kind: load.Hot, Streams: 1, Expect: true}, []load.Target{m}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Do(t.Context(), load.Call{}); err != nil || l.Retries() != 1 {
		t.Errorf("got %v after %d retries, want success after one", err, l.Retries())
	}
}

func TestBadWorkloads(t *testing.T) {
	m := []load.Target{eventtest.NewMemory()}
	for _, c := range []struct {
		w       load.Workload
		targets []load.Target
		workers int
		want    string
	}{
		{load.Workload{}, m, 1, "Kind"},
		{load.Workload{Kind: "nonsense"}, m, 1, "Kind"},
		{load.Workload{Kind: load.Hot}, nil, 1, "nothing"},
		{load.Workload{Kind: load.Hot}, m, 0, "workers"},
		{load.Workload{Kind: load.Hot, Bytes: 3}, m, 1, "Bytes"},
		{load.Workload{Kind: load.Hot, Streams: -1}, m, 1, "Streams"},
		{load.Workload{Kind: load.Uncontended, Streams: 2}, m, 3, "one for each"},
		{load.Workload{Kind: load.Update, Streams: 2}, m, 3, "one for each"},
		{load.Workload{Kind: load.Zipf, Skew: 1}, m, 1, "Skew"},
		{load.Workload{Kind: load.Transaction, Streams: 2, Span: 3}, m, 1, "Span"},
	} {
		if _, err := load.New(c.w, c.targets, c.workers); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want an error about %s", c.w, err, c.want)
		}
	}
}

// conditions notes the streams of which something is demanded.
type conditions struct {
	*eventtest.Memory
	mu      sync.Mutex
	streams []event.Stream
}

func (c *conditions) Append(ctx context.Context, a event.Append) (event.Receipt, error) {
	c.mu.Lock()
	for _, condition := range a.Conditions {
		c.streams = append(c.streams, condition.Stream)
	}
	c.mu.Unlock()
	return c.Memory.Append(ctx, a)
}

func TestTransactionsAreGuarded(t *testing.T) {
	for unguarded, want := range map[bool][]event.Stream{false: {"bench.closed-0"}, true: nil} {
		c := &conditions{Memory: eventtest.NewMemory()}
		l, err := load.New(load.Workload{Kind: load.Transaction, Streams: 1, Span: 1, Unguarded: unguarded}, []load.Target{c}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Do(t.Context(), load.Call{}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.streams, want) {
			t.Errorf("unguarded %t: something is demanded of %q, want %q", unguarded, c.streams, want)
		}
	}
}
