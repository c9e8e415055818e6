package quorum_test

import (
	"math/bits"
	"testing"

	"natsaccord/accord/quorum"
)

// nodes is a set of at most 7 nodes, one bit each.
type nodes uint8

func (s nodes) len() int { return bits.OnesCount8(uint8(s)) }

// subsets returns every set of at least size of n nodes.
func subsets(n, size int) []nodes {
	var all []nodes
	for s := range nodes(1 << n) {
		if s.len() >= size {
			all = append(all, s)
		}
	}
	return all
}

// meet returns how many nodes any a and any b share at least.
func meet(as, bs []nodes) int {
	least := 8
	for _, a := range as {
		for _, b := range bs {
			least = min(least, (a & b).len())
		}
	}
	return least
}

// miss returns how many nodes of any a may lack from any b at most.
func miss(as, bs []nodes) int {
	most := 0
	for _, a := range as {
		for _, b := range bs {
			most = max(most, (a &^ b).len())
		}
	}
	return most
}

const nodesMax = 7

// TestIntersections checks Q1 to Q7 of docs/protocol.md §1.3 on all sets of nodes, for every legal fast
// quorum.
func TestIntersections(t *testing.T) {
	for n := 1; n <= nodesMax; n++ {
		slow := subsets(n, quorum.Slow(n))
		if meet(slow, slow) < 1 {
			t.Errorf("n=%d Q1: two slow quorums do not meet", n)
		}
		for fast := quorum.FastMin(n); fast <= n; fast++ {
			rejects, faults := quorum.Rejects(n, fast), quorum.Faults(n)
			voters := subsets(n, fast)
			acceptors := subsets(n, quorum.AcceptStable(n, fast))
			for _, q := range []struct {
				id        string
				got, want int
			}{
				{"Q2", meet(voters, slow), 1},
				{"Q3", meet(voters, voters), faults + 1},
				{"Q4", meet(slow, voters), rejects},
				{"Q6", meet(slow, acceptors), rejects},
				{"Q7", rejects - 1, miss(slow, voters)},
			} {
				if q.got < q.want {
					t.Errorf("n=%d fast=%d %s: got %d nodes, want at least %d", n, fast, q.id, q.got, q.want)
				}
			}
			if got := meet(slow, slow) >= rejects; got != quorum.VotesSuffice(n, fast) {
				t.Errorf("n=%d fast=%d Q5: holds: %v, VotesSuffice: %v", n, fast, got, !got)
			}
		}
	}
}

// TestSizesAreSmallest finds every size again by trying all smaller ones: none may do the job too.
func TestSizesAreSmallest(t *testing.T) {
	for n := 1; n <= nodesMax; n++ {
		slow := subsets(n, quorum.Slow(n))
		least := func(from int, ok func(size int) bool) int {
			for size := from; size <= n; size++ {
				if ok(size) {
					return size
				}
			}
			return -1
		}
		fastMin := least(1, func(fast int) bool {
			voters := subsets(n, fast)
			return meet(voters, voters) > quorum.Faults(n) && meet(slow, voters) > miss(slow, voters)
		})
		if got := quorum.FastMin(n); got != fastMin {
			t.Errorf("FastMin(%d) = %d, want %d", n, got, fastMin)
		}
		fast := least(fastMin, func(fast int) bool { return meet(slow, slow) > miss(slow, subsets(n, fast)) })
		if got := quorum.Fast(n); got != fast {
			t.Errorf("Fast(%d) = %d, want %d", n, got, fast)
		}
		for fast := fastMin; fast <= n; fast++ {
			missing := miss(slow, subsets(n, fast))
			if got := quorum.Rejects(n, fast); got != missing+1 {
				t.Errorf("Rejects(%d, %d) = %d, want %d", n, fast, got, missing+1)
			}
			stable := least(quorum.Slow(n), func(size int) bool { return meet(slow, subsets(n, size)) > missing })
			if got := quorum.AcceptStable(n, fast); got != stable {
				t.Errorf("AcceptStable(%d, %d) = %d, want %d", n, fast, got, stable)
			}
		}
	}
}
