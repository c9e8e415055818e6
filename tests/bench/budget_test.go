package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/nats-io/nats.go"

	"natsaccord/client/load"
	"natsaccord/event"
)

// BenchmarkBudget measures what an append costs the whole of three nodes, their NATS servers and the client: messages and
// bytes between nodes, syncs, SQL statements and round trips, allocations, and CPU time by stage. docs/performance.md has
// the budget.
func BenchmarkBudget(b *testing.B) {
	for _, store := range []candidate{{name: "sqlite", start: onSQLite(false)}, {name: "postgres", start: onPostgres(false)}} {
		for _, kind := range expenses() {
			for _, inFlight := range []int{1, 16, 64, 256} {
				b.Run(fmt.Sprintf("%s/%s/inflight=%d", store.name, kind.name, inFlight), func(b *testing.B) {
					started, err := store.start(b.Context(), b.TempDir())
					if err != nil {
						b.Fatal(err)
					}
					defer func() {
						if err := started.close(); err != nil {
							b.Error(err)
						}
					}()
					spend(b, started.(*accordCluster), kind.do, inFlight)
				})
			}
		}
	}
}

// expense is a kind of request that the budget is broken down for.
type expense struct {
	name string
	do   func(*contestant, context.Context, load.Call, int) error
}

func expenses() []expense {
	return []expense{
		{"append", (*contestant).append},       // to a stream that nobody else has, at its version
		{"pair", (*contestant).appendPair},     // to two such streams at once
		{"contested", (*contestant).appendHot}, // to one of 10 streams that all share, at its version, until in time
	}
}

// appendPair appends to two streams at once that no other request has.
func (c *contestant) appendPair(ctx context.Context, call load.Call, size int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	pair := []load.Stream{c.streams.Take(), c.streams.Take()}
	var a event.Append
	for _, s := range pair {
		name := event.Stream("bench." + s.Name)
		a.Conditions = append(a.Conditions, event.Condition{Stream: name, Expect: event.Expect(s.Version)})
		a.Events = append(a.Events, event.Event{Stream: name, Type: "Filled", Data: c.text.data(size, anyRandom())})
	}
	clients := c.system.(*accordCluster).clients
	_, err := clients[call.Worker%len(clients)].Append(ctx, a)
	for _, s := range pair {
		if err != nil {
			c.streams.Replace(s)
		} else {
			c.streams.Return(s)
		}
	}
	return err
}

// spend makes b.N requests, and reports what each took.
func spend(b *testing.B, a *accordCluster, do func(*contestant, context.Context, load.Call, int) error, inFlight int) {
	c := newContestant(candidate{}, a, settings{bytes: 256, streams: 10_000})
	request := func(ctx context.Context, call load.Call) error { return do(c, ctx, call, 256) }
	run := func(n uint64) load.Result {
		r, err := load.Run(b.Context(), load.Config{Concurrency: inFlight, Count: n, Duration: time.Hour, Kind: kind}, request)
		if err != nil || r.Errors() > 0 {
			b.Fatalf("%v, failed: %v", err, r.Failed)
		}
		return r
	}
	c.system = a
	run(uint64(2 * inFlight))
	counted, memory, talk := a.counters(b), allocations(), a.talk()
	var cpu bytes.Buffer
	profiling := pprof.StartCPUProfile(&cpu) == nil // not while the whole test is profiled
	b.ResetTimer()
	r := run(uint64(b.N))
	b.StopTimer()
	if profiling {
		pprof.StopCPUProfile()
	}
	n := float64(b.N)
	if profiling {
		reportStages(b, cpu.Bytes(), n)
	}
	after := allocations()
	b.ReportMetric(float64(after.Mallocs-memory.Mallocs)/n, "allocs/txn")
	b.ReportMetric(float64(after.TotalAlloc-memory.TotalAlloc)/n, "allocB/txn")
	reportCounters(b, counted, a.counters(b), n)
	heard := a.talk()
	b.ReportMetric(float64(heard.OutMsgs-talk.OutMsgs)/n, "requests/txn")
	b.ReportMetric(float64(heard.InMsgs-talk.InMsgs)/n, "replies/txn")
	b.ReportMetric(r.Rate, "txn/s")
	b.ReportMetric(float64(r.Latency.P50.Microseconds()), "p50-µs")
	b.ReportMetric(float64(r.Latency.P99.Microseconds()), "p99-µs")
	b.ReportMetric(0, "ns/op") // says nothing that txn/s does not
}

func allocations() (m runtime.MemStats) {
	runtime.ReadMemStats(&m)
	return m
}

// talk sums up what the clients' connections have sent and received.
func (a *accordCluster) talk() (sum nats.Statistics) {
	for _, nc := range a.conns {
		s := nc.Stats()
		sum.OutMsgs, sum.InMsgs = sum.OutMsgs+s.OutMsgs, sum.InMsgs+s.InMsgs
	}
	return sum
}

// counters sums up what all nodes have counted.
func (a *accordCluster) counters(b *testing.B) map[string]uint64 {
	sum := make(map[string]uint64)
	for _, m := range a.members {
		s, err := m.Status(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for name, n := range s.Counters {
			sum[name] += n
		}
	}
	return sum
}

// reportCounters reports what the nodes did together for each transaction; syncs are of one node.
func reportCounters(b *testing.B, before, after map[string]uint64, n float64) {
	did := func(name string) float64 { return float64(after[name] - before[name]) }
	for _, m := range []struct{ counter, unit string }{
		{"bus_sent_messages", "messages/txn"}, {"bus_sent_frames", "frames/txn"}, {"bus_sent_bytes", "bytes/txn"},
		{"store_statements", "statements/txn"}, {"store_round_trips", "roundtrips/txn"}, {"resent", "resent/txn"},
	} {
		b.ReportMetric(did(m.counter)/n, m.unit)
	}
	b.ReportMetric(did("syncs")/n/clusterSize, "syncs/txn/node")
	b.ReportMetric(n*clusterSize/max(did("syncs"), 1), "txn/sync") // appends, which may share a transaction
	b.ReportMetric(100*did("fast")/max(did("fast")+did("slow")+did("recovered"), 1), "%fast")
}

// stages are told apart by functions on the stack; the first that matches counts.
func stages() []struct{ name, function string } {
	return []struct{ name, function string }{
		{"decode", "natsaccord/bus.(*Peers).receive"},
		{"encode", "natsaccord/bus.(*Peers).publishAll"},
		{"core", "natsaccord/node.(*Node).loop"},
		{"journal", "natsaccord/node.(*Node).write"},
		{"apply", "natsaccord/node.(*Node).applyLane"},
		{"apply", "natsaccord/node.(*Node).execute"},
		{"serve", "natsaccord/bus.(*Service)"},
		{"client", "natsaccord/client"},
		{"client", "natsaccord/tests/bench"},
		{"nats", "github.com/nats-io"},
		{"gc", "runtime.gcBgMarkWorker"},
		{"gc", "runtime.bgsweep"},
	}
}

// reportStages reports CPU time by stage, from a profile.
func reportStages(b *testing.B, data []byte, n float64) {
	p, err := profile.ParseData(data)
	if err != nil {
		b.Fatal(err)
	}
	if path := os.Getenv("ACCORD_BENCH_PROFILE"); path != "" {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	total := 0.0
	sums := map[string]float64{"rest": 0}
	for _, s := range stages() {
		sums[s.name] = 0
	}
	for _, sample := range p.Sample {
		micros := float64(sample.Value[len(sample.Value)-1]) / 1000
		sums[stageOf(sample)] += micros
		total += micros
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		b.ReportMetric(sums[name]/n, "µs-"+name)
	}
	b.ReportMetric(total/n, "µs-cpu")
}

func stageOf(sample *profile.Sample) string {
	for _, s := range stages() {
		for _, location := range sample.Location {
			for _, line := range location.Line {
				if strings.HasPrefix(line.Function.Name, s.function) {
					return s.name
				}
			}
		}
	}
	return "rest"
}
