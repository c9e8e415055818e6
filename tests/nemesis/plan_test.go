package nemesis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"natsaccord/tests/nemesis"
)

// log notes what is done, and when.
type log struct {
	start time.Time
	lines []string
}

func (l *log) add(what string) func() error {
	return func() error {
		l.lines = append(l.lines, fmt.Sprint(time.Since(l.start), " ", what))
		return nil
	}
}

func faults(l *log) []nemesis.Fault {
	var made []nemesis.Fault
	for _, node := range []string{"n1", "n2", "n3"} {
		for _, what := range []string{"kill", "pause"} {
			name := what + " " + node
			made = append(made, nemesis.Fault{
				Name: name, Needs: []string{node}, Shortest: 2 * time.Second, Longest: 8 * time.Second,
				Start: l.add(name), Mend: l.add("mend " + name),
			})
		}
	}
	return append(made, nemesis.Fault{Name: "kill all", Needs: []string{"n1", "n2", "n3"}, Weight: 3, Longest: time.Second, Start: l.add("kill all")})
}

func TestPlanIsThatOfItsSeed(t *testing.T) {
	plan := func(seed uint64) nemesis.Plan {
		return nemesis.NewPlan(seed, time.Minute, 2*time.Second, faults(&log{}))
	}
	first, again := plan(1).String(), plan(1).String()
	if first != again || first == plan(2).String() {
		t.Errorf("got plans %s\n%s\n%s", first, again, plan(2))
	}
	happens := make(map[string]int)
	for seed := range uint64(50) {
		p := plan(seed)
		if p.Faults() < 10 || p.Faults() > 60 {
			t.Errorf("%d faults in a minute, one every 2 s", p.Faults())
		}
		for _, s := range p {
			happens[s.Fault.Name]++
		}
		checkOverlap(t, p)
	}
	if len(happens) != 7 {
		t.Errorf("only %v ever happen", happens)
	}
}

// checkOverlap checks that nothing is needed by two faults at a time, and that all is mended in the end.
func checkOverlap(t *testing.T, p nemesis.Plan) {
	t.Helper()
	held := make(map[string]string)
	var last time.Duration
	for _, s := range p {
		if s.At < last || s.At > time.Minute {
			t.Errorf("%s is at %s, behind %s", s.Fault.Name, s.At, last)
		}
		last = s.At
		for _, need := range s.Fault.Needs {
			switch holder := held[need]; {
			case s.Mends && holder == s.Fault.Name:
				delete(held, need)
			case s.Mends || holder != "":
				t.Errorf("%s is held by %q when %s comes", need, holder, s.Fault.Name)
			default:
				held[need] = s.Fault.Name
			}
		}
	}
	if len(held) > 0 {
		t.Errorf("%v are never mended", held)
	}
}

func TestPlanRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := log{start: time.Now()}
		p := nemesis.NewPlan(1, time.Minute, 2*time.Second, faults(&l))
		var want []string
		for _, s := range p {
			switch {
			case !s.Mends:
				want = append(want, fmt.Sprint(s.At, " ", s.Fault.Name))
			case s.Fault.Mend != nil:
				want = append(want, fmt.Sprint(s.At, " mend ", s.Fault.Name))
			}
		}
		told := 0
		if err := p.Run(t.Context(), func(nemesis.Step) { told++ }); err != nil || told != len(p) {
			t.Errorf("got %v, told of %d steps of %d", err, told, len(p))
		}
		if !slices.Equal(l.lines, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(l.lines, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestPlanMendsWhenItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := log{start: time.Now()}
		p := nemesis.NewPlan(1, time.Minute, 2*time.Second, faults(&l))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		open := make(map[string]bool)
		err := p.Run(ctx, func(s nemesis.Step) { open[s.Fault.Name] = !s.Mends })
		if err != nil || time.Since(l.start) != 20*time.Second {
			t.Errorf("got %v after %s", err, time.Since(l.start))
		}
		for name, is := range open {
			last := slices.IndexFunc(l.lines, func(line string) bool { return line == fmt.Sprint(20*time.Second, " mend ", name) })
			if is && name != "kill all" && last < 0 {
				t.Errorf("%s is not mended in %v", name, l.lines)
			}
		}
	})
}

func TestPlanTellsErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		fails := func() error { return broken }
		p := nemesis.NewPlan(1, time.Minute, 20*time.Second, []nemesis.Fault{{Name: "it", Start: fails, Mend: fails}})
		err := p.Run(t.Context(), func(nemesis.Step) {})
		if !errors.Is(err, broken) || strings.Count(err.Error(), "nemesis: it: broken") != p.Faults() || strings.Count(err.Error(), "mend it: broken") != p.Faults() {
			t.Errorf("got %v of %d faults", err, p.Faults())
		}
	})
}
