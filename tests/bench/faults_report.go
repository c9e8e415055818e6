package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// fared is how appends of a phase fared, over all rounds.
type fared struct {
	name      string
	fault     bool
	lasted    time.Duration
	took      []time.Duration // of those that were acknowledged, sorted at the end
	left      []time.Duration // of those that were acknowledged at last, though the node asked had gone from under them
	leftLost  int             // of those that were not
	gap       time.Duration   // longest time without an acknowledgement
	errors    map[string]int
	requested int
}

// longest returns the longest that an append took which asked a node that was up.
func (f *fared) longest() time.Duration { return quantile(f.took, 1) }

// phaseOf returns the index of the phase that an append belongs to: that in which it began, or a fault that began while it was
// under way. -1: none.
func phaseOf(phases []phase, a answer) int {
	i := slices.IndexFunc(phases, func(ph phase) bool { return a.at < ph.to })
	if i >= 0 && i+1 < len(phases) && phases[i+1].fault && a.at+a.took > phases[i+1].from {
		return i + 1
	}
	return i
}

// isLeft tells whether an append was under way at a node when something happened to that.
func isLeft(ph phase, a answer) bool { return ph.fault && a.via == victim && a.at < ph.from }

// evaluate sums up by the names of phases.
func evaluate(phases []phase, answers []answer) (all []*fared) {
	of := make([]*fared, len(phases))
	by := make(map[string]*fared)
	for i, ph := range phases {
		f := by[ph.name]
		if f == nil {
			f = &fared{name: ph.name, fault: ph.fault, errors: make(map[string]int)}
			by[ph.name], all = f, append(all, f)
		}
		f.lasted += ph.to - ph.from
		of[i] = f
	}
	for _, a := range answers {
		if i := phaseOf(phases, a); i >= 0 {
			of[i].add(a, isLeft(phases[i], a))
		}
	}
	for _, f := range all {
		slices.Sort(f.took)
		slices.Sort(f.left)
	}
	addGaps(phases, answers, of)
	return all
}

func (f *fared) add(a answer, left bool) {
	f.requested++
	switch {
	case a.kind == "" && left:
		f.left = append(f.left, a.took)
	case a.kind == "":
		f.took = append(f.took, a.took)
	case left:
		f.leftLost++
	default:
		f.errors[a.kind]++
	}
}

// addGaps finds in each phase the longest time without an acknowledgement that ended there.
func addGaps(phases []phase, answers []answer, of []*fared) {
	var acknowledged []time.Duration
	for _, a := range answers {
		if a.kind == "" {
			acknowledged = append(acknowledged, a.at+a.took)
		}
	}
	slices.Sort(acknowledged)
	before := time.Duration(0)
	for _, now := range acknowledged {
		i := slices.IndexFunc(phases, func(ph phase) bool { return now <= ph.to })
		if i >= 0 {
			of[i].gap = max(of[i].gap, now-before)
		}
		before = now
	}
}

// report prints a table of phases as Markdown, and compares stalls with the recovery timeout.
func (p *faultPlay) report(out io.Writer) {
	all := evaluate(p.phases, p.answers)
	through, at := "any node", ""
	if p.near {
		through, at = "nodes that are up", " at a node that was up"
	}
	fmt.Fprintf(out, "\n%g appends a second of %d B through %s, %d %% of them to %d streams; %d rounds; %s events written while n%d was missing; ms from the intended start\n\n",
		p.rate, p.bytes, through, p.hot, hotStreams, p.rounds, number(float64(p.missed)), victim+1)
	fmt.Fprintln(out, "| phase | s in all | appends | p50 | p99 | longest | longest without an acknowledgement | errors | left at the node |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	var gap, longest time.Duration
	for _, f := range all {
		fmt.Fprintf(out, "| %s | %.1f | %d | %.1f | %.1f | %.0f | %.0f | %s | %s |\n", f.name, f.lasted.Seconds(), f.requested,
			inMS(quantile(f.took, 0.5)), inMS(quantile(f.took, 0.99)), inMS(f.longest()), inMS(f.gap), kinds(f.errors), f.leftBehind())
		gap, longest = max(gap, f.gap), max(longest, f.longest())
	}
	fmt.Fprintf(out, "\nThe longest time without an acknowledgement was %s, %.2f × the recovery timeout of %s; the longest append%s took %s, %.2f ×.\n",
		gap.Round(time.Millisecond), gap.Seconds()/p.recovery.Seconds(), p.recovery, at, longest.Round(time.Millisecond), longest.Seconds()/p.recovery.Seconds())
}

// leftBehind says what became of appends at a node when something happened to it.
func (f *fared) leftBehind() string {
	if len(f.left)+f.leftLost == 0 {
		return "–"
	}
	said := fmt.Sprintf("%d, up to %.0f ms", len(f.left)+f.leftLost, inMS(quantile(f.left, 1)))
	if f.leftLost > 0 {
		said += fmt.Sprintf(", %d failed", f.leftLost)
	}
	return said
}

// kinds lists errors by kind.
func kinds(errors map[string]int) string {
	if len(errors) == 0 {
		return "0"
	}
	var said []string
	for _, kind := range slices.Sorted(maps.Keys(errors)) {
		said = append(said, fmt.Sprintf("%d %s", errors[kind], kind))
	}
	return strings.Join(said, ", ")
}

// bucket is how much time a point of the picture stands for.
const bucket = 100 * time.Millisecond

// picture shows the first round: latency, and how many appends were acknowledged.
func (p *faultPlay) picture() chart {
	var bands []band
	var end time.Duration
	for _, ph := range p.phases {
		if ph.round > 0 {
			break
		}
		bands = append(bands, band{ph.from.Seconds(), ph.to.Seconds(), ph.name, ph.fault})
		end = ph.to
	}
	return chart{panels: []panel{
		{title: "latency from the intended start, ms, in 100 ms each", x: axis{unit: "s"}, y: axis{log: true}, bands: bands, series: p.latencies(end)},
		{title: "acknowledged in 100 ms, a second", x: axis{unit: "s"}, bands: bands, series: []series{p.acknowledged(end)}},
	}}
}

// latencies are by the intended start. What was left at a node that had gone is not among them: it has a column of the table.
func (p *faultPlay) latencies(end time.Duration) []series {
	took := make([][]time.Duration, end/bucket+1)
	for _, a := range p.answers {
		i := phaseOf(p.phases, a)
		if a.at < end && a.kind == "" && i >= 0 && !isLeft(p.phases[i], a) {
			took[a.at/bucket] = append(took[a.at/bucket], a.took)
		}
	}
	// Of the thirty appends that start in a tenth of a second at the usual rate, the 99th percentile is the longest.
	lines := []series{{name: "max", color: "#b2441f"}, {name: "p90", color: "#8a5a9e"}, {name: "p50", color: "#1f6fb2"}}
	for i, all := range took {
		if len(all) == 0 {
			continue
		}
		slices.Sort(all)
		for k, share := range []float64{1, 0.9, 0.5} {
			v := inMS(quantile(all, share))
			lines[k].points = append(lines[k].points, point{(time.Duration(i) * bucket).Seconds(), v, v, v})
		}
	}
	return lines
}

func (p *faultPlay) acknowledged(end time.Duration) series {
	counts := make([]int, end/bucket+1)
	for _, a := range p.answers {
		if done := a.at + a.took; a.kind == "" && done < end {
			counts[done/bucket]++
		}
	}
	line := series{color: "#3a8f3a"}
	for i, n := range counts {
		line.points = append(line.points, point{x: (time.Duration(i) * bucket).Seconds(), y: float64(n) / bucket.Seconds()})
	}
	return line
}
