package sqlstore_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/sqlstore"
)

// BenchmarkApply measures what one node's database makes of appends of 256 B to 10,000 streams, in batches of 100: each
// is recorded twice in the journal, applied, and written.
func BenchmarkApply(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			cfg := sqlstore.Config{URL: "sqlite:" + b.TempDir() + "/a.db", Cluster: "c", Node: "n1", Nodes: []string{"n1", "n2"}}
			if kind == "postgres" {
				cfg.URL, cfg.Journal = server.Database(b), b.TempDir()
			}
			s, err := sqlstore.Open(b.Context(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			data := []byte(`"` + strings.Repeat("x", 254) + `"`)
			const size = 100
			b.ReportAllocs()
			before := cpuTime()
			for at := 0; b.Loop(); at += size {
				batch := make([]accord.Execution, size)
				for i := range batch {
					stream := event.Stream(fmt.Sprintf("bench.%d", (at+i)*7919%10_000))
					batch[i] = benchExecution(b, uint64(1000+at+i), event.Append{Events: []event.Event{{Stream: stream, Type: "Noted", Data: data}}})
				}
				apply(b, s, batch)
			}
			if _, err := s.Head(b.Context(), "bench.0"); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N*size), "µs-cpu/txn")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/txn")
		})
	}
}

// cpuTime is what the process has taken of the processors so far.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func apply(b *testing.B, s *sqlstore.Store, batch []accord.Execution) {
	recorded := make([]accord.Record, len(batch))
	for i := range batch {
		recorded[i] = batch[i].Record
		recorded[i].Status = accord.StatusPreAccepted
	}
	if err := s.AppendRecords(b.Context(), recorded, nil); err != nil {
		b.Fatal(err)
	}
	for i := range batch {
		recorded[i].Status, recorded[i].Txn = accord.StatusStable, nil
	}
	if err := s.AppendRecords(b.Context(), recorded, nil); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Apply(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
}

func benchExecution(b *testing.B, hlc uint64, a event.Append) accord.Execution {
	cmd, err := event.NewAppend(a, event.DefaultLimits())
	if err != nil {
		b.Fatal(err)
	}
	body, err := cmd.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	deps := accord.NewDeps(at(1), nil)
	return accord.Execution{Record: accord.Record{ID: txn(hlc), Txn: &accord.Txn{Keys: accord.NewKeys([]accord.Key{"s" + accord.Key(a.Events[0].Stream)}), Body: body},
		Status: accord.StatusStable, Vote: at(hlc), VoteFast: true, ExecuteAt: at(hlc), Deps: &deps}}
}
