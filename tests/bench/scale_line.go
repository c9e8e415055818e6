package main

import "math"

// scaleLine is one thing that grows while all else stays.
type scaleLine struct {
	name        string
	usage       string // of its flag
	title       string // of its table and picture
	values      string // unless asked otherwise
	least, most int
	log         bool
	set         func(w *scaleWorkload, value int)
	points      []int
}

// scaleWorkload is a cluster, what it has stored, and the appends to it.
type scaleWorkload struct {
	nodes     int
	keys      int // streams to draw from
	apart     int // of a history, every which stream is one of them
	span      int // streams of an append, an event to each
	conflicts int // percent of the events that go to one of hotStreams streams
	history   int // events in the log before
	bytes     int // of an event's data
}

// baseWorkload is what all lines start from.
func baseWorkload() scaleWorkload {
	return scaleWorkload{nodes: clusterSize, keys: 10_000, apart: 1, span: 1, bytes: 256}
}

// drawnFrom draws appends from most streams of a history that has so many, spread evenly over it; from all of them if most is 0.
func (w *scaleWorkload) drawnFrom(streams, most int) {
	if most == 0 {
		most = streams
	}
	w.apart = max(1, streams/most)
	w.keys = min(most, streams)
}

// leastBytes is the size of the smallest data, and the most of it is what nodes accept.
const (
	leastBytes     = 16
	mostEventBytes = 256 << 10
	mostSpan       = 100
)

// spanKeys are the streams of appends to many of them: with 100 each, 64 appends in flight have 6,400 streams, and are to seldom meet.
const spanKeys = 10_000_000

func scaleLines() []scaleLine {
	return []scaleLine{
		{name: "nodes", usage: "nodes of the cluster", title: "nodes", values: "3,5,7", least: 1, most: 9,
			set: func(w *scaleWorkload, n int) { w.nodes = n }},
		{name: "keys", usage: "streams that appends are drawn from", title: "streams", values: "10,1k,100k,10M", least: 1, most: math.MaxInt32, log: true,
			set: func(w *scaleWorkload, n int) { w.keys = n }},
		{name: "span", usage: "streams of an append, an event to each", title: "streams of an append", values: "1,3,10,30,100", least: 1, most: mostSpan, log: true,
			set: func(w *scaleWorkload, n int) { w.span, w.keys = n, spanKeys }},
		{name: "conflicts", usage: "percent of the appends that go to one of 10 streams", title: "appends to 10 hot streams, %", values: "0,1,5,20,50,100", least: 0, most: 100,
			set: func(w *scaleWorkload, n int) { w.conflicts = n }},
		{name: "history", usage: "events that are in the log already", title: "events in the log before", values: "0,10k,100k,1M,10M", least: 0, most: math.MaxInt32, log: true,
			set: func(w *scaleWorkload, n int) { w.history = n }},
		{name: "size", usage: "bytes of data in an event", title: "bytes of an event", values: "256,4096,65536", least: leastBytes, most: mostEventBytes, log: true,
			set: func(w *scaleWorkload, n int) { w.bytes = n }},
	}
}

// appends is how many appends count in a round: fewer of large ones.
func (s scaleSettings) appends(w scaleWorkload) int {
	return min(s.count, max(s.inFlight, s.mostBytes/(w.bytes*w.span)))
}

// before returns how many appends are made before those that count. A node that has run for a while knows the streams that are
// appended to; one that was just started has to find each in its database, which takes the longer the more that holds.
func (s scaleSettings) before(w scaleWorkload) int {
	n := s.appends(w)*s.warm/s.count + 1
	if w.history == 0 {
		return n
	}
	return max(n, min(s.touch*w.keys, touchMost))
}
