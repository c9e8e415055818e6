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
func (a area) nearest(region, n int) (time.Duration, bool) { return a.nearestOf(region, n, nil) }

// nearestOf is that of some of the nodes only, if any are given.
func (a area) nearestOf(region, n int, some []int) (time.Duration, bool) {
	var took []time.Duration
	for _, other := range a.up() {
		if len(some) == 0 || slices.Contains(some, other) {
			took = append(took, a.rtt[region][other])
		}
	}
	slices.Sort(took)
	if n > len(took) {
		return 0, false
	}
	return took[n-1], true
}

// voting is which votes decide in one round.
type voting struct {
	fast       int   // how many
	electorate []int // of which regions; empty: of all
}

// all is the usual voting in an area, of all regions.
func (a area) all() voting { return voting{fast: quorum.Fast(len(a.regions))} }

// fewer is that of mode G.
func (a area) fewer() voting { return voting{fast: quorum.FastMin(len(a.regions))} }

// of is that of some regions.
func (a area) of(electorate []string) (v voting, err error) {
	for _, region := range electorate {
		i := slices.Index(a.regions, region)
		if i < 0 || slices.Contains(v.electorate, i) {
			return v, fmt.Errorf("-electorate has %q, want some of %q", region, a.regions)
		}
		v.electorate = append(v.electorate, i)
	}
	if n, least := len(electorate), quorum.ElectorateMin(len(a.regions)); n < least {
		return v, fmt.Errorf("-electorate has %d regions, want at least %d", n, least)
	}
	v.fast = quorum.FastMinOf(len(a.regions), len(electorate))
	return v, nil
}

// leaderless is how long an append from a region has to take without a leader: a round trip to a fast quorum, or two to
// a majority. A third one, which mode G needs off the fast path, is not counted: it is what the aim leaves out too.
func (a area) leaderless(region int, v voting) time.Duration {
	majority, ok := a.nearest(region, quorum.Slow(len(a.regions)))
	if !ok {
		panic(fmt.Sprintf("bench: no majority of %d regions is up", len(a.regions)))
	}
	if once, ok := a.nearestOf(region, v.fast, v.electorate); ok {
		return min(once, 2*majority)
	}
	return 2 * majority
}

// led is how long it has to take with a leader in a region: a round trip to it, and one from there to a majority.
func (a area) led(region, leader int) time.Duration {
	majority, _ := a.nearest(leader, quorum.Slow(len(a.regions)))
	return a.rtt[region][leader] + majority
}
