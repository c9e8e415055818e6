package accordtest_test

import (
	"flag"
	"testing"
	"time"

	"natsaccord/accord/accordtest"
)

var (
	firstSeed = flag.Uint64("seed", 1, "TestSim: first seed")
	seeds     = flag.Int("seeds", 200/slower, "TestSim: how many seeds to run")
	keepTrace = flag.Bool("whole", false, "TestSim: print the whole transcript of a failed run")
)

// TestSim runs seeds with options drawn from each.
func TestSim(t *testing.T) {
	var total accordtest.Stats
	start := time.Now()
	for i := range *seeds {
		seed := *firstSeed + uint64(i)
		run := accordtest.Run
		if *keepTrace {
			run = accordtest.Trace
		}
		report := run(seed, accordtest.Swarm(seed))
		if report.Violation != nil {
			t.Fatal(report.Error())
		}
		total.Add(report.Stats)
	}
	t.Logf("%.0f seeds/s: %v", float64(*seeds)/time.Since(start).Seconds(), total)
}

// TestReplayIsIdentical runs seeds twice: what differs would be an iteration over a map that has effects.
func TestReplayIsIdentical(t *testing.T) {
	for seed := range uint64(40 / slower) {
		a := accordtest.Run(seed, accordtest.Swarm(seed))
		b := accordtest.Run(seed, accordtest.Swarm(seed))
		if a.Hash != b.Hash || a.Stats != b.Stats {
			t.Errorf("seed %d: the second run differs from the first: %x, %x", seed, a.Hash, b.Hash)
		}
	}
}
