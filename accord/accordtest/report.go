package accordtest

import (
	"fmt"

	"natsaccord/accord"
)

// Report is what came of a run.
type Report struct {
	Seed      uint64
	Options   Options
	Violation *Violation // nil: all invariants held
	Stats     Stats
	Hash      uint64 // of the whole transcript
	Trace     string // its end, or all of it
}

// Stats count what happened in a run.
type Stats struct {
	Runs, Steps                        uint64
	Time                               uint64 // virtual, microseconds
	Started, Acked                     uint64 // transactions
	Fast, Slow, Recovered, Invalidated uint64 // decisions, by path; one may be made several times
	Attempts, Preempted                uint64 // recoveries begun; attempts of any kind that had to give way
	Fences, Watermarks                 uint64

	Crashes, Pauses, Partitions, Jumps uint64
	Lost, Doubled, Replayed            uint64 // messages
}

// Add adds other to s.
func (s *Stats) Add(other Stats) {
	s.Runs += other.Runs
	s.Steps += other.Steps
	s.Time += other.Time
	s.Started += other.Started
	s.Acked += other.Acked
	s.Fast += other.Fast
	s.Slow += other.Slow
	s.Recovered += other.Recovered
	s.Invalidated += other.Invalidated
	s.Attempts += other.Attempts
	s.Preempted += other.Preempted
	s.Fences += other.Fences
	s.Watermarks += other.Watermarks
	s.Crashes += other.Crashes
	s.Pauses += other.Pauses
	s.Partitions += other.Partitions
	s.Jumps += other.Jumps
	s.Lost += other.Lost
	s.Doubled += other.Doubled
	s.Replayed += other.Replayed
}

// String returns the counts on a few lines.
func (s Stats) String() string {
	return fmt.Sprintf(`%d runs, %d steps, %.1f s of virtual time
transactions: %d started, %d acknowledged
decisions:    %d fast, %d slow, %d recovered, %d invalidated
recoveries:   %d attempts, %d preempted
fences:       %d issued, %d times a watermark moved
faults:       %d crashes, %d pauses, %d partitions, %d clock jumps
messages:     %d lost, %d doubled, %d replayed`,
		s.Runs, s.Steps, float64(s.Time)/1e6, s.Started, s.Acked, s.Fast, s.Slow, s.Recovered, s.Invalidated,
		s.Attempts, s.Preempted, s.Fences, s.Watermarks, s.Crashes, s.Pauses, s.Partitions, s.Jumps, s.Lost, s.Doubled, s.Replayed)
}

func (s *Sim) report(seed uint64) Report {
	s.stats.Runs = 1
	s.stats.Time = s.now - epochStart
	for _, x := range s.checker.ledger.txns {
		if x.txn != nil {
			s.stats.Started++
		}
		if x.acked {
			s.stats.Acked++
		}
	}
	for _, m := range s.nodes {
		for _, c := range m.spent {
			s.stats.count(c)
		}
		if m.up() {
			s.stats.count(m.machine.Counters())
		}
	}
	return Report{seed, s.o, s.checker.violation, s.stats, s.trace.hash, s.trace.String()}
}

// count adds what one Machine did.
func (s *Stats) count(c accord.Counters) {
	s.Fast += c.Fast
	s.Slow += c.Slow
	s.Recovered += c.Recovered
	s.Invalidated += c.Invalidated
	s.Attempts += c.Recoveries
	s.Preempted += c.Preempted
	s.Fences += c.Fences
	s.Watermarks += c.Watermarks
}

// Error returns what a failed run was, and how to see it again.
func (r Report) Error() string {
	return fmt.Sprintf("%s\n%s\n%s\nagain: go test ./accord/accordtest -run TestSim -seed %d -seeds 1 -whole",
		r.Trace, r.Options, r.Violation, r.Seed)
}
