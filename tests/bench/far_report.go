package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// line says in a line what a scenario came to.
func (r *farResult) line(sc scenario, a area) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-22s p50", sc)
	for _, p50 := range r.p50s(a) {
		fmt.Fprintf(&b, " %s", ms(p50))
	}
	var failed []string
	for i := range r.load {
		if r.load[i].Errors() > 0 {
			failed = append(failed, fmt.Sprintf("%s %v", a.regions[i], r.load[i].Failed))
		}
	}
	fmt.Fprintf(&b, "  fast %s  failed %v", r.share(), failed)
	if r.outage > 0 {
		fmt.Fprintf(&b, "  served again after %s", r.outage.Round(time.Millisecond))
	}
	return b.String()
}

func (r *farResult) share() string {
	if r.all == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(r.fast)/float64(r.all))
}

// p50s are medians by region, zero where a region is cut off.
func (r *farResult) p50s(a area) []time.Duration {
	p50 := make([]time.Duration, len(a.regions))
	for i := range r.load {
		p50[i] = r.load[i].Latency.P50
	}
	return p50
}

func (r *farResult) p99s(a area) []time.Duration {
	p99 := make([]time.Duration, len(a.regions))
	for i := range r.load {
		p99[i] = r.load[i].Latency.P99
	}
	return p99
}

func ms(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", float64(d.Microseconds())/1000)
}

// table prints a scenario as Markdown: a row for what was measured of each system, a row for the model, and ratios.
func (s farSettings) table(out io.Writer, sc scenario, i int, names []string, results map[string][]farResult) {
	fmt.Fprintf(out, "\n%d regions, %s; %d clients in each; ms\n\n| |", len(s.area.regions), sc, s.clients)
	for _, region := range s.area.regions {
		fmt.Fprintf(out, " %s |", region)
	}
	fmt.Fprintf(out, " mean | worst | fast |\n|%s\n", strings.Repeat(" --- |", len(s.area.regions)+4))
	base, compared := results["jetstream"]
	for _, name := range names {
		r := &results[name][i]
		p50 := r.p50s(s.area)
		row(out, name+" p50", milliseconds(p50), r.share())
		row(out, name+" p99", milliseconds(r.p99s(s.area)), "")
		row(out, name+" model", milliseconds(r.model), "")
		row(out, name+" × model", ratios(p50, r.model), "")
		if compared && name != "jetstream" {
			row(out, name+" × jetstream", ratios(p50, base[i].p50s(s.area)), "")
		}
	}
	for _, name := range names {
		if r := &results[name][i]; r.outage > 0 {
			fmt.Fprintf(out, "\n%s served every region again %s after the cut.\n", name, r.outage.Round(10*time.Millisecond))
		}
	}
}

func row(out io.Writer, name string, cells []string, last string) {
	fmt.Fprintf(out, "| %s | %s | %s |\n", name, strings.Join(cells, " | "), last)
}

// milliseconds are figures by region, with their mean and the worst.
func milliseconds(by []time.Duration) (cells []string) {
	mean, worst := meanAndWorst(by)
	for _, d := range append(by[:len(by):len(by)], mean, worst) {
		cells = append(cells, ms(d))
	}
	return cells
}

// ratios are of figures by region, of their means and of the worst.
func ratios(by, to []time.Duration) (cells []string) {
	mean, worst := meanAndWorst(by)
	toMean, toWorst := meanAndWorst(to)
	to = append(to[:len(to):len(to)], toMean, toWorst)
	for i, d := range append(by[:len(by):len(by)], mean, worst) {
		if d == 0 || to[i] == 0 {
			cells = append(cells, "–")
			continue
		}
		cells = append(cells, fmt.Sprintf("%.2f", float64(d)/float64(to[i])))
	}
	return cells
}

func meanAndWorst(by []time.Duration) (mean, worst time.Duration) {
	n := 0
	for _, d := range by {
		if d > 0 {
			n, mean, worst = n+1, mean+d, max(worst, d)
		}
	}
	return mean / time.Duration(max(n, 1)), worst
}
