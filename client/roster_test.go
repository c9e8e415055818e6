package client

import (
	"slices"
	"testing"
	"time"
)

// table is a roster and a clock that goes when the test has it go.
type table struct {
	*testing.T
	roster
	now time.Time
}

// newTable knows that three nodes answer.
func newTable(t *testing.T) *table {
	b := &table{T: t, now: time.Unix(1000, 0)}
	for _, node := range []string{"n1", "n2", "n3"} {
		b.hear(b.ask(), node)
	}
	return b
}

func (b *table) ask() way { return b.choose(b.now) }

func (b *table) hear(w way, node string) { b.answered(w, node, b.now) }

// fail has a request be in vain.
func (b *table) fail(w way) { b.unanswered(w, b.now) }

// pass lets time go by.
func (b *table) pass(d time.Duration) { b.now = b.now.Add(d) }

// asked returns whom a hundred turns ask, sorted.
func (b *table) asked() (nodes []string) {
	for range 100 {
		nodes = append(nodes, b.choose(b.now.Add(time.Duration(len(nodes))*turn)).node)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

func (b *table) want(nodes ...string) {
	b.Helper()
	due := b.due
	b.due = b.now.Add(time.Hour) // a trial is none of them
	if got := b.asked(); !slices.Equal(got, nodes) {
		b.Errorf("asks %q, want %q", got, nodes)
	}
	b.due = due
}

// lose has n3 fall silent under a request, while others are answered.
func (b *table) lose() {
	b.pass(ms)
	lost := b.ask()
	b.pass(ms)
	b.hear(b.ask(), "n3") // which it answered before that
	b.pass(300 * ms)
	for _, node := range []string{"n1", "n2"} {
		b.hear(b.ask(), node)
	}
	b.fail(lost)
}

func TestAllAreAskedWhileAllAnswer(t *testing.T) {
	newTable(t).want("")
}

func TestThoseWhoAnswerAreAsked(t *testing.T) {
	b := newTable(t)
	b.pass(time.Minute)
	b.lose()
	b.want("n1", "n2")
}

// TestWhoeverIsKnownIsAsked: without another request nobody can say who it is. Then a turn in vain tells.
func TestWhoeverIsKnownIsAsked(t *testing.T) {
	b := newTable(t)
	b.pass(time.Minute)
	b.fail(b.ask())
	b.want("n1", "n2", "n3")
	for w := b.ask(); ; w = b.ask() {
		if b.pass(turn); w.node == "n2" {
			b.fail(w)
			break
		}
	}
	b.want("n1", "n3")
}

func TestNobodyIsKnown(t *testing.T) {
	b := &table{T: t, now: time.Unix(1000, 0)}
	b.fail(b.ask())
	b.want("")
	b.hear(b.ask(), "n1")
	b.hear(b.ask(), "no.name")
	b.hear(b.ask(), "")
	b.want("n1")
}

func TestWhoRefusesIsNotAsked(t *testing.T) {
	b := newTable(t)
	b.lose()
	b.refused(way{at: b.now, node: "n1"})
	b.want("n2")
}

// TestOldRequestInVain says nothing about a node that has answered since.
func TestOldRequestInVain(t *testing.T) {
	b := newTable(t)
	b.lose()
	old := way{at: b.now.Add(-time.Second), node: "n1"}
	b.fail(old)
	b.want("n1", "n2")
}

// trials makes trials as long as they are answered, and returns how many were.
func (b *table) trials(answer func(n int) bool) int {
	for n := 0; ; n++ {
		w := b.ask()
		if w.trial == 0 {
			return n
		}
		if other := b.ask(); other.trial != 0 {
			b.Error("there are two trials at a time")
		}
		b.pass(ms)
		if !answer(n) {
			b.fail(w)
			return n
		}
		b.hear(w, "n3")
	}
}

func TestTrials(t *testing.T) {
	b := newTable(t)
	b.lose()
	for _, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		b.pass(pause*time.Second - ms)
		if n := b.trials(func(int) bool { return true }); n != 0 {
			t.Errorf("after less than %d s there were %d trials", pause, n)
		}
		b.pass(ms)
		if n := b.trials(func(n int) bool { return n < 5 }); n != 5 {
			t.Errorf("after %d s %d trials were answered, want 5", pause, n)
		}
		b.want("n1", "n2", "n3") // it has answered
	}
	b.pass(mostPause)
	if n := b.trials(func(int) bool { return true }); n != trialsInRow {
		t.Errorf("there were %d trials, want %d", n, trialsInRow)
	}
	b.want("")
	b.lose()
	b.pass(trialPause)
	if n := b.trials(func(int) bool { return true }); n != trialsInRow {
		t.Errorf("another time there were %d trials, want %d", n, trialsInRow)
	}
}

// TestTrialOfWhichNothingIsHeard ends none of them: its caller may have gone away.
func TestTrialOfWhichNothingIsHeard(t *testing.T) {
	b := newTable(t)
	b.lose()
	b.pass(trialPause)
	forgotten := b.ask()
	b.pass(trialPause)
	if n := b.trials(func(n int) bool { return n < 3 }); forgotten.trial == 0 || n != 3 {
		t.Errorf("after one of which nothing is heard %d trials were answered, want 3", n)
	}
	due, row := b.due, b.row
	b.hear(forgotten, "n1")
	b.fail(forgotten)
	if b.due != due || b.row != row {
		t.Error("what is heard of a trial later counts")
	}
}

// TestNearNodeIsNobodysSuspicion: it has a rule of its own. That a stream's home is silent is what all have to know.
func TestNearNodeIsNobodysSuspicion(t *testing.T) {
	b := newTable(t)
	b.fail(way{at: b.now, node: "n3"})
	b.want("")
	b.pass(ms)
	b.fail(way{at: b.now, node: "n3", home: "n3", hint: true})
	b.want("n1", "n2")
}
