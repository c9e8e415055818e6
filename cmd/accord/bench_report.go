package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"natsaccord/client"
	"natsaccord/client/load"
)

// measurement is what was measured at one concurrency, as --output json prints it.
type measurement struct {
	Workload    string            `json:"workload"`
	Bytes       int               `json:"bytes"` // of data in an event
	Concurrency int               `json:"concurrency"`
	Intended    float64           `json:"intended_per_second,omitempty"` // in an open loop
	Seconds     float64           `json:"seconds"`
	Done        uint64            `json:"done"`
	Rate        float64           `json:"per_second"`
	Missed      uint64            `json:"missed"`
	Retries     uint64            `json:"retries"`
	Errors      map[string]uint64 `json:"errors"`
	Latency     latency           `json:"latency_us"`
	Nodes       []nodeWork        `json:"nodes"`
}

// latency is in microseconds.
type latency struct {
	Min  int64 `json:"min"`
	Mean int64 `json:"mean"`
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p99.9"`
	Max  int64 `json:"max"`
}

// nodeWork is what a node did during a measurement.
type nodeWork struct {
	Node        string  `json:"node"`
	Store       string  `json:"store,omitempty"`
	Unreachable bool    `json:"unreachable,omitempty"`
	Applied     uint64  `json:"applied"`   // transactions
	Fast        uint64  `json:"fast"`      // decisions made here, by path
	Slow        uint64  `json:"slow"`      //
	Recovered   uint64  `json:"recovered"` //
	Syncs       uint64  `json:"syncs"`
	PerSync     float64 `json:"applied_per_sync"`
	Messages    uint64  `json:"messages"` // sent to other nodes
	Frames      uint64  `json:"frames"`   // that carried them
	FrameBytes  uint64  `json:"frame_bytes"`
	Resent      uint64  `json:"resent"`
	Statements  uint64  `json:"statements"`
	RoundTrips  uint64  `json:"round_trips"`
}

func newMeasurement(w load.Workload, r load.Result, retries uint64, nodes []nodeWork) measurement {
	l := r.Latency
	return measurement{
		Workload: string(w.Kind), Bytes: w.Bytes, Concurrency: r.Concurrency, Intended: r.Intended, Seconds: r.Elapsed.Seconds(),
		Done: r.Done, Rate: r.Rate, Missed: r.Missed, Retries: retries, Errors: r.Failed, Nodes: nodes,
		Latency: latency{
			Min: l.Min.Microseconds(), Mean: l.Mean.Microseconds(), P50: l.P50.Microseconds(), P90: l.P90.Microseconds(),
			P99: l.P99.Microseconds(), P999: l.P999.Microseconds(), Max: l.Max.Microseconds(),
		},
	}
}

// counted is a node and its counters at one time; nil counters: it did not answer.
type counted struct {
	node, store string
	incarnation uint64
	counters    map[string]uint64
}

// countersOf asks every node how much it has done.
func countersOf(ctx context.Context, c *client.Client) []counted {
	names, err := c.Nodes(ctx)
	if err != nil {
		return nil
	}
	all := make([]counted, len(names))
	for i, name := range names {
		all[i].node = name
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		if s, err := c.Status(short, name); err == nil {
			all[i] = counted{name, s.Store, s.Incarnation, s.Counters}
		}
		cancel()
	}
	return all
}

// nodeWorks returns what each node did in between. A node that was started anew has no figures: its counters
// began again.
func nodeWorks(before, after []counted) []nodeWork {
	works := make([]nodeWork, len(after))
	for i, now := range after {
		works[i] = nodeWork{Node: now.node, Store: now.store, Unreachable: true}
		then := slices.IndexFunc(before, func(c counted) bool { return c.node == now.node && c.incarnation == now.incarnation })
		if then < 0 || now.counters == nil || before[then].counters == nil {
			continue
		}
		did := func(name string) uint64 { return now.counters[name] - before[then].counters[name] }
		works[i] = nodeWork{
			Node: now.node, Store: now.store, Applied: did("applied"), Fast: did("fast"), Slow: did("slow"), Recovered: did("recovered"),
			Syncs: did("syncs"), Messages: did("bus_sent_messages"), Frames: did("bus_sent_frames"), FrameBytes: did("bus_sent_bytes"),
			Resent: did("resent"), Statements: did("store_statements"), RoundTrips: did("store_round_trips"),
		}
		works[i].PerSync = per(works[i].Applied, works[i].Syncs)
	}
	return works
}

// per divides, and takes nothing for nothing.
func per(n, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

func (m Main) printMeasurements(r *remote, all []measurement) error {
	if r.output == "json" {
		return m.printJSON(all)
	}
	if err := m.table(func(w io.Writer) {
		fmt.Fprintln(w, "WORKLOAD\tBYTES\tIN FLIGHT\tPER SECOND\tDONE\tMEAN\tP50\tP90\tP99\tP99.9\tMAX\tMISSED\tRETRIES\tERRORS")
		for _, o := range all {
			fmt.Fprintf(w, "%s\t%d\t%d\t%.0f\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", o.Workload, o.Bytes, o.Concurrency, o.Rate, o.Done,
				millis(o.Latency.Mean), millis(o.Latency.P50), millis(o.Latency.P90), millis(o.Latency.P99), millis(o.Latency.P999),
				millis(o.Latency.Max), o.Missed, o.Retries, errorText(o.Errors))
		}
	}); err != nil {
		return err
	}
	fmt.Fprintln(m.Stdout)
	return m.table(func(w io.Writer) {
		fmt.Fprintln(w, "IN FLIGHT\tNODE\tSTORE\tAPPLIED\tSYNCS\tAPPLIED/SYNC\tFAST\tSLOW\tRECOVERED\tMESSAGES/TXN\tFRAMES/TXN\tBYTES/TXN\tSTATEMENTS/TXN\tROUND TRIPS/TXN\tRESENT")
		for _, o := range all {
			for _, n := range o.Nodes {
				fmt.Fprintf(w, "%d\t%s\n", o.Concurrency, n)
			}
		}
	})
}

// String is a row of the table: what is counted for each transaction is so for those this node applied, whoever
// coordinated them.
func (n nodeWork) String() string {
	if n.Unreachable {
		return n.Node + "\tdid not answer, or was started anew"
	}
	return fmt.Sprintf("%s\t%s\t%d\t%d\t%.1f\t%d\t%d\t%d\t%.2f\t%.2f\t%.0f\t%.2f\t%.3f\t%d", n.Node, n.Store, n.Applied, n.Syncs, n.PerSync, n.Fast, n.Slow,
		n.Recovered, per(n.Messages, n.Applied), per(n.Frames, n.Applied), per(n.FrameBytes, n.Applied), per(n.Statements, n.Applied),
		per(n.RoundTrips, n.Applied), n.Resent)
}

func millis(micros int64) string {
	return strconv.FormatFloat(float64(micros)/1000, 'f', 2, 64) + "ms"
}

// errorText says how many requests failed, and of what.
func errorText(errors map[string]uint64) string {
	if len(errors) == 0 {
		return "0"
	}
	var kinds []string
	for kind := range errors {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	text := ""
	for _, kind := range kinds {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", errors[kind], kind)
	}
	return text
}
