package node_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/node/nodetest"
)

// TestFrontierMovesAtOnce: in a quiet cluster a reader at the end of the log gets an event without waiting for any
// interval, at whichever node; when all is done nothing is sent any more. Time is virtual: it passes only while
// everybody waits.
func TestFrontierMovesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nodetest.New(t, 3)
		var after event.Position
		for i := range 6 {
			reader, writer := c.Nodes[i%3], c.Nodes[i/2]
			start := time.Now()
			found := make(chan event.Page, 1)
			go func() {
				page, err := reader.Read(t.Context(), event.ReadArgs{After: after, Wait: time.Hour})
				if err != nil {
					t.Error(err)
				}
				found <- page
			}()
			synctest.Wait()
			receipt, err := writer.Append(t.Context(), opened("account.1", 0))
			if err != nil {
				t.Fatal(err)
			}
			page := <-found
			if waited := time.Since(start); len(page.Events) != 1 || page.Events[0].Position != receipt.Position || waited > 0 {
				t.Errorf("got %d events at %s after %s, want the one at %s at once", len(page.Events), page.Next, waited, receipt.Position)
			}
			after = page.Next
			status, err := reader.Status(t.Context())
			if err != nil || status.LastAt.IsZero() || status.FrontierAt.Before(status.LastAt) || time.Since(status.LastAt).Abs() > time.Second {
				t.Errorf("the status says %s of the last event and %s of the frontier at %s, error %v", status.LastAt, status.FrontierAt, time.Now(), err)
			}
			<-time.After(time.Minute)
		}
	})
}

// TestFrontierKeepsUp: while many write, everything that is acknowledged lies up to the frontier of every node
// within 50 ms, by some forty fences a second; and when all is written nothing is sent any more.
func TestFrontierKeepsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nodetest.New(t, 3)
		const load, delay = 300 * time.Millisecond, 2 * time.Millisecond
		c.Slow(delay)
		<-time.After(time.Second) // clocks start reserved ahead, and no fence lies in that
		var running sync.WaitGroup
		start := time.Now()
		var worst atomic.Int64
		for w := range 6 {
			running.Go(func() {
				for i := 0; time.Since(start) < load; i++ {
					receipt, err := c.Nodes[w%3].Append(t.Context(), opened(event.StreamOf("account", fmt.Sprint(w)), i))
					if err != nil {
						t.Error(err)
						return
					}
					acked := time.Now()
					for _, m := range c.Nodes {
						running.Go(func() {
							if _, err := m.Frontier(t.Context(), receipt.Position, false); err != nil {
								t.Error(err)
							}
							if lag := int64(time.Since(acked)); lag > worst.Load() {
								worst.Store(lag)
							}
						})
					}
				}
			})
		}
		running.Wait()
		fences := uint64(0)
		for _, m := range c.Nodes {
			status, err := m.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			fences += status.Counters["fences"]
		}
		if lag := time.Duration(worst.Load()); lag > 50*time.Millisecond || fences > 20 {
			t.Errorf("the frontier lags by up to %s with %d fences in %s, want 50ms with 20", lag, fences, load)
		}
		t.Logf("lag up to %s, %d fences in %s", time.Duration(worst.Load()), fences, load)
		<-time.After(time.Minute) // what is over is forgotten meanwhile, by exclusive fences
		sent := c.Sent()
		<-time.After(time.Hour)
		if more := c.Sent() - sent; more > 0 {
			t.Errorf("%d messages in an hour in which nothing happened", more)
		}
	})
}

// BenchmarkFrontier measures appends to streams of their own with the frontier moved at different intervals, and how
// long after its acknowledgement an event lies up to the frontier of the node that acknowledged it.
func BenchmarkFrontier(b *testing.B) {
	for _, every := range []time.Duration{time.Hour, 100 * time.Millisecond, 50 * time.Millisecond, 25 * time.Millisecond, 10 * time.Millisecond} {
		b.Run(fmt.Sprintf("every=%s", every), func(b *testing.B) {
			c := nodetest.NewTuned(b, 3, accord.Config{FenceEvery: uint64(every.Microseconds())})
			var next atomic.Int64
			var mu sync.Mutex
			var lags []time.Duration
			var watching sync.WaitGroup
			watch := func(m *nodetest.Member, p event.Position) {
				start := time.Now()
				if _, err := m.Frontier(b.Context(), p, false); err == nil {
					mu.Lock()
					lags = append(lags, time.Since(start))
					mu.Unlock()
				}
			}
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := next.Add(1)
					m := c.Nodes[i%3]
					receipt, err := m.Append(b.Context(), opened(event.StreamOf("account", fmt.Sprint(i)), 0))
					if err != nil {
						b.Fatal(err)
					}
					if every < time.Hour && i%10 == 0 {
						watching.Go(func() { watch(m, receipt.Position) })
					}
				}
			})
			b.StopTimer()
			watching.Wait()
			report(b, c, lags)
		})
	}
}

// report reports what a benchmark of appends came to.
func report(b *testing.B, c *nodetest.Cluster, lags []time.Duration) {
	counted := make(map[string]float64)
	for _, m := range c.Nodes {
		status, err := m.Status(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for name, n := range status.Counters {
			counted[name] += float64(n)
		}
	}
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(b.N)/seconds, "appends/s")
	b.ReportMetric(counted["fences"]/seconds, "fences/s")
	b.ReportMetric(counted["messages_sent"]/float64(b.N), "messages/append")
	b.ReportMetric(counted["syncs"]/float64(b.N), "syncs/append")
	b.ReportMetric(100*counted["fast"]/(counted["fast"]+counted["slow"]), "%fast")
	if len(lags) > 0 {
		slices.Sort(lags)
		b.ReportMetric(lags[len(lags)/2].Seconds()*1000, "lag-p50-ms")
		b.ReportMetric(lags[len(lags)*99/100].Seconds()*1000, "lag-p99-ms")
	}
}
