package main

import (
	"fmt"
	"slices"
	"time"

	"natsaccord/accord/quorum"
)

// farRegions are the regions of a wide area, those first that also make the smaller one.
func farRegions() []string {
	return []string{"us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-1"}
}

// roundTrips are milliseconds between farRegions: rounded medians of AWS.
func roundTrips() [][]int {
	return [][]int{
		{0, 65, 70, 150, 215},
		{65, 0, 125, 97, 162},
		{70, 125, 0, 205, 178},
		{150, 97, 205, 0, 70},
		{215, 162, 178, 70, 0},
	}
}

// area is where a cluster is spread.
type area struct {
	regions []string
	rtt     [][]time.Duration
	down    int // the region that is cut off; -1: none
}

func newArea(regions int) area {
	a := area{regions: farRegions()[:regions], down: -1}
	for _, row := range roundTrips()[:regions] {
		var took []time.Duration
		for _, ms := range row[:regions] {
			took = append(took, time.Duration(ms)*time.Millisecond)
		}
		a.rtt = append(a.rtt, took)
	}
	return a
}

// without is the area with a region cut off.
func (a area) without(region string) area {
	a.down = slices.Index(a.regions, region)
	return a
}

// up are the regions that are not cut off.
func (a area) up() (regions []int) {
	for i := range a.regions {
		if i != a.down {
			regions = append(regions, i)
		}
	}
	return regions
}

// nearest is the round trip to the last of the nearest n nodes, that of the region itself included; false if there
// are not so many.
func (a area) nearest(region, n int) (time.Duration, bool) {
	var took []time.Duration
	for _, other := range a.up() {
		took = append(took, a.rtt[region][other])
	}
	slices.Sort(took)
	if n > len(took) {
		return 0, false
	}
	return took[n-1], true
}

// leaderless is how long an append from a region has to take without a leader: a round trip to a fast quorum, or two to
// a majority. A third one, which mode G needs off the fast path, is not counted: it is what the aim leaves out too.
func (a area) leaderless(region, fast int) time.Duration {
	majority, ok := a.nearest(region, quorum.Slow(len(a.regions)))
	if !ok {
		panic(fmt.Sprintf("bench: no majority of %d regions is up", len(a.regions)))
	}
	if once, ok := a.nearest(region, fast); ok {
		return min(once, 2*majority)
	}
	return 2 * majority
}

// led is how long it has to take with a leader in a region: a round trip to it, and one from there to a majority.
func (a area) led(region, leader int) time.Duration {
	majority, _ := a.nearest(leader, quorum.Slow(len(a.regions)))
	return a.rtt[region][leader] + majority
}
