package quorum_test

import (
	"testing"

	"natsaccord/accord/quorum"
)

// TestSizes is the table of docs/protocol.md §1.3.
func TestSizes(t *testing.T) {
	type sizes struct {
		Faults, Slow, FastMin, RejectsMin int
		SufficeMin                        bool
		Fast, Rejects, AcceptStableMin    int
	}
	for n, want := range map[int]sizes{
		1: {0, 1, 1, 1, true, 1, 1, 1},
		2: {0, 2, 2, 1, true, 2, 1, 2},
		3: {1, 2, 3, 1, true, 3, 1, 2},
		4: {1, 3, 3, 2, true, 3, 2, 3},
		5: {2, 3, 4, 2, false, 5, 1, 4},
		6: {2, 4, 5, 2, true, 5, 2, 4},
		7: {3, 4, 6, 2, false, 7, 1, 5},
	} {
		low, fast := quorum.FastMin(n), quorum.Fast(n)
		got := sizes{
			quorum.Faults(n), quorum.Slow(n), low, quorum.Rejects(n, low), quorum.VotesSuffice(n, low),
			fast, quorum.Rejects(n, fast), quorum.AcceptStable(n, low),
		}
		if got != want {
			t.Errorf("n=%d: got %+v, want %+v", n, got, want)
		}
		if !quorum.VotesSuffice(n, fast) || quorum.AcceptStable(n, fast) != quorum.Slow(n) {
			t.Errorf("n=%d: mode VS must need votes and a slow quorum only", n)
		}
	}
}
