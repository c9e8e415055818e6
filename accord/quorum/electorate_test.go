package quorum_test

import (
	"testing"

	"natsaccord/accord/quorum"
)

// within returns what each set has of another.
func within(sets []nodes, of nodes) []nodes {
	parts := make([]nodes, len(sets))
	for i, s := range sets {
		parts[i] = s & of
	}
	return parts
}

// fastQuorums returns every set of at least size electors.
func fastQuorums(n int, electorate nodes, size int) []nodes {
	var all []nodes
	for _, s := range subsets(n, size) {
		if s&^electorate == 0 {
			all = append(all, s)
		}
	}
	return all
}

// electorates calls f for every electorate of n nodes that has at least size members.
func electorates(size func(n int) int, f func(n int, e nodes)) {
	for n := 1; n <= nodesMax; n++ {
		for _, e := range subsets(n, size(n)) {
			f(n, e)
		}
	}
}

// TestElectorateIntersections checks Q2 to Q7 on all sets of nodes for every electorate and every legal fast quorum of it.
// What a recovery's quorum shows of the fast path is what its electors show.
func TestElectorateIntersections(t *testing.T) {
	electorates(quorum.ElectorateMin, func(n int, e nodes) {
		slow := subsets(n, quorum.Slow(n))
		electors := within(slow, e)
		for fast := quorum.FastMinOf(n, e.len()); fast <= e.len(); fast++ {
			rejects, faults := quorum.Rejects(e.len(), fast), quorum.Faults(n)
			voters := fastQuorums(n, e, fast)
			acceptors := within(subsets(n, quorum.AcceptStable(n, fast)), e)
			for _, q := range []struct {
				id        string
				got, want int
			}{
				{"Q2", meet(voters, slow), 1},
				{"Q3", meet(voters, voters), faults + 1},
				{"Q4", meet(slow, voters), rejects},
				{"Q6", meet(slow, acceptors), rejects},
				{"Q7", rejects - 1, miss(electors, voters)},
			} {
				if q.got < q.want {
					t.Errorf("n=%d electorate=%b fast=%d %s: got %d nodes, want at least %d", n, e, fast, q.id, q.got, q.want)
				}
			}
			if got := meet(slow, electors) >= rejects; got != quorum.VotesSuffice(n, fast) {
				t.Errorf("n=%d electorate=%b fast=%d Q5: holds: %v, VotesSuffice: %v", n, e, fast, got, !got)
			}
			if odd := n%2 == 1; odd && e.len() < n && quorum.VotesSuffice(n, fast) {
				t.Errorf("n=%d electorate=%b fast=%d: slow quorums may meet outside the electorate, and votes suffice", n, e, fast)
			}
		}
	})
}

// TestElectorateSizesAreSmallest tries smaller electorates and fast quorums: none may do.
func TestElectorateSizesAreSmallest(t *testing.T) {
	one := func(int) int { return 1 }
	electorates(one, func(n int, e nodes) {
		slow := subsets(n, quorum.Slow(n))
		electors := within(slow, e)
		smallest := 0
		for fast := e.len(); fast > 0; fast-- {
			voters := fastQuorums(n, e, fast)
			// A recovery tells a fast path from one that a rival's fast path rules out.
			if meet(slow, voters) > miss(electors, voters) {
				smallest = fast
			}
		}
		if legal := e.len() >= quorum.ElectorateMin(n); legal != (smallest > 0) {
			t.Errorf("n=%d electorate=%b: legal: %v, smallest fast quorum %d", n, e, legal, smallest)
		}
		if got := quorum.FastMinOf(n, e.len()); smallest > 0 && got != smallest {
			t.Errorf("FastMinOf(%d, %d) = %d, want %d", n, e.len(), got, smallest)
		}
	})
}
