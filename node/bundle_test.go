package node

import (
	"slices"
	"testing"
	"time"

	"natsaccord/accord"
)

func TestBundles(t *testing.T) {
	small := proposal{body: make([]byte, 100), keys: make(accord.Keys, 3)}
	alone, large, wide := small, small, small
	alone.alone = true
	large.body = make([]byte, bundleBytes)
	wide.keys = make(accord.Keys, bundleKeys)
	for name, c := range map[string]struct {
		waiting []proposal
		most    int
		want    []int
	}{
		"nothing":             {nil, 64, nil},
		"one":                 {[]proposal{small}, 64, []int{1}},
		"some":                {[]proposal{small, small, small}, 64, []int{3}},
		"more than may":       {[]proposal{small, small, small, small, small}, 2, []int{2, 2, 1}},
		"none may":            {[]proposal{small, small}, 1, []int{1, 1}},
		"one alone":           {[]proposal{small, small, alone, small, small}, 64, []int{2, 1, 2}},
		"all alone":           {[]proposal{alone, alone}, 64, []int{1, 1}},
		"one too large":       {[]proposal{small, large, small, small}, 64, []int{1, 1, 2}},
		"one with many keys":  {[]proposal{small, wide, small}, 64, []int{1, 1, 1}},
		"many of a good size": {slices.Repeat([]proposal{{body: make([]byte, bundleBytes/4), keys: make(accord.Keys, 1)}}, 9), 64, []int{4, 4, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			for _, run := range bundles(c.waiting, c.most) {
				got = append(got, len(run))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got runs of %d, want %d", got, c.want)
			}
		})
	}
}

// TestGathering: what comes while nothing is under way goes at once; else it waits for a share of what transactions take,
// unless there is enough.
func TestGathering(t *testing.T) {
	g := newGathering(4)
	now := time.Unix(1000, 0)
	put := func(n int) { g.waiting = append(g.waiting, make([]proposal, n)...) }
	expect := func(when string, runs ...int) {
		t.Helper()
		var got []int
		for _, run := range g.take(now) {
			got = append(got, len(run))
		}
		if !slices.Equal(got, runs) {
			t.Errorf("%s: got runs of %d, want %d", when, got, runs)
		}
	}
	expect("nothing there")
	put(1)
	expect("nothing under way", 1)
	began := now
	g.took = 8 * time.Millisecond
	put(2)
	expect("one under way")
	now = now.Add(2*time.Millisecond - 1)
	expect("almost a share of the time later")
	now = now.Add(1)
	expect("a share of the time later", 2)
	put(3)
	expect("too few")
	put(3)
	expect("enough", 4, 2)
	g.took = time.Second
	put(1)
	now = now.Add(gatherMost - 1)
	expect("nodes far apart, too early")
	now = now.Add(1)
	expect("nodes far apart", 1)
	put(1)
	for range 5 {
		g.ended(began, now)
	}
	expect("nothing under way any more", 1)
}

func TestGatheringLearnsHowLongTransactionsTake(t *testing.T) {
	g := newGathering(64)
	now := time.Unix(1000, 0)
	for range 100 {
		g.ended(now.Add(-10*time.Millisecond), now)
	}
	if g.took < 9*time.Millisecond || g.took > 10*time.Millisecond {
		t.Errorf("got %s, want 10ms", g.took)
	}
}
