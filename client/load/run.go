package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Call is one request to be made.
type Call struct {
	Worker int    // who makes it, from 0 to Config.Concurrency-1; one call at a time each
	N      uint64 // its number, from 0
}

// Request makes one request and waits until it is done. It is called from Config.Concurrency goroutines.
type Request func(ctx context.Context, call Call) error

// Config says how much load, and for how long. It ends with Duration or Count, whichever comes first.
type Config struct {
	Concurrency int           // most requests in flight; default 64
	Rate        float64       // requests a second, in an open loop; zero: a closed loop
	Duration    time.Duration // no request starts after it; default 10 s
	Count       uint64        // most requests; zero: as many as the duration allows

	Kind     func(error) string // what to count an error as; default KindOf
	Progress func(Progress)     // called every ProgressEvery, from one goroutine; may be nil
	Every    time.Duration      // between two calls of Progress; default 1 s
}

// Progress is how far a run has come.
type Progress struct {
	Elapsed      time.Duration
	Done, Failed uint64
	Rate         float64 // done a second since the last Progress
	Latency      Latency // since the start
}

func (c Config) withDefaults() Config {
	if c.Concurrency == 0 {
		c.Concurrency = 64
	}
	if c.Duration == 0 {
		c.Duration = 10 * time.Second
	}
	if c.Kind == nil {
		c.Kind = KindOf
	}
	if c.Every == 0 {
		c.Every = time.Second
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Concurrency < 1:
		return fmt.Errorf("load: Config.Concurrency is %d, want at least 1", c.Concurrency)
	case c.Rate < 0:
		return fmt.Errorf("load: Config.Rate is %g, want 0 or more", c.Rate)
	case c.Duration < 0 || c.Every < 0:
		return fmt.Errorf("load: Config.Duration and Every are %s and %s, want more than 0", c.Duration, c.Every)
	}
	return nil
}

// run is one Run under way.
type run struct {
	cfg      Config
	do       Request
	start    time.Time
	deadline time.Time
	next     atomic.Uint64 // number of the next call
	inTime   atomic.Uint64 // calls that were done before the deadline
	samples  samples
}

// Run makes requests as cfg says, waits for those in flight at the end, and returns what was measured. Its error
// is about cfg; what becomes of the requests stands in the Result. ctx ends a run early.
func Run(ctx context.Context, cfg Config, do Request) (Result, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Result{}, err
	}
	r := &run{cfg: cfg, do: do, start: time.Now()}
	r.deadline = r.start.Add(cfg.Duration)
	r.samples.init(cfg.Concurrency)
	told := r.tell()
	var workers sync.WaitGroup
	for w := range cfg.Concurrency {
		workers.Go(func() { r.work(ctx, w) })
	}
	workers.Wait()
	told()
	return r.result(), nil
}

// work makes one call after another.
func (r *run) work(ctx context.Context, worker int) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		call := Call{worker, r.next.Add(1) - 1}
		if r.cfg.Count > 0 && call.N >= r.cfg.Count {
			return
		}
		intended := r.intended(call.N)
		if !r.await(ctx, timer, intended) {
			return
		}
		err := r.do(ctx, call)
		if err != nil && ctx.Err() != nil {
			return // it failed because the run was ended, or might have
		}
		r.note(worker, intended, err)
	}
}

// intended returns when a call is to start.
func (r *run) intended(n uint64) time.Time {
	if r.cfg.Rate == 0 {
		return time.Now()
	}
	return r.start.Add(time.Duration(float64(n) / r.cfg.Rate * float64(time.Second)))
}

// await waits until a call is to start, and tells whether it is to start at all.
func (r *run) await(ctx context.Context, timer *time.Timer, at time.Time) bool {
	if wait := time.Until(at); wait > 0 && at.Before(r.deadline) {
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil && at.Before(r.deadline) && time.Now().Before(r.deadline)
}

// note takes down what became of a call.
func (r *run) note(worker int, intended time.Time, err error) {
	now := time.Now()
	if err != nil {
		r.samples.failed(worker, r.cfg.Kind(err))
		return
	}
	if !now.After(r.deadline) {
		r.inTime.Add(1)
	}
	r.samples.done(worker, now.Sub(intended))
}

// tell reports progress until the function it returns is called, which waits for the last report.
func (r *run) tell() (stop func()) {
	if r.cfg.Progress == nil {
		return func() {}
	}
	stopping := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		ticker := time.NewTicker(r.cfg.Every)
		defer ticker.Stop()
		before, at := uint64(0), r.start
		for {
			select {
			case <-stopping:
				return
			case now := <-ticker.C:
				p := r.progress(now)
				p.Rate = float64(p.Done-before) / now.Sub(at).Seconds()
				before, at = p.Done, now
				r.cfg.Progress(p)
			}
		}
	})
	return func() {
		close(stopping)
		telling.Wait()
	}
}

func (r *run) progress(now time.Time) Progress {
	latency, failed := r.samples.sum()
	return Progress{Elapsed: now.Sub(r.start), Done: latency.Count, Failed: count(failed), Latency: latency}
}

// result sums up. The rate is over the time in which calls started, and counts what was done within it: waiting
// for the last stragglers neither adds to it nor takes from it.
func (r *run) result() Result {
	now := time.Now()
	window := min(now.Sub(r.start), r.cfg.Duration)
	latency, failed := r.samples.sum()
	result := Result{
		Concurrency: r.cfg.Concurrency, Intended: r.cfg.Rate, Elapsed: now.Sub(r.start), Done: latency.Count, Failed: failed,
		Rate: float64(r.inTime.Load()) / window.Seconds(), Latency: latency,
	}
	if r.cfg.Rate > 0 {
		due := uint64(window.Seconds() * r.cfg.Rate)
		if r.cfg.Count > 0 {
			due = min(due, r.cfg.Count)
		}
		result.Missed = due - min(due, latency.Count+count(failed))
	}
	return result
}
