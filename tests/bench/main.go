package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// settings say what is measured.
type settings struct {
	systems     []string
	concurrency int
	bytes       int
	streams     int
	hot         bool
	rounds      int
	round       time.Duration
	pause       time.Duration
	dir         string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if os.Getenv("GOMAXPROCS") == "" {
		// Every system has at least three servers here that wait for their disks, each of which takes a processor from the scheduler.
		runtime.GOMAXPROCS(runtime.NumCPU() + clusterSize)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // as the program does
	}
	if err := start(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measurement is what can be run.
type measurement interface {
	run(ctx context.Context, out io.Writer) error
}

// start compares systems on one machine, or does what the first argument names.
func start(ctx context.Context, args []string) error {
	m, err := choose(args)
	if err != nil {
		return err
	}
	return m.run(ctx, os.Stdout)
}

func choose(args []string) (measurement, error) {
	if len(args) > 0 {
		switch args[0] {
		case "wan":
			return parseFar(args[1:])
		case "scale":
			return parseScale(args[1:])
		case "floor":
			return parseFloor(args[1:])
		case "faults":
			return parseFaults(args[1:])
		case "steady":
			return parseSteady(args[1:])
		}
	}
	return parse(args)
}

func parse(args []string) (settings, error) {
	var names []string
	for _, c := range candidates() {
		names = append(names, c.name)
	}
	s := settings{}
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	systems := f.String("systems", strings.Join(names, ","), "systems to measure")
	f.IntVar(&s.concurrency, "concurrency", 64, "requests in flight")
	f.IntVar(&s.bytes, "size", 256, "bytes of data in an append")
	f.IntVar(&s.streams, "streams", 10_000, "streams, each appended to by one request at a time")
	f.BoolVar(&s.hot, "hot", false, "append to 10 streams that all requests share, and repeat what comes second")
	f.IntVar(&s.rounds, "rounds", 5, "rounds of each system")
	f.DurationVar(&s.round, "round", 4*time.Second, "length of a round")
	f.DurationVar(&s.pause, "pause", 500*time.Millisecond, "pause before a round")
	f.StringVar(&s.dir, "dir", "", "directory for all data but Postgres' (default: a temporary one)")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	s.systems = strings.Split(*systems, ",")
	for _, name := range s.systems {
		if !slices.Contains(names, name) {
			return s, fmt.Errorf("-systems names %q, want some of %q", name, names)
		}
	}
	if s.concurrency < 1 || s.bytes < 16 || s.streams < s.concurrency || s.rounds < 1 || s.round <= 0 {
		return s, fmt.Errorf("-concurrency, -size, -streams, -rounds and -round are %d, %d, %d, %d and %s: too small", s.concurrency, s.bytes, s.streams, s.rounds, s.round)
	}
	return s, nil
}

// run starts all systems, measures them by turns, and prints what it comes to.
func (s settings) run(ctx context.Context, out io.Writer) (err error) {
	dir, leave, err := workplace(out, s.dir, "accord-peers-")
	if err != nil {
		return err
	}
	defer leave()
	var contestants []*contestant
	for _, c := range candidates() {
		if !slices.Contains(s.systems, c.name) {
			continue
		}
		started, err := c.start(ctx, filepath.Join(dir, c.name))
		if err != nil {
			return fmt.Errorf("start %s: %w", c.name, err)
		}
		defer func() {
			if failed := started.close(); failed != nil && err == nil {
				err = fmt.Errorf("close %s: %w", c.name, failed)
			}
		}()
		contestants = append(contestants, newContestant(c, started, s))
	}
	for round := range s.rounds + 1 { // the first one warms up
		for _, c := range contestants {
			if err := c.measure(ctx, s, round > 0); err != nil {
				return fmt.Errorf("measure %s: %w", c.name, err)
			}
			fmt.Fprintln(out, c.lastRound(round))
		}
	}
	return report(out, s, contestants)
}
