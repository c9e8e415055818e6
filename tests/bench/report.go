package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// lastRound is a line about the round that just ended.
func (c *contestant) lastRound(number int) string {
	if number == 0 {
		return fmt.Sprintf("warmed up %s", c.name)
	}
	r := c.rounds[len(c.rounds)-1]
	return fmt.Sprintf("round %d  %-18s %8.0f/s  p50 %8s  p99 %8s  CPU %5.0f µs an append  machine %3.0f %% busy  failed %v", number, c.name, r.Rate,
		r.Latency.P50.Round(10*time.Microsecond), r.Latency.P99.Round(10*time.Microsecond), r.perAppend(), 100*r.busy, r.Failed)
}

// perAppend is the CPU time of this process for each append, in microseconds.
func (r *round) perAppend() float64 {
	return float64(r.cpu.Microseconds()) / float64(max(r.Done, 1))
}

// median returns the middle one of what of finds in each round, and the smallest and the largest.
func median[T int64 | float64](rounds []round, of func(*round) T) (middle, least, most T) {
	all := make([]T, len(rounds))
	for i := range rounds {
		all[i] = of(&rounds[i])
	}
	slices.Sort(all)
	return all[len(all)/2], all[0], all[len(all)-1]
}

func rate(r *round) float64 { return r.Rate }

// errors counts the requests of all rounds that failed.
func (c *contestant) errors() (n uint64) {
	for i := range c.rounds {
		n += c.rounds[i].Errors()
	}
	return n
}

// report prints the table: medians over the rounds, how far they spread, and ratios of medians.
func report(out io.Writer, s settings, contestants []*contestant) error {
	workload := fmt.Sprintf("%d B to a random one of %d streams, expected version", s.bytes, s.streams)
	if s.hot {
		workload = fmt.Sprintf("%d B to a random one of %d streams that all share, expected version, repeated until in time", s.bytes, hotStreams)
	}
	fmt.Fprintf(out, "\n%s; %d in flight; medians of %d rounds of %s\n", workload, s.concurrency, s.rounds, s.round)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprint(w, "SYSTEM\tDURABLE\tPER SECOND\tLEAST\tMOST\tP50\tP99\tCPU µs\tBUSY\tERRORS")
	for _, other := range contestants {
		if other.isYardstick() {
			fmt.Fprintf(w, "\t× %s", other.name)
		}
	}
	fmt.Fprintln(w)
	for _, c := range contestants {
		middle, least, most := median(c.rounds, rate)
		p50, _, _ := median(c.rounds, func(r *round) int64 { return int64(r.Latency.P50) })
		p99, _, _ := median(c.rounds, func(r *round) int64 { return int64(r.Latency.P99) })
		cpu, _, _ := median(c.rounds, (*round).perAppend)
		busy, _, _ := median(c.rounds, func(r *round) float64 { return r.busy })
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%.0f\t%.0f\t%s\t%s\t%.0f\t%.0f %%\t%d", c.name, c.durable, middle, least, most,
			time.Duration(p50).Round(10*time.Microsecond), time.Duration(p99).Round(10*time.Microsecond), cpu, 100*busy, c.errors())
		for _, other := range contestants {
			if other.isYardstick() {
				base, _, _ := median(other.rounds, rate)
				fmt.Fprintf(w, "\t%.2f", middle/max(base, 1))
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "\nCPU µs: of this process for each append, which holds clients and servers but not Postgres; BUSY: the whole machine")
	return w.Flush()
}

// isYardstick tells whether others are compared with this system.
func (c *contestant) isYardstick() bool {
	return c.name == "jetstream-always" || c.name == "etcd" || c.name == "postgres"
}
