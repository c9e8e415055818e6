package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// scaleColumn is a figure of a round.
type scaleColumn struct {
	title  string
	of     func(*scaleRound) float64
	format string
}

func scaleColumns() []scaleColumn {
	return []scaleColumn{
		{"appends/s", func(r *scaleRound) float64 { return r.perSecond }, "%.0f"},
		{"p50, ms", func(r *scaleRound) float64 { return r.p50 }, "%.1f"},
		{"p99, ms", func(r *scaleRound) float64 { return r.p99 }, "%.1f"},
		{"CPU, µs", func(r *scaleRound) float64 { return r.cpu }, "%.0f"},
		{"KiB written", func(r *scaleRound) float64 { return r.written / 1024 }, "%.1f"},
		{"fast, %", func(r *scaleRound) float64 { return r.fast }, "%.0f"},
	}
}

// over is the spread of a figure over a point's rounds.
func (p *scalePoint) over(of func(*scaleRound) float64) spread {
	var values []float64
	for i := range p.rounds {
		values = append(values, of(&p.rounds[i]))
	}
	return spreadOf(values)
}

// errors counts the appends of all rounds that failed.
func (p *scalePoint) errors() (n uint64) {
	for i := range p.rounds {
		for _, one := range p.rounds[i].failed {
			n += one
		}
	}
	return n
}

// table prints a line as Markdown: medians of the rounds, in brackets the least and the most.
func (s scaleSettings) table(out io.Writer, l scaleLine, points []*scalePoint) {
	fmt.Fprintf(out, "\n%s; %s; %s; medians of %d rounds of up to %d appends (least to most)\n\n| %s |", l.title, s.store, s.rest(l), s.rounds, s.count, l.title)
	for _, c := range scaleColumns() {
		fmt.Fprintf(out, " %s |", c.title)
	}
	fmt.Fprintf(out, " errors |\n|%s\n", strings.Repeat(" --- |", len(scaleColumns())+2))
	for _, p := range points {
		fmt.Fprintf(out, "| %s |", number(float64(p.value)))
		for _, c := range scaleColumns() {
			v := p.over(c.of)
			fmt.Fprintf(out, " "+c.format+" ("+c.format+" to "+c.format+") |", v.middle, v.least, v.most)
		}
		fmt.Fprintf(out, " %d |\n", p.errors())
	}
	fmt.Fprintln(out)
}

// rest says what does not grow.
func (s scaleSettings) rest(l scaleLine) string {
	w := baseWorkload()
	l.set(&w, l.points[0])
	keys := number(float64(w.keys)) + " streams"
	if l.name == "history" {
		keys = fmt.Sprintf("%d events a stream, to all streams", s.perStream)
		if s.among > 0 {
			keys = fmt.Sprintf("%d events a stream, to %s streams at most", s.perStream, number(float64(s.among)))
		}
	}
	said := []string{fmt.Sprintf("%d in flight", s.inFlight)}
	for _, part := range []struct{ name, text string }{
		{"nodes", fmt.Sprintf("%d nodes", w.nodes)}, {"keys", keys}, {"span", "one event an append"}, {"size", fmt.Sprintf("%d B an event", w.bytes)},
	} {
		if part.name != l.name {
			said = append(said, part.text)
		}
	}
	return strings.Join(said, ", ")
}

// draw writes the picture of a line.
func (s scaleSettings) draw(l scaleLine, points []*scalePoint) error {
	if s.out == "" {
		return nil
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.out, "scale-"+l.name+".svg"), s.picture(l, points).svg(), 0o644)
}

// picture shows rate, latency and cost one below the other.
func (s scaleSettings) picture(l scaleLine, points []*scalePoint) chart {
	x := axis{log: l.log}
	points = slices.SortedFunc(slices.Values(points), func(a, b *scalePoint) int { return a.value - b.value })
	for _, p := range points {
		x.ticks = append(x.ticks, tick{float64(p.value), number(float64(p.value))})
	}
	line := func(c scaleColumn, color string) series {
		made := series{name: c.title, color: color, marks: true}
		for _, p := range points {
			v := p.over(c.of)
			made.points = append(made.points, point{float64(p.value), v.middle, v.least, v.most})
		}
		return made
	}
	columns := scaleColumns()
	return chart{panels: []panel{
		{title: "appends a second, by " + l.title, x: x, series: []series{line(columns[0], "#1f6fb2")}},
		{title: "latency, ms", x: x, y: axis{log: true}, series: []series{line(columns[1], "#b2441f"), line(columns[2], "#8a5a9e")}},
		{title: "CPU time an append, µs", x: x, series: []series{line(columns[3], "#3a8f3a")}},
	}}
}
