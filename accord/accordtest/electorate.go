package accordtest

import (
	"math/rand/v2"
	"slices"

	"natsaccord/accord"
	"natsaccord/accord/quorum"
)

// elect draws an electorate for one run in so many, and tells whether it did: of any size that is legal and smaller than
// the number of nodes, with a fast quorum that is mostly the smallest. If nodes are given, one of these is how many nodes there
// are then. What it draws is drawn apart, so that the other runs stay what they are without it.
func (o *Options) elect(seed uint64, oneIn int, nodes ...int) bool {
	r := rand.New(rand.NewPCG(seed, 4))
	if r.IntN(oneIn) > 0 || o.Nodes < 2 && len(nodes) == 0 {
		return false
	}
	if len(nodes) > 0 {
		o.Nodes = pick(r, nodes...)
	}
	least := quorum.ElectorateMin(o.Nodes)
	size := least + r.IntN(o.Nodes-least)
	o.Electorate = nil
	for _, i := range r.Perm(o.Nodes)[:size] {
		o.Electorate = append(o.Electorate, accord.NodeID(i+1))
	}
	slices.Sort(o.Electorate)
	low := quorum.FastMinOf(o.Nodes, size)
	o.FastQuorum = pick(r, low, low, low, low+r.IntN(size-low+1))
	return true
}

// Elected draws a run with an electorate, every second one dense.
func Elected(seed uint64) Options {
	o := swarm(seed)
	switch {
	case seed%2 == 0:
		o = dense(seed)
		o.elect(seed, 1, denseNodes()...)
	case o.Nodes < 2:
		o.elect(seed, 1, 3)
	default:
		o.elect(seed, 1)
	}
	o.Mode = ModeElectorate
	return o
}

// denseNodes are how many nodes a dense run with an electorate may have.
func denseNodes() []int { return []int{2, 3, 3, 3, 3, 4, 4, 5, 5, 5, 6, 7} }
