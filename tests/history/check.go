package history

import "slices"

// Check looks for anomalies: for whatever shows that the transactions did not take effect one after the other, each
// at a moment between its invocation and its return.
//
// A transaction of unknown outcome took effect if any of its values was read. Of the cycles, the worst of each
// strongly connected component is told.
func Check(txns []Txn) Report {
	o := observe(txns)
	g := o.depend()
	s := search{o: o, g: g, spent: make([]bool, len(g.edges))}
	for _, r := range rungs() {
		s.climb(r)
	}
	s.checkPositions()
	report := Report{Anomalies: append(o.anomalies, s.found...), Edges: make(map[string]int)}
	for i := range txns {
		if o.happened[i] {
			report.Txns++
		}
	}
	for _, edges := range g.edges {
		for _, e := range edges {
			report.Edges[e.kind.String()]++
		}
	}
	return report
}

// rung is one kind of cycle to look for. Every cycle of its kinds that was not found on an earlier rung needs all
// of them.
type rung struct {
	kinds EdgeKind
	class Class
	one   Class // if set: of cycles with one Rw; class is of those with more
}

// rungs are all of them, so that the kinds of each are no subset of those of an earlier one.
func rungs() []rung {
	return []rung{
		{kinds: Ww, class: G0},
		{kinds: Ww | Wr, class: G1c},
		{kinds: Ww | Wr | Rw, class: G2, one: GSingle},
		{kinds: Ww | Rt, class: G0Realtime},
		{kinds: Ww | Wr | Rt, class: G1cRealtime},
		{kinds: Ww | Wr | Rw | Rt, class: G2Realtime, one: GSingleRealtime},
	}
}

// search looks for cycles.
type search struct {
	o     *observer
	g     *graph
	spent []bool // by node: it is in a component of which a cycle has been told
	found []Anomaly
}

// climb tells of a cycle in each component that a rung's kinds of edges make and in which nothing was found before.
func (s *search) climb(r rung) {
	for _, component := range s.g.components(r.kinds) {
		if slices.ContainsFunc(component, func(node int32) bool { return s.spent[node] }) {
			for _, node := range component {
				s.spent[node] = true
			}
			continue
		}
		for _, node := range component {
			s.spent[node] = true
		}
		class, cycle := s.cycle(r, component)
		s.found = append(s.found, Anomaly{Class: class, Cycle: cycle, Detail: describeCycle(s.o.txns, cycle)})
	}
}

// cycle returns a cycle within a component, and its class.
func (s *search) cycle(r rung, component []int32) (Class, []Edge) {
	within := make(map[int32]bool, len(component))
	for _, node := range component {
		within[node] = true
	}
	if r.one != "" {
		if h, ok := s.g.reaches(component, r.kinds&^Rw, s.inside(component, within, Rw)); ok {
			return r.one, s.close(within, h, r.kinds&^Rw)
		}
	}
	return r.class, s.shortest(r, component, within)
}

// inside returns the edges of a kind that begin and end in a component.
func (s *search) inside(component []int32, within map[int32]bool, kind EdgeKind) (found []hop) {
	for _, node := range component {
		for _, e := range s.g.edges[node] {
			if e.kind == kind && within[e.to] {
				found = append(found, hop{node, e})
			}
		}
	}
	return found
}

// tries is how many edges are tried for a short cycle.
const tries = 64

// shortest returns a short cycle of a component that is on no earlier rung: any will do.
func (s *search) shortest(r rung, component []int32, within map[int32]bool) []Edge {
	var best []Edge
	for i, h := range s.inside(component, within, highest(r.kinds&^Rt)) {
		if i == tries {
			break
		}
		if cycle := s.close(within, h, r.kinds); best == nil || len(cycle) < len(best) {
			best = cycle
		}
	}
	return best
}

// highest returns the last of some kinds.
func highest(kinds EdgeKind) EdgeKind {
	for _, kind := range []EdgeKind{Rt, Rw, Wr} {
		if kinds&kind != 0 {
			return kind
		}
	}
	return Ww
}

// close makes a cycle of an edge and a way back from its end over edges of some kinds, and leaves out the steps.
func (s *search) close(within map[int32]bool, h hop, kinds EdgeKind) []Edge {
	hops := append([]hop{h}, s.g.path(within, h.edge.to, h.from, kinds)...)
	for !s.g.isTxn(hops[0].from) {
		hops = append(hops[1:], hops[0])
	}
	var cycle []Edge
	for _, h := range hops {
		if s.g.isTxn(h.from) {
			e := Edge{From: int(h.from), Kind: h.edge.kind}
			if h.edge.key != none {
				e.Key = s.o.keys[h.edge.key].key
			}
			cycle = append(cycle, e)
		}
		cycle[len(cycle)-1].To = int(h.edge.to)
	}
	return cycle
}

// checkPositions looks for dependencies that go against the order which the system told.
func (s *search) checkPositions() {
	txns := s.o.txns
	for from := range txns {
		for _, e := range s.g.edges[from] {
			if e.kind == Rt || !s.g.isTxn(e.to) || txns[from].Order == "" || txns[e.to].Order == "" || txns[from].Order < txns[e.to].Order {
				continue
			}
			cycle := []Edge{{From: from, To: int(e.to), Kind: e.kind, Key: s.o.keys[e.key].key}}
			s.found = append(s.found, Anomaly{Class: PositionOrder, Detail: "the order told is the other way round: " + describeCycle(txns, cycle)})
		}
	}
}
