package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"natsaccord/client/load"
	"natsaccord/sqlstore"
	"natsaccord/sqlstore/pgtest"
)

// scalePoint is a workload under measurement.
type scalePoint struct {
	value    int // of what grows
	workload scaleWorkload
	stores   []sqlstore.Config // made in the first round
	rounds   []scaleRound
}

// scaleRound is what one round measured.
type scaleRound struct {
	perSecond float64
	p50, p99  float64 // ms
	cpu       float64 // µs an append, of this process
	written   float64 // bytes an append, given to disks by this process
	fast      float64 // percent of the decisions that took one round trip
	failed    map[string]uint64
}

func (r scaleRound) String() string {
	return fmt.Sprintf("%8.0f/s  p50 %7.2f ms  p99 %7.2f ms  CPU %6.0f µs  %7.1f KiB written  fast %3.0f %%  failed %v",
		r.perSecond, r.p50, r.p99, r.cpu, r.written/1024, r.fast, r.failed)
}

// scaleBases makes the databases of a line.
type scaleBases struct {
	dir      string
	settings scaleSettings
	postgres *pgtest.Server
	drops    []func(context.Context) error
	made     int
}

// make returns databases for a workload's nodes, with its history in them.
func (b *scaleBases) make(ctx context.Context, out io.Writer, w scaleWorkload) (stores []sqlstore.Config, err error) {
	b.made++
	dir := filepath.Join(b.dir, fmt.Sprint(b.made))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	for i := range w.nodes {
		cfg := sqlstore.Config{URL: "sqlite:" + filepath.Join(dir, fmt.Sprintf("n%d.db", i+1))}
		if b.settings.store == "postgres" {
			url, drop, err := b.postgres.Create(ctx)
			if err != nil {
				return nil, err
			}
			b.drops = append(b.drops, drop)
			cfg = sqlstore.Config{URL: url, Journal: filepath.Join(dir, fmt.Sprintf("n%d.journal", i+1))}
		}
		stores = append(stores, cfg)
	}
	if w.history == 0 {
		return stores, nil
	}
	begun := time.Now()
	h := history{events: w.history, perStream: b.settings.perStream, bytes: w.bytes}
	if err := h.fill(ctx, stores); err != nil {
		return nil, fmt.Errorf("fill in %d events: %w", w.history, err)
	}
	like, err := looks(ctx, stores[0])
	if err != nil {
		return nil, fmt.Errorf("look at a history: %w", err)
	}
	fmt.Fprintf(out, "filled %d databases with %s events in %s%s\n", w.nodes, number(float64(w.history)), time.Since(begun).Round(time.Millisecond), like)
	return stores, nil
}

// looks says how large a node's file is, and how full the pages of its index of streams are, on which it depends how many appends split
// one; nothing if it has no file.
func looks(ctx context.Context, cfg sqlstore.Config) (like string, err error) {
	path, isFile := strings.CutPrefix(cfg.URL, "sqlite:")
	if !isFile {
		return "", nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return "", err
	}
	var full float64
	err = db.QueryRowContext(ctx, `SELECT 100 - 100.0 * sum(unused) / sum(pgsize) FROM dbstat WHERE name = 'event_stream_version' AND pagetype = 'leaf'`).Scan(&full)
	return fmt.Sprintf(", %.0f MB each, pages of the index of streams %.0f %% full", float64(info.Size())/1e6, full), errors.Join(err, db.Close())
}

// drop removes the databases of a line.
func (b *scaleBases) drop(ctx context.Context) error {
	errs := []error{os.RemoveAll(b.dir)}
	for _, drop := range b.drops {
		errs = append(errs, drop(ctx))
	}
	return errors.Join(errs...)
}

// measurePoint starts a point's cluster, measures a round, and stops it.
func (s scaleSettings) measurePoint(ctx context.Context, out io.Writer, p *scalePoint, bases *scaleBases) (r scaleRound, err error) {
	if p.stores == nil {
		if p.stores, err = bases.make(ctx, out, p.workload); err != nil {
			return r, err
		}
	}
	defer moreProcs(p.workload.nodes)()
	a := &accordCluster{}
	if err := a.start(ctx, p.stores); err != nil {
		return r, fmt.Errorf("start: %w", err)
	}
	defer func() { err = errors.Join(err, a.close()) }()
	w := newScaleWork(a, p.workload)
	if _, err := s.load(ctx, w, s.before(p.workload)); err != nil {
		return r, err
	}
	stop, err := s.profile(fmt.Sprintf("%s-%d", filepath.Base(bases.dir), p.value), len(p.rounds)+1)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return s.measured(ctx, a, w)
}

// profile begins a CPU profile of a round, if profiles are asked for.
func (s scaleSettings) profile(point string, round int) (stop func() error, err error) {
	if s.profiles == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(s.profiles, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(s.profiles, fmt.Sprintf("%s-%d.pprof", point, round)))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error { pprof.StopCPUProfile(); return f.Close() }, nil
}

// moreProcs lets goroutines run while so many nodes wait for their disks, as main does for a cluster of the usual size.
func moreProcs(nodes int) (restore func()) {
	if os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	before := runtime.GOMAXPROCS(runtime.NumCPU() + nodes)
	return func() { runtime.GOMAXPROCS(before) }
}

// measured measures the appends that count.
func (s scaleSettings) measured(ctx context.Context, a *accordCluster, w *scaleWork) (r scaleRound, err error) {
	fast, all, err := a.fastPaths(ctx)
	if err != nil {
		return r, err
	}
	before, err := now()
	if err != nil {
		return r, err
	}
	result, err := s.load(ctx, w, s.appends(w.scaleWorkload))
	if err != nil {
		return r, err
	}
	after, err := now()
	if err != nil {
		return r, err
	}
	fastLater, allLater, err := a.fastPaths(ctx)
	done := float64(max(result.Done, 1))
	return scaleRound{
		perSecond: float64(result.Done) / result.Elapsed.Seconds(), p50: inMS(result.Latency.P50), p99: inMS(result.Latency.P99),
		cpu: float64((after.cpu - before.cpu).Microseconds()) / done, written: (after.written - before.written) / done,
		fast: 100 * (fastLater - fast) / max(allLater-all, 1), failed: result.Failed,
	}, err
}

// load makes appends in a closed loop. That none succeeds is an error: then nothing is measured.
func (s scaleSettings) load(ctx context.Context, w *scaleWork, count int) (load.Result, error) {
	r, err := load.Run(ctx, load.Config{Concurrency: s.inFlight, Count: uint64(count), Duration: time.Hour, Kind: kind}, w.append)
	if err == nil && r.Done == 0 {
		err = fmt.Errorf("nothing succeeds: %v", r.Failed)
	}
	return r, errors.Join(err, ctx.Err())
}

// fastPaths returns how many transactions all nodes have decided in one round trip, and how many in all.
func (a *accordCluster) fastPaths(ctx context.Context) (fast, all float64, err error) {
	for _, m := range a.members {
		s, err := m.Status(ctx)
		if err != nil {
			return 0, 0, err
		}
		fast += float64(s.Counters["fast"])
		all += float64(s.Counters["fast"] + s.Counters["slow"] + s.Counters["recovered"])
	}
	return fast, all, nil
}
