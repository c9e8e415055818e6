package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"natsaccord/client/load"
)

// farSettings say what is measured in a wide area.
type farSettings struct {
	area       area
	systems    []string
	electorate voting   // measured as accord-e; zero: not
	writers    []int    // regions with clients
	conflicts  []int    // percent of the appends that go to one stream of all regions
	down       []string // regions cut off, one after another
	clients    int      // in each of them, each with one request in flight
	warm       int      // appends of each client before those that count: links get known, leaders found
	count      int      // appends of each client that count
	dir        string
}

// parseFar reads the arguments behind "wan".
func parseFar(args []string) (s farSettings, err error) {
	f := flag.NewFlagSet("bench wan", flag.ContinueOnError)
	regions := f.Int("regions", 3, "regions, 3 or 5")
	systems := f.String("systems", "jetstream,accord,accord-g,accord-e", "systems to measure; accord-g is there with 5 regions only, accord-e with -electorate")
	electorate := f.String("electorate", "", "regions whose votes alone decide in one round, for accord-e")
	writers := f.String("writers", "", "regions whose clients append (default: all)")
	conflicts := f.String("conflicts", "0,2,10,100", "percent of the appends that go to one stream of all regions, one after another")
	down := f.String("down", "", "regions to cut off, one after another (default: the leader's and the last one; none: no region)")
	f.IntVar(&s.clients, "clients", 2, "clients in each region")
	f.IntVar(&s.warm, "warm", 20, "appends of each client before those that count")
	f.IntVar(&s.count, "count", 100, "appends of each client that count")
	f.StringVar(&s.dir, "dir", "", "directory for all data (default: a temporary one)")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if *regions != 3 && *regions != 5 || s.clients < 1 || s.warm < 1 || s.count < 1 {
		return s, fmt.Errorf("-regions, -clients, -warm and -count are %d, %d, %d and %d, want 3 or 5, and at least 1", *regions, s.clients, s.warm, s.count)
	}
	s.area, s.systems = newArea(*regions), strings.Split(*systems, ",")
	if *electorate != "" {
		if s.electorate, err = s.area.of(strings.Split(*electorate, ",")); err != nil {
			return s, err
		}
	}
	if s.writers, err = parseWriters(*writers, s.area); err != nil {
		return s, err
	}
	if s.conflicts, err = parseConflicts(*conflicts); err != nil {
		return s, err
	}
	s.down, err = parseDown(*down, s.area)
	return s, err
}

func parseConflicts(list string) (all []int, err error) {
	for _, text := range strings.Split(list, ",") {
		percent, err := strconv.Atoi(text)
		if err != nil || percent < 0 || percent > 100 {
			return nil, fmt.Errorf("-conflicts has %q, want percent", text)
		}
		all = append(all, percent)
	}
	return all, nil
}

func parseWriters(list string, a area) (writers []int, err error) {
	if list == "" {
		return a.up(), nil
	}
	for _, name := range strings.Split(list, ",") {
		region := slices.Index(a.regions, name)
		if region < 0 || slices.Contains(writers, region) {
			return nil, fmt.Errorf("-writers is %q, want some of %q, each once", list, a.regions)
		}
		writers = append(writers, region)
	}
	return writers, nil
}

// writing are the regions whose clients append now.
func (s farSettings) writing(a area) []int {
	return slices.DeleteFunc(a.up(), func(region int) bool { return !slices.Contains(s.writers, region) })
}

func parseDown(list string, a area) ([]string, error) {
	switch list {
	case "none":
		return nil, nil
	case "":
		return []string{a.regions[farLeader], a.regions[len(a.regions)-1]}, nil
	}
	down := strings.Split(list, ",")
	for _, region := range down {
		if !slices.Contains(a.regions, region) {
			return nil, fmt.Errorf("-down has %q, want some of %q", region, a.regions)
		}
	}
	return down, nil
}

// scenario is what happens while something is measured.
type scenario struct {
	conflicts int
	down      string
}

func (s farSettings) scenarios() (all []scenario) {
	for _, percent := range s.conflicts {
		all = append(all, scenario{conflicts: percent})
	}
	for _, region := range s.down {
		all = append(all, scenario{down: region})
	}
	return all
}

func (s scenario) String() string {
	if s.down != "" {
		return s.down + " cut off"
	}
	return fmt.Sprintf("%d %% conflicts", s.conflicts)
}

// farResult is what a system did in a scenario, by region.
type farResult struct {
	load      []load.Result // empty where a region is cut off
	model     []time.Duration
	fast, all uint64        // decisions, by all regions together
	outage    time.Duration // from when a region was cut off until every other one had an append acknowledged
}

// run starts one system after another, and has each go through all scenarios.
func (s farSettings) run(ctx context.Context, out io.Writer) (err error) {
	dir, leave, err := workplace(out, s.dir, "accord-wan-")
	if err != nil {
		return err
	}
	defer leave()
	results := make(map[string][]farResult)
	var names []string
	for _, c := range farCandidates(s.area, s.electorate) {
		if !slices.Contains(s.systems, c.name) {
			continue
		}
		if results[c.name], err = s.measure(ctx, out, c, filepath.Join(dir, c.name)); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		names = append(names, c.name)
	}
	for i, sc := range s.scenarios() {
		s.table(out, sc, i, names, results)
	}
	return nil
}

// measure has a system go through all scenarios.
func (s farSettings) measure(ctx context.Context, out io.Writer, c farCandidate, dir string) (results []farResult, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := c.start(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	defer func() { err = errors.Join(err, f.close()) }()
	for _, sc := range s.scenarios() {
		r, err := s.play(ctx, f, sc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sc, err)
		}
		fmt.Fprintf(out, "%-12s %s\n", c.name, r.line(sc, s.area))
		results = append(results, r)
	}
	return results, nil
}
