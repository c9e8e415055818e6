package nemesis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Fault is something that can go wrong and be mended again.
type Fault struct {
	Name              string        // says what happens to whom, as "kill n1"
	Needs             []string      // what it takes hold of: faults that need the same never overlap
	Weight            int           // how often it happens, compared with the others; zero: as if one
	Shortest, Longest time.Duration // how long it lasts
	Start             func() error
	Mend              func() error // nil: nothing has to be done
}

// Step is the beginning of a fault, or its end.
type Step struct {
	At    time.Duration // from the start of the plan
	Fault Fault
	Mends bool
}

func (s Step) String() string {
	if s.Mends {
		return "mend: " + s.Fault.Name
	}
	return s.Fault.Name
}

// Plan is what goes wrong when.
type Plan []Step

// NewPlan draws faults from a seed: the same faults in the same order make the same plan. After a gap, drawn between
// half of it and one and a half, comes a fault that needs nothing of what others have hold of then. All are mended
// at length at the latest.
func NewPlan(seed uint64, length, gap time.Duration, faults []Fault) Plan {
	rng := rand.New(rand.NewPCG(seed, 0x6e656d65736973))
	until := make(map[string]time.Duration) // when what a fault needs is free again
	var plan Plan
	for at := span(rng, gap/2, gap*3/2); at < length; at += span(rng, gap/2, gap*3/2) {
		free := slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool {
			return slices.ContainsFunc(f.Needs, func(need string) bool { return until[need] > at })
		})
		if len(free) == 0 {
			continue
		}
		f := free[choose(rng, free)]
		end := min(length, at+span(rng, f.Shortest, f.Longest))
		for _, need := range f.Needs {
			until[need] = end
		}
		plan = append(plan, Step{At: at, Fault: f}, Step{At: end, Fault: f, Mends: true})
	}
	slices.SortStableFunc(plan, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	return plan
}

func span(rng *rand.Rand, shortest, longest time.Duration) time.Duration {
	if longest <= shortest {
		return shortest
	}
	return shortest + time.Duration(rng.Int64N(int64(longest-shortest)))
}

// choose returns the index of a fault, by weight.
func choose(rng *rand.Rand, faults []Fault) int {
	total := 0
	for _, f := range faults {
		total += max(1, f.Weight)
	}
	left := rng.IntN(total)
	for i, f := range faults {
		if left -= max(1, f.Weight); left < 0 {
			return i
		}
	}
	return len(faults) - 1
}

// Faults returns how many faults there are.
func (p Plan) Faults() int { return len(p) / 2 }

func (p Plan) String() string {
	var b strings.Builder
	for i, s := range p {
		if s.Mends {
			continue
		}
		end := slices.IndexFunc(p[i:], func(e Step) bool { return e.Mends && e.Fault.Name == s.Fault.Name })
		fmt.Fprintf(&b, "%7.2fs to %7.2fs  %s\n", s.At.Seconds(), p[i+end].At.Seconds(), s.Fault.Name)
	}
	return b.String()
}

// Run carries a plan out, step by step, and tells of each. If ctx ends before the plan does, what is still broken is
// mended. It returns the errors of all steps.
func (p Plan) Run(ctx context.Context, told func(Step)) error {
	start := time.Now()
	var errs []error
	var broken []Fault
	for _, s := range p {
		if !wait(ctx, start.Add(s.At)) {
			break
		}
		told(s)
		if s.Mends {
			broken = slices.DeleteFunc(broken, func(f Fault) bool { return f.Name == s.Fault.Name })
			errs = append(errs, s.Fault.mend())
			continue
		}
		broken = append(broken, s.Fault)
		if err := s.Fault.Start(); err != nil {
			errs = append(errs, fmt.Errorf("nemesis: %s: %w", s.Fault.Name, err))
		}
	}
	for _, f := range broken {
		errs = append(errs, f.mend())
	}
	return errors.Join(errs...)
}

func (f Fault) mend() error {
	if f.Mend == nil {
		return nil
	}
	if err := f.Mend(); err != nil {
		return fmt.Errorf("nemesis: mend %s: %w", f.Name, err)
	}
	return nil
}

// wait waits until a time; false if ctx ends before.
func wait(ctx context.Context, until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
