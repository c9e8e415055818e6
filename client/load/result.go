package load

import (
	"maps"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a run measured.
type Result struct {
	Concurrency int
	Intended    float64 // requests a second that were meant to start; zero in a closed loop
	Elapsed     time.Duration
	Done        uint64            // requests that succeeded
	Rate        float64           // done a second while requests were started
	Missed      uint64            // in an open loop: were due, and could not be started in time
	Failed      map[string]uint64 // requests that failed, by kind
	Latency     Latency           // of those that succeeded
}

// Errors returns how many requests failed.
func (r *Result) Errors() uint64 { return count(r.Failed) }

func count(failed map[string]uint64) (n uint64) {
	for _, one := range failed {
		n += one
	}
	return n
}

// Latency is how long requests took. In an open loop it counts from when a request was meant to start.
type Latency struct {
	Count                               uint64
	Min, Mean, P50, P90, P99, P999, Max time.Duration
}

// The histograms' range and precision: three digits between a microsecond and ten minutes.
const (
	highest = int64(10 * time.Minute / time.Microsecond)
	digits  = 3
)

// shards is how many histograms take the samples, so that workers seldom wait for each other.
const shards = 16

// samples are what a run has measured. Its methods may be called concurrently.
type samples struct {
	shard []shard
}

type shard struct {
	mu      sync.Mutex
	latency *hdrhistogram.Histogram // microseconds
	errors  map[string]uint64
}

func (s *samples) init(workers int) {
	s.shard = make([]shard, min(workers, shards))
	for i := range s.shard {
		s.shard[i].latency = hdrhistogram.New(1, highest, digits)
		s.shard[i].errors = make(map[string]uint64)
	}
}

// done takes down a success. What took longer than the histogram holds counts as the most it holds.
func (s *samples) done(worker int, took time.Duration) {
	to := &s.shard[worker%len(s.shard)]
	to.mu.Lock()
	defer to.mu.Unlock()
	if err := to.latency.RecordValue(min(took.Microseconds(), highest)); err != nil {
		panic("load: record a latency: " + err.Error()) // the value was made to fit
	}
}

func (s *samples) failed(worker int, kind string) {
	to := &s.shard[worker%len(s.shard)]
	to.mu.Lock()
	defer to.mu.Unlock()
	to.errors[kind]++
}

// sum adds up all shards.
func (s *samples) sum() (Latency, map[string]uint64) {
	all, failed := hdrhistogram.New(1, highest, digits), make(map[string]uint64)
	for i := range s.shard {
		from := &s.shard[i]
		from.mu.Lock()
		all.Merge(from.latency)
		one := maps.Clone(from.errors)
		from.mu.Unlock()
		for kind, n := range one {
			failed[kind] += n
		}
	}
	micros := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	return Latency{
		Count: uint64(all.TotalCount()), Min: micros(all.Min()), Mean: micros(int64(all.Mean())), Max: micros(all.Max()),
		P50: micros(all.ValueAtQuantile(50)), P90: micros(all.ValueAtQuantile(90)),
		P99: micros(all.ValueAtQuantile(99)), P999: micros(all.ValueAtQuantile(99.9)),
	}, failed
}
