package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"natsaccord/sqlstore/pgtest"
)

// scaleSettings say what is measured of how the cost of an append grows.
type scaleSettings struct {
	lines     []scaleLine
	store     string // sqlite or postgres
	inFlight  int
	count     int // appends of a round that count
	warm      int // appends before them, at least
	touch     int // of a history, appends before them for each stream that they go to
	mostBytes int // of events in a round: fewer appends if they are large
	perStream int // events of each stream of a history
	among     int // streams of a history that appends go to; 0: all
	rounds    int
	dir       string
	out       string // directory for pictures
	profiles  string // directory for CPU profiles
}

// touchMost bounds the appends by which a node gets to know the streams of a history.
const touchMost = 40_000

// parseScale reads the arguments behind "scale".
func parseScale(args []string) (s scaleSettings, err error) {
	f := flag.NewFlagSet("bench scale", flag.ContinueOnError)
	lines := f.String("lines", "", "what grows, one after another (default: everything)")
	known := scaleLines()
	values := make([]*string, len(known))
	for i, l := range known {
		values[i] = f.String(l.name, l.values, l.usage)
	}
	f.StringVar(&s.store, "store", "sqlite", "sqlite or postgres")
	f.IntVar(&s.inFlight, "concurrency", 64, "appends in flight")
	f.IntVar(&s.count, "count", 10_000, "appends of a round that count")
	f.IntVar(&s.warm, "warm", 2000, "appends before those that count, at least")
	f.IntVar(&s.touch, "touch", 4, fmt.Sprintf("with a history, appends before those that count, for each stream that they go to, but no more than %d", touchMost))
	f.IntVar(&s.mostBytes, "most-bytes", 64<<20, "bytes of events in a round, at most: fewer appends if events are large or many")
	f.IntVar(&s.perStream, "per-stream", 10, "events of each stream of a history")
	f.IntVar(&s.among, "among", baseWorkload().keys, "streams of a history that appends are drawn from, spread evenly over all that it has; 0: all of them")
	f.IntVar(&s.rounds, "rounds", 3, "rounds of each point")
	f.StringVar(&s.dir, "dir", "", "directory for all data but Postgres' (default: a temporary one); 10 million events take 8 GB a node")
	f.StringVar(&s.out, "out", "", "directory for a picture of each line (default: none)")
	f.StringVar(&s.profiles, "cpuprofile", "", "directory for a CPU profile of the appends that count, of each round (default: none)")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if s.inFlight < 1 || s.count < 1 || s.warm < 1 || s.touch < 0 || s.mostBytes < 1 || s.perStream < 1 || s.among < 0 || s.rounds < 1 || s.store != "sqlite" && s.store != "postgres" {
		return s, fmt.Errorf("-concurrency, -count, -warm, -most-bytes, -per-stream and -rounds are %d, %d, %d, %d, %d and %d, want at least 1; -among and -touch are %d and %d, want at least 0; -store is %q, want sqlite or postgres",
			s.inFlight, s.count, s.warm, s.mostBytes, s.perStream, s.rounds, s.among, s.touch, s.store)
	}
	return s, s.choose(known, *lines, values)
}

// choose takes the lines that are asked for, each with its values.
func (s *scaleSettings) choose(known []scaleLine, names string, values []*string) (err error) {
	var asked []string
	for i := range known {
		asked = append(asked, known[i].name)
	}
	if names != "" {
		asked = strings.Split(names, ",")
	}
	for _, name := range asked {
		i := slices.IndexFunc(known, func(l scaleLine) bool { return l.name == name })
		if i < 0 {
			return fmt.Errorf("-lines has %q, want some of those that have flags of their own", name)
		}
		l := known[i]
		if l.points, err = parseValues(*values[i], l.least, l.most); err != nil {
			return fmt.Errorf("-%s: %w", name, err)
		}
		s.lines = append(s.lines, l)
	}
	return nil
}

// parseValues reads whole numbers, which may end with k or M.
func parseValues(list string, least, most int) (all []int, err error) {
	for _, text := range strings.Split(list, ",") {
		digits, unit := text, 1
		if short, found := strings.CutSuffix(text, "k"); found {
			digits, unit = short, 1000
		} else if short, found := strings.CutSuffix(text, "M"); found {
			digits, unit = short, 1_000_000
		}
		n, err := strconv.Atoi(digits)
		if n *= unit; err != nil || n < least || n > most {
			return nil, fmt.Errorf("%q, want a whole number from %d to %d, also with k or M", text, least, most)
		}
		all = append(all, n)
	}
	return all, nil
}

// run measures line by line, prints a table and draws a picture of each.
func (s scaleSettings) run(ctx context.Context, out io.Writer) (err error) {
	dir, leave, err := workplace(out, s.dir, "accord-scale-")
	if err != nil {
		return err
	}
	defer leave()
	var postgres pgtest.Server
	defer func() { err = errors.Join(err, postgres.Stop()) }()
	for _, l := range s.lines {
		bases := &scaleBases{dir: filepath.Join(dir, l.name), settings: s, postgres: &postgres}
		points, err := s.measureLine(ctx, out, l, bases)
		if err = errors.Join(err, bases.drop(context.WithoutCancel(ctx))); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		s.table(out, l, points)
		if err := s.draw(l, points); err != nil {
			return err
		}
	}
	return nil
}

// measureLine measures the points of a line by turns, in one order and the other. Only one cluster runs at a time, and
// goes on in the next round with what it has stored.
func (s scaleSettings) measureLine(ctx context.Context, out io.Writer, l scaleLine, bases *scaleBases) ([]*scalePoint, error) {
	var points []*scalePoint
	for _, value := range l.points {
		p := &scalePoint{value: value, workload: baseWorkload()}
		l.set(&p.workload, value)
		if p.workload.history > 0 {
			p.workload.drawnFrom(history{events: p.workload.history, perStream: s.perStream}.streams(), s.among)
		}
		points = append(points, p)
	}
	for round := range s.rounds {
		order := slices.Clone(points)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, p := range order {
			begun := time.Now()
			m, err := s.measurePoint(ctx, out, p, bases)
			if err != nil {
				return nil, fmt.Errorf("at %s: %w", number(float64(p.value)), err)
			}
			p.rounds = append(p.rounds, m)
			fmt.Fprintf(out, "%s %-10s round %d  %s  all in %s\n", l.name, number(float64(p.value)), round+1, m, time.Since(begun).Round(100*time.Millisecond))
		}
	}
	return points, nil
}
