package accordtest_test

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"natsaccord/accord/accordtest"
)

var (
	firstSeed = flag.Uint64("seed", 1, "TestSim: first seed; 0: a fresh one")
	seeds     = flag.Int("seeds", 200/slower, "TestSim: how many seeds to run")
	mode      = flag.String("mode", "", "TestSim: G: all runs in mode G; dense: all dense; electorate: all with one; otherwise one in denseEvery is dense")
	keepTrace = flag.Bool("whole", false, "TestSim: print the whole transcript of a failed run")
)

// TestSim runs seeds with options drawn from each, as many at a time as there are processors.
func TestSim(t *testing.T) {
	first := *firstSeed
	if first == 0 {
		first = 1 + rand.Uint64N(1<<40)
	}
	t.Logf("seeds %d to %d", first, first+uint64(*seeds)-1)
	start := time.Now()
	total := runAll(t, first, *seeds)
	t.Logf("%.1f seeds/s: %v", float64(*seeds)/time.Since(start).Seconds(), total)
	for name, count := range total.Counts() {
		want := uint64(*seeds / rare)
		if name == "ruled out" {
			want = uint64(*seeds / rarest)
		}
		if *mode != "dense" && *seeds >= manySeeds && count < want {
			t.Errorf("%d %s in %d seeds: too few to show anything", count, name, *seeds)
		}
	}
}

// From manySeeds on, one seed in so many at least must see each thing that is counted. That is a fraction of what is seen,
// so that fresh seeds do not fail by chance: of things waited for there are 30 in 200 seeds, 4 are asked for; the fast
// path is ruled out 3 or 4 times in 200, and once in 1,000 is asked for.
const (
	manySeeds = 200
	rare      = 50
	rarest    = 1000
)

// swarm draws a run's options.
func swarm(seed uint64) accordtest.Options {
	switch {
	case *mode == "dense" || *mode == "" && seed%denseEvery == 0:
		return accordtest.Dense(seed)
	case *mode == "electorate":
		return accordtest.Elected(seed)
	case *mode == "G":
		return accordtest.SwarmG(seed)
	}
	return accordtest.Swarm(seed)
}

const denseEvery = 5

// runAll runs seeds and returns what happened in all of them. It stops at the first violation.
func runAll(t *testing.T, first uint64, count int) (total accordtest.Stats) {
	run := accordtest.Run
	if *keepTrace {
		run = accordtest.Trace
	}
	var next atomic.Int64
	var mutex sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(count); i = next.Add(1) - 1 {
				seed := first + uint64(i)
				r := run(seed, swarm(seed))
				mutex.Lock()
				total.Add(r.Stats)
				mutex.Unlock()
				if r.Violation != nil {
					next.Store(int64(count))
					t.Error(r.Error())
				}
			}
		})
	}
	workers.Wait()
	return total
}

// TestReplayIsIdentical runs seeds twice: what differs would be an iteration over a map that has effects.
func TestReplayIsIdentical(t *testing.T) {
	for seed := range uint64(40 / slower) {
		a := accordtest.Trace(seed, accordtest.Swarm(seed))
		b := accordtest.Trace(seed, accordtest.Swarm(seed))
		if a.Trace != b.Trace || a.Stats != b.Stats {
			t.Errorf("seed %d: the second run differs from the first", seed)
		}
		if len(a.Trace) == 0 {
			t.Errorf("seed %d: the transcript is empty", seed)
		}
	}
}
