package client

import (
	"testing"
	"time"
)

func newPatience() *patience {
	return &patience{least: leastPatience, first: firstPatience, most: 3 * time.Second}
}

const ms = time.Millisecond

func (p *patience) checkOf(t *testing.T, try int, want time.Duration) {
	t.Helper()
	if got := p.of(try); got != want {
		t.Errorf("try %d waits %s, want %s", try, got, want)
	}
}

func TestPatienceOfTries(t *testing.T) {
	p := newPatience()
	for i, want := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
		p.checkOf(t, i+1, want)
	}
	p.answered(2 * ms)
	for i, want := range []time.Duration{300 * ms, 600 * ms, 1200 * ms, 2400 * ms, 3 * time.Second} {
		p.checkOf(t, i+1, want)
	}
	p.checkOf(t, 1_000_000, 3*time.Second)
	p = &patience{least: leastPatience, first: firstPatience, most: 150 * ms}
	p.checkOf(t, 1, 150*ms)
}

// TestPatienceCoversWhatIsUsual: nothing that has taken long for some is asked for once more, in wide areas and under load.
func TestPatienceCoversWhatIsUsual(t *testing.T) {
	for name, test := range map[string]struct {
		took        []time.Duration
		least, most time.Duration
	}{
		"one machine":                {[]time.Duration{ms, 2 * ms, 9 * ms}, 300 * ms, 300 * ms},
		"a region away, 3 trips":     {[]time.Duration{70 * ms}, 210 * ms, 420 * ms},
		"continents, 3 trips":        {[]time.Duration{300 * ms}, 900 * ms, 1800 * ms},
		"continents with conflicts":  {[]time.Duration{150 * ms, 300 * ms, 150 * ms, 900 * ms}, 900 * ms, 3 * time.Second},
		"overloaded":                 {[]time.Duration{1500 * ms}, 1500 * ms, 3 * time.Second},
		"one in five waits for half": {[]time.Duration{5 * ms, 5 * ms, 500 * ms, 5 * ms, 5 * ms}, 500 * ms, 2500 * ms},
	} {
		p := newPatience()
		for i := range 100 {
			for _, took := range test.took {
				p.answered(took)
				if got := p.of(1); i > 0 && (got < test.least || got > test.most) {
					t.Fatalf("%s: waits %s, want %s to %s", name, got, test.least, test.most)
				}
			}
		}
	}
}

// TestPatienceDoubles once for all who waited at the same time, and an answer ends that.
func TestPatienceDoubles(t *testing.T) {
	p := newPatience()
	p.answered(2 * ms)
	for range 64 {
		p.ranOut(300 * ms)
	}
	p.checkOf(t, 1, 600*ms)
	p.checkOf(t, 2, 600*ms)
	p.checkOf(t, 3, 1200*ms)
	for range 64 {
		p.ranOut(600 * ms)
	}
	p.checkOf(t, 1, 1200*ms)
	p.answered(2 * ms)
	p.checkOf(t, 1, 300*ms)
	for range 100 {
		p.ranOut(time.Hour)
	}
	p.checkOf(t, 1, 3*time.Second)
	p.answered(0)
	p.checkOf(t, 1, 300*ms)
}

// TestPatienceLearnsFromOneLateAnswer: a cluster that has become slow is not asked more and more.
func TestPatienceLearnsFromOneLateAnswer(t *testing.T) {
	p := newPatience()
	for range 1000 {
		p.answered(5 * ms)
	}
	p.answered(time.Second)
	if got := p.of(1); got < time.Second {
		t.Errorf("waits %s for answers that take 1s", got)
	}
}
