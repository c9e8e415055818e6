package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"natsaccord/client/load"
	"natsaccord/event"
)

// steady says under which load nodes are looked at for a long time, to see whether what they hold levels off.
type steady struct {
	program   string
	length    time.Duration
	every     time.Duration // between two looks
	rate      float64
	bytes     int
	streams   int
	retention time.Duration // of the nodes
	dir       string
	out       string // path of the picture
}

// parseSteady reads the arguments behind "steady".
func parseSteady(args []string) (s steady, err error) {
	f := flag.NewFlagSet("bench steady", flag.ContinueOnError)
	f.StringVar(&s.program, "program", "", "path of the accord program (default: it is built)")
	f.DurationVar(&s.length, "length", time.Hour, "how long appends are made")
	f.DurationVar(&s.every, "every", 10*time.Second, "time between two looks")
	f.Float64Var(&s.rate, "rate", 200, "appends a second")
	f.IntVar(&s.bytes, "size", 256, "bytes of data in an event")
	f.IntVar(&s.streams, "streams", 10_000, "streams that appends are drawn from")
	f.DurationVar(&s.retention, "retention", time.Minute, "what the nodes' is")
	f.StringVar(&s.dir, "dir", "", "directory for all data (default: a temporary one)")
	f.StringVar(&s.out, "out", "", "path of a picture (default: none)")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if s.rate <= 0 || s.bytes < leastBytes || s.bytes > mostEventBytes || s.streams < 1 || s.every <= 0 || s.length < thirds*s.every || s.retention <= 0 {
		return s, fmt.Errorf("-rate, -size, -streams, -every, -length and -retention are %g, %d, %d, %s, %s and %s: out of range", s.rate, s.bytes, s.streams, s.every, s.length, s.retention)
	}
	return s, nil
}

// look is how the nodes are at one time.
type look struct {
	at     time.Duration
	memory []float64 // of each process, MiB
	txns   []float64 // rows of each one's accord_txn
	events float64   // in the log of the first
}

// run looks at three processes under a steady load, and tells whether what they hold has stopped growing.
func (s steady) run(ctx context.Context, out io.Writer) (err error) {
	dir, leave, err := workplace(out, s.dir, "accord-steady-")
	if err != nil {
		return err
	}
	defer leave()
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	c, err := startProcesses(ctx, dir, processSettings{program: s.program, near: true, flags: []string{"--retention", s.retention.String()}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	looks, result, err := s.watch(ctx, c)
	if err != nil {
		return err
	}
	if s.out != "" {
		if err := os.MkdirAll(filepath.Dir(s.out), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(s.out, steadyPicture(looks).svg(), 0o644); err != nil {
			return err
		}
	}
	return s.report(out, looks, result)
}

// watch puts load on the nodes, and looks at them until it ends.
func (s steady) watch(ctx context.Context, c *processes) (looks []look, result load.Result, err error) {
	files, err := openFiles(c)
	defer func() { err = errors.Join(err, files.close()) }()
	if err != nil {
		return nil, result, err
	}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	var failed error
	running.Go(func() { result, failed = s.load(loading, c) })
	looks, err = s.lookOn(ctx, c, files)
	if err != nil {
		stop()
	}
	running.Wait()
	return looks, result, errors.Join(err, failed)
}

func (s steady) load(ctx context.Context, c *processes) (load.Result, error) {
	filler := newText(s.bytes, anyRandom())
	return load.Run(ctx, load.Config{Rate: s.rate, Duration: s.length}, func(ctx context.Context, call load.Call) error {
		stream := event.Stream(fmt.Sprintf("bench.s%d", rand.IntN(s.streams)))
		one := event.Event{Stream: stream, Type: "Filled", Data: filler.data(s.bytes, anyRandom())}
		_, err := c.clients[call.N%uint64(len(c.clients))].Append(ctx, event.Append{Events: []event.Event{one}})
		return err
	})
}

// lookOn looks at the nodes again and again, for as long as there is load.
func (s steady) lookOn(ctx context.Context, c *processes, files databases) (looks []look, err error) {
	for begun, n := time.Now(), 0; ; n++ {
		at := time.Duration(n) * s.every
		if at > s.length {
			return looks, nil
		}
		if !until(ctx, begun.Add(at)) {
			return looks, ctx.Err()
		}
		now, err := lookAt(ctx, c, files)
		if err != nil {
			return looks, err
		}
		now.at = time.Since(begun)
		looks = append(looks, now)
	}
}

func lookAt(ctx context.Context, c *processes, files databases) (now look, err error) {
	for i, n := range c.nodes {
		memory, err := n.memory()
		if err != nil {
			return now, err
		}
		var txns float64
		if err := files[i].QueryRowContext(ctx, `SELECT count(*) FROM accord_txn`).Scan(&txns); err != nil {
			return now, fmt.Errorf("count the transactions of %s: %w", n.name, err)
		}
		now.memory, now.txns = append(now.memory, memory), append(now.txns, txns)
	}
	first, err := c.status(ctx, 0)
	now.events = float64(first.Events)
	return now, err
}

// memory returns what the process has resident, in MiB.
func (n *process) memory() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.now.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("find out the memory of %s: %w", n.name, err)
	}
	_, rest, _ := strings.Cut(string(status), "\nVmRSS:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0, fmt.Errorf("find out the memory of %s: %w", n.name, err)
	}
	return kib / 1024, nil
}

// databases are the nodes' files, for somebody who only looks.
type databases []*sql.DB

func openFiles(c *processes) (files databases, err error) {
	for _, n := range c.nodes {
		db, err := sql.Open("sqlite", "file:"+n.file+"?_pragma=query_only(1)&_pragma=busy_timeout(10000)")
		if err != nil {
			return files, err
		}
		files = append(files, db)
	}
	return files, nil
}

func (d databases) close() error {
	var errs []error
	for _, db := range d {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}
