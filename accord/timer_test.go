package accord

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTimersComeInOrder sets and takes timers at random, and compares them with a sorted list.
func TestTimersComeInOrder(t *testing.T) {
	var m Machine
	var twin []timer
	for range 5000 {
		if len(twin) > 0 && rand.N(5) < 2 {
			if got := m.timers.pop(); got != twin[0] {
				t.Fatalf("got %+v, want %+v", got, twin[0])
			}
			twin = twin[1:]
			continue
		}
		m.wake(rand.Uint64N(100), timerProgress, TxnID{Timestamp{HLC: rand.Uint64()}})
		for _, set := range m.timers {
			if set.seq == m.timerSeq {
				twin = append(twin, set)
			}
		}
		slices.SortFunc(twin, func(a, b timer) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
	}
	for _, want := range twin {
		if got := m.timers.pop(); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	if _, ok := m.Deadline(); ok {
		t.Error("there is something left")
	}
}
