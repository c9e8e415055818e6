package accordtest

import "fmt"

// Report is what came of a run.
type Report struct {
	Seed      uint64
	Options   Options
	Violation *Violation // nil: all invariants held
	Stats     Stats
	Course    []Moment // with Orders: the steps with faults
	Killed    []Killed
	Answers   []Answer
	Hash      uint64 // of the whole transcript
	Trace     string // its end, or all of it
}

func (s *Sim) report(seed uint64) Report {
	s.stats.Runs = 1
	if s.o.general() {
		s.stats.InModeG = 1
	}
	if s.o.Electorate != nil {
		s.stats.Elected = 1
	}
	s.stats.VirtualTime = s.now - epochStart
	for _, m := range s.nodes {
		for _, c := range m.spent {
			s.stats.count(c)
		}
		if m.up() {
			s.stats.count(m.machine.Counters())
		}
	}
	return Report{seed, s.o, s.checker.violation, s.stats, s.course, s.killed, s.load.answers(), s.trace.hash, s.trace.String()}
}

// Error returns what a failed run was, and how to see it again.
func (r Report) Error() string {
	return fmt.Sprintf("%s\n%s\n%s\nagain: go test ./accord/accordtest -run TestSim -seed %d -seeds 1%s -whole",
		r.Trace, r.Options, r.Violation, r.Seed, r.Options.again())
}
