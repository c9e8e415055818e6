package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// faultSettings say what happens to a node while others are measured.
type faultSettings struct {
	program  string // path of the accord binary
	rate     float64
	bytes    int
	streams  int
	hot      int           // percent of the appends that go to one of hotStreams streams
	near     bool          // ask the nodes that are up; else as a client does by default
	calm     time.Duration // before each fault
	down     time.Duration // of a node that is killed
	pause    time.Duration // of a node that is stopped
	settle   time.Duration // after each fault
	missed   int           // events written on top while a node is down
	recovery time.Duration // the nodes' recovery timeout
	rounds   int
	dir      string
	out      string // path of the picture
}

// parseFaults reads the arguments behind "faults".
func parseFaults(args []string) (s faultSettings, err error) {
	f := flag.NewFlagSet("bench faults", flag.ContinueOnError)
	through := f.String("through", "any", "whom clients ask: any, as a client does by default; or up, the nodes that are up")
	f.StringVar(&s.program, "program", "", "path of the accord program (default: it is built)")
	f.Float64Var(&s.rate, "rate", 300, "appends a second, at the times they are meant to start")
	f.IntVar(&s.bytes, "size", 256, "bytes of data in an event")
	f.IntVar(&s.streams, "streams", 10_000, "streams that appends are drawn from")
	f.IntVar(&s.hot, "hot", 20, "percent of the appends that go to one of 10 streams")
	f.DurationVar(&s.calm, "calm", 5*time.Second, "how long all nodes are up before a fault")
	f.DurationVar(&s.down, "down", 5*time.Second, "how long a node that was killed stays away")
	f.DurationVar(&s.pause, "pause", 5*time.Second, "how long a node is stopped that goes on afterwards")
	f.DurationVar(&s.settle, "settle", 3*time.Second, "how long is looked on after a fault")
	f.IntVar(&s.missed, "missed", 50_000, "events written on top while a node is down, which it has to catch up with")
	f.DurationVar(&s.recovery, "recovery-timeout", 500*time.Millisecond, "what the nodes' is, for comparison")
	f.IntVar(&s.rounds, "rounds", 3, "how often all faults happen")
	f.StringVar(&s.dir, "dir", "", "directory for all data (default: a temporary one)")
	f.StringVar(&s.out, "out", "", "path of a picture of the first round (default: none)")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	s.near = *through == "up"
	switch {
	case *through != "up" && *through != "any":
		return s, fmt.Errorf("-through is %q, want up or any", *through)
	case s.rate <= 0 || s.bytes < leastBytes || s.bytes > mostEventBytes || s.streams < 1 || s.hot < 0 || s.hot > 100 || s.missed < 0 || s.rounds < 1:
		return s, fmt.Errorf("-rate, -size, -streams, -hot, -missed and -rounds are %g, %d, %d, %d, %d and %d: out of range", s.rate, s.bytes, s.streams, s.hot, s.missed, s.rounds)
	case s.calm <= 0 || s.down <= 0 || s.pause <= 0 || s.settle <= 0 || s.recovery <= 0:
		return s, fmt.Errorf("-calm, -down, -pause, -settle and -recovery-timeout are %s, %s, %s, %s and %s, want more than 0", s.calm, s.down, s.pause, s.settle, s.recovery)
	}
	return s, nil
}

// run starts a cluster of processes, lets faults happen under load, and tells how clients fared.
func (s faultSettings) run(ctx context.Context, out io.Writer) (err error) {
	dir, leave, err := workplace(out, s.dir, "accord-faults-")
	if err != nil {
		return err
	}
	defer leave()
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	c, err := startProcesses(ctx, dir, processSettings{program: s.program, near: s.near})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	p := newFaultPlay(s, c, out)
	if err := p.run(ctx); err != nil {
		return err
	}
	p.report(out)
	if s.out == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.out, p.picture().svg(), 0o644)
}
