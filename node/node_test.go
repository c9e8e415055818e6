package node_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"natsaccord/event"
	"natsaccord/node/nodetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func opened(stream event.Stream, n int) event.Append {
	return event.Append{Events: []event.Event{{Stream: stream, Type: "Opened", Data: fmt.Appendf(nil, `{"n":%d}`, n)}}}
}

// log reads the whole log of a node as it is there now.
func log(t *testing.T, m *nodetest.Member) []event.Event {
	t.Helper()
	var all []event.Event
	var after event.Position
	for {
		page, err := m.Store.Read(t.Context(), event.ReadArgs{After: after, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Events...)
		if page.End {
			return all
		}
		after = page.Next
	}
}

// wait waits until every running node has applied what is acknowledged up to p.
func wait(t *testing.T, c *nodetest.Cluster, p event.Position) {
	t.Helper()
	for i, m := range c.Nodes {
		if m == nil {
			continue
		}
		if _, err := m.Read(t.Context(), event.ReadArgs{Consistency: event.AtLeast, MinPosition: p, Limit: 1}); err != nil {
			t.Fatalf("node %d never came to %s: %v", i+1, p, err)
		}
	}
}

func TestConcurrentAppendsThroughAllNodesMakeOneOrder(t *testing.T) {
	c := nodetest.New(t, 3)
	const writers, each = 12, 40
	var mu sync.Mutex
	var last event.Position
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := range each {
				stream := event.Stream(fmt.Sprintf("account.%d", i%3))
				receipt, err := c.Nodes[w%3].Append(t.Context(), opened(stream, w*each+i))
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				mu.Lock()
				last = max(last, receipt.Position)
				mu.Unlock()
			}
		})
	}
	running.Wait()
	wait(t, c, last)
	first := log(t, c.Nodes[0])
	if len(first) != writers*each {
		t.Fatalf("got %d events, want %d", len(first), writers*each)
	}
	versions := make(map[event.Stream]uint64)
	for _, e := range first {
		versions[e.Stream]++
		if e.Version != versions[e.Stream] {
			t.Fatalf("%s has version %d at %s, want %d", e.Stream, e.Version, e.Position, versions[e.Stream])
		}
	}
	for i, m := range c.Nodes[1:] {
		if other := log(t, m); !slices.EqualFunc(first, other, same) {
			t.Fatalf("the log of node %d differs from that of node 1", i+2)
		}
	}
	for _, m := range c.Nodes {
		status, _ := m.Status(t.Context())
		t.Log(status.Counters)
	}
}

func same(a, b event.Event) bool {
	return a.ID == b.ID && a.Position == b.Position && a.Version == b.Version && a.Stream == b.Stream && string(a.Data) == string(b.Data)
}

// BenchmarkAppend measures appends to streams of their own on a cluster of three in one process, and how often a
// node syncs for each.
func BenchmarkAppend(b *testing.B) {
	for _, each := range []int{1, 32} { // goroutines for each processor
		b.Run(fmt.Sprintf("inflight=%d", each*runtime.GOMAXPROCS(0)), func(b *testing.B) {
			c := nodetest.New(b, 3)
			before := c.Nodes[0].Store.Syncs()
			var next atomic.Int64
			b.SetParallelism(each)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := int(next.Add(1))
					if _, err := c.Nodes[i%3].Append(b.Context(), opened(event.Stream(fmt.Sprintf("account.%d", i)), i)); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(c.Nodes[0].Store.Syncs()-before)/float64(b.N), "syncs/op")
		})
	}
}

func TestStatusCountsWhatTheStoreDoes(t *testing.T) {
	c := nodetest.New(t, 1)
	before, err := c.Nodes[0].Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Nodes[0].Append(t.Context(), opened("account.1", 1)); err != nil {
		t.Fatal(err)
	}
	after, err := c.Nodes[0].Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"applied", "fast", "syncs", "store_statements"} {
		if after.Counters[name] <= before.Counters[name] {
			t.Errorf("an append leaves the counter %s at %d", name, after.Counters[name])
		}
	}
}
