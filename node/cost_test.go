package node_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/node/nodetest"
)

// turn is one of several things that are measured by turns, so that all see the same machine.
type turn struct {
	name      string
	c         *nodetest.Cluster
	do        func()
	each      int       // how many of what is measured do does
	wall, cpu []float64 // seconds of each round
	sent      uint64    // batches of messages
}

// takeTurns does a round of each, b.N times, beginning with another one each time. It reports the median over all rounds of what each
// takes as a multiple of what the first takes, in time and in CPU time of the whole process, and its messages.
func takeTurns(b *testing.B, turns []*turn) {
	for round := 0; b.Loop(); round++ {
		for i := range turns {
			turns[(round+i)%len(turns)].once()
		}
	}
	for _, t := range turns {
		b.ReportMetric(medianRatio(t.wall, turns[0].wall), t.name+"-time")
		b.ReportMetric(medianRatio(t.cpu, turns[0].cpu), t.name+"-cpu")
		b.ReportMetric(float64(t.sent)/float64(t.each*len(t.wall)), t.name+"-messages")
	}
	b.ReportMetric(0, "ns/op") // of all turns together it says nothing
}

func (t *turn) once() {
	start, cpu, sent := time.Now(), spent(), t.c.Sent()
	t.do()
	t.wall = append(t.wall, time.Since(start).Seconds())
	t.cpu = append(t.cpu, (spent() - cpu).Seconds())
	t.sent += t.c.Sent() - sent
}

// spent is the CPU time of this process so far.
func spent() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// medianRatio compares round by round: a disturbed round spoils one ratio and not the whole.
func medianRatio(of, to []float64) float64 {
	ratios := make([]float64, len(of))
	for i := range of {
		ratios[i] = of[i] / to[i]
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// appendMany makes n appends to streams of their own through all nodes, 32 at a time.
func appendMany(b *testing.B, c *nodetest.Cluster, category string, n int) {
	var next atomic.Int64
	var running sync.WaitGroup
	for w := range 32 {
		running.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if _, err := c.Nodes[w%3].Append(b.Context(), opened(event.StreamOf(category, fmt.Sprint(i)), 0)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
}

// BenchmarkFrontierCost has clusters whose frontiers move at different intervals, or not at all, take turns at the same appends.
// docs/log.md has the table.
func BenchmarkFrontierCost(b *testing.B) {
	const appends = 1000
	var turns []*turn
	for _, every := range []time.Duration{time.Hour, 100 * time.Millisecond, 50 * time.Millisecond, 10 * time.Millisecond} { // the first is never
		t := &turn{name: every.String(), c: nodetest.NewTuned(b, 3, accord.Config{FenceEvery: uint64(every.Microseconds())}), each: appends}
		t.do = func() { appendMany(b, t.c, fmt.Sprint("round-", len(t.wall)), appends) }
		appendMany(b, t.c, "warm", appends)
		turns = append(turns, t)
	}
	takeTurns(b, turns)
}

// BenchmarkReadCost has reads with each consistency, of a stream and of the log, take turns at a node of a cluster that is quiet, or
// where others write through the other nodes. at_least asks for the event that was acknowledged last. Messages and CPU time of a busy cluster are the writers' too.
// docs/log.md has the table.
func BenchmarkReadCost(b *testing.B) {
	for name, writers := range map[string]int{"quiet": 0, "busy": 4} {
		b.Run(name, func(b *testing.B) {
			const reads, streams = 100, 100
			c := nodetest.New(b, 3)
			last := new(atomic.Pointer[event.Position])
			for i := range 10 * streams {
				receipt, err := c.Nodes[0].Append(b.Context(), opened(event.StreamOf("read", fmt.Sprint(i%streams)), i))
				if err != nil {
					b.Fatal(err)
				}
				last.Store(&receipt.Position)
			}
			defer write(b, c, writers, last)()
			var turns []*turn
			for _, of := range []string{"stream", "log"} {
				for _, consistency := range []event.Consistency{event.Local, event.AtLeast, event.Frontier, event.Linearizable} {
					turns = append(turns, &turn{name: of + "-" + string(consistency), c: c, each: reads, do: func() {
						for range reads {
							args := event.ReadArgs{Limit: 10, Consistency: consistency}
							if of == "stream" {
								args.Stream = event.StreamOf("read", fmt.Sprint(rand.IntN(streams)))
							}
							if consistency == event.AtLeast {
								args.MinPosition = *last.Load()
							}
							if page, err := c.Nodes[0].Read(b.Context(), args); err != nil || len(page.Events) != 10 {
								b.Fatalf("%s: got %d events, %v", consistency, len(page.Events), err)
							}
						}
					}})
				}
			}
			takeTurns(b, turns)
		})
	}
}

// write has writers append through nodes 2 and 3, and note what was acknowledged last, until the function it returns is called.
func write(b *testing.B, c *nodetest.Cluster, writers int, last *atomic.Pointer[event.Position]) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				receipt, err := c.Nodes[1+w%2].Append(b.Context(), opened(event.StreamOf("write", fmt.Sprint(w)), i))
				if err != nil {
					b.Error(err)
					return
				}
				last.Store(&receipt.Position)
			}
		})
	}
	return func() { close(done); running.Wait() }
}
