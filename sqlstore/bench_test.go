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

// BenchmarkApply measures what one node's database makes of appends of 256 B to 10,000 streams, in batches of 100 in ten
// bundles: each bundle is recorded twice in the journal, applied, and written.
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
			const size, bundle = 100, 10
			b.ReportAllocs()
			before := cpuTime()
			for at := 0; b.Loop(); at += size {
				batch := make([]accord.Execution, size/bundle)
				for i := range batch {
					appends := make([]event.Append, bundle)
					for j := range appends {
						stream := event.Stream(fmt.Sprintf("bench.%d", (at+i*bundle+j)*7919%10_000))
						appends[j] = event.Append{Events: []event.Event{{Stream: stream, Type: "Noted", Data: data}}}
					}
					batch[i] = benchExecution(b, uint64(1000+at+i), appends)
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

func benchExecution(b *testing.B, hlc uint64, appends []event.Append) accord.Execution {
	var all event.Command
	for _, a := range appends {
		cmd, err := event.NewAppend(a, event.DefaultLimits())
		if err != nil {
			b.Fatal(err)
		}
		all.Bundle = append(all.Bundle, cmd)
	}
	body, err := all.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	var keys []accord.Key
	for _, key := range all.Keys() {
		keys = append(keys, accord.Key(key))
	}
	deps := accord.NewDeps(at(1), nil)
	return accord.Execution{Record: accord.Record{ID: txn(hlc), Txn: &accord.Txn{Keys: accord.NewKeys(keys), Body: body},
		Status: accord.StatusStable, Vote: at(hlc), VoteFast: true, ExecuteAt: at(hlc), Deps: &deps}}
}

// BenchmarkReadAgain measures how long a node takes to read its log, in pages of 1,000 events of 256 B, as it does again and again to compare
// it with what it was. docs/log.md has what came out.
func BenchmarkReadAgain(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			cfg := sqlstore.Config{URL: "sqlite:" + b.TempDir() + "/a.db", Cluster: "c", Node: "n1"}
			if kind == "postgres" {
				cfg.URL = server.Database(b)
			}
			s, err := sqlstore.Open(b.Context(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			const pages, size = 10, 1000
			data := []byte(`"` + strings.Repeat("x", 254) + `"`)
			for i := range pages * size / 100 {
				events := make([]event.Event, 100)
				for j := range events {
					events[j] = event.Event{Stream: event.Stream(fmt.Sprintf("bench.%d", (100*i+j)%1000)), Type: "Noted", Data: data}
				}
				if err := s.Write(b.Context(), events); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			var after event.Position
			for b.Loop() {
				page, err := s.Read(b.Context(), event.ReadArgs{After: after, Limit: size})
				if err != nil || len(page.Events) != size {
					b.Fatalf("got %d events, %v", len(page.Events), err)
				}
				if after = page.Next; page.End {
					after = ""
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/event")
		})
	}
}
