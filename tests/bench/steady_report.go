package main

import (
	"fmt"
	"io"
	"slices"

	"natsaccord/client/load"
)

// thirds is how many parts a run is divided into: how the last compares with the one before tells whether something grows still.
const thirds = 3

// mostGrowth is how much more memory there may be in the last third than in the one before, if it is said to have levelled off.
const mostGrowth = 1.1

// mostRows is how many rows accord_txn may have of appends at a rate: a transaction for each of those that came within the retention, and a fifth more
// for those that wait for pruning, and for fences. How many there are depends on how many appends share a transaction, which
// changes with what else the machine does.
func (s steady) mostRows() float64 { return 1.2 * s.rate * s.retention.Seconds() }

// means returns what the looks of each third show on average.
func means(looks []look, value func(look) float64) (mean [thirds]float64) {
	for i := range mean {
		part := looks[i*len(looks)/thirds : (i+1)*len(looks)/thirds]
		for _, l := range part {
			mean[i] += value(l) / float64(len(part))
		}
	}
	return mean
}

func memoryOf(l look) float64 { return sum(l.memory) }
func txnsOf(l look) float64   { return slices.Max(l.txns) }

func sum(values []float64) (all float64) {
	for _, v := range values {
		all += v
	}
	return all
}

// report prints a table, and returns an error if something has not levelled off or appends failed.
func (s steady) report(out io.Writer, looks []look, result load.Result) error {
	fmt.Fprintf(out, "\n%g appends a second of %d B to %d streams for %s, retention %s; %d acknowledged, %d failed, %d events in the log at the end\n\n",
		s.rate, s.bytes, s.streams, s.length, s.retention, result.Done, result.Errors(), int(looks[len(looks)-1].events))
	fmt.Fprintln(out, "| on average | first third | second | last | last / second |\n| --- | --- | --- | --- | --- |")
	memory, txns := means(looks, memoryOf), means(looks, txnsOf)
	fmt.Fprintf(out, "| memory of three nodes, MiB | %.0f | %.0f | %.0f | %.2f |\n", memory[0], memory[1], memory[2], memory[2]/memory[1])
	fmt.Fprintf(out, "| rows of accord_txn, the most of a node | %.0f | %.0f | %.0f | %.2f |\n", txns[0], txns[1], txns[2], txns[2]/txns[1])
	switch {
	case memory[2] > mostGrowth*memory[1]:
		return fmt.Errorf("memory: the last third holds %.2f times what the second did, want at most %g", memory[2]/memory[1], mostGrowth)
	case txns[2] > s.mostRows():
		return fmt.Errorf("accord_txn: %.0f rows in the last third, want at most the %.0f of the retention", txns[2], s.mostRows())
	case result.Errors() > 0:
		return fmt.Errorf("%d appends failed: %v", result.Errors(), result.Failed)
	}
	return nil
}

// steadyPicture shows what the nodes hold, by minutes.
func steadyPicture(looks []look) chart {
	colors := []string{"#1f6fb2", "#8a5a9e", "#3a8f3a"}
	lines := func(value func(l look, node int) float64) (all []series) {
		for i, name := range nodeNames(clusterSize) {
			line := series{name: name, color: colors[i]}
			for _, l := range looks {
				line.points = append(line.points, point{x: l.at.Minutes(), y: value(l, i)})
			}
			all = append(all, line)
		}
		return all
	}
	events := series{color: colors[0]}
	for _, l := range looks {
		events.points = append(events.points, point{x: l.at.Minutes(), y: l.events})
	}
	x := axis{unit: "min"}
	return chart{panels: []panel{
		{title: "memory of each node, with what SQLite keeps, MiB", x: x, series: lines(func(l look, i int) float64 { return l.memory[i] })},
		{title: "rows of each node's accord_txn", x: x, series: lines(func(l look, i int) float64 { return l.txns[i] })},
		{title: "events in the log", x: x, series: []series{events}},
	}}
}
