package accordtest

import (
	"math/rand/v2"
	"slices"
)

// act is a kind of thing that can happen next.
type act uint8

const (
	actArrive  act = iota // a packet arrives
	actOwn                // a node takes in what it sent to itself
	actPersist            // a sync ends
	actApply              // a transaction is applied
	actReport             // the Machine is told what is applied
	actTick               // a timer is due
	actCatchUp            // a node merges another's log
	actWake               // a paused node goes on, or a crashed one restarts
	actRequest            // a client submits a transaction or reads
)

// choice is one thing that can happen next.
type choice struct {
	act    act
	node   int // index of the node it happens to
	packet int // index of the packet, for actArrive
	at     uint64
}

// choices returns all that can happen next, in an order that depends on nothing but the run so far.
func (s *Sim) choices() []choice {
	all := s.scratch[:0]
	for i, p := range s.net.packets {
		if m := s.member(p.to); !m.paused && !s.net.held(p) {
			all = append(all, choice{actArrive, int(p.to) - 1, i, p.at})
		}
	}
	for i, m := range s.nodes {
		all = m.choices(all, i, s.now)
	}
	if at, ok := s.load.next(); ok {
		all = append(all, choice{act: actRequest, at: at})
	}
	s.scratch = all
	return all
}

// choices adds what can happen at a node.
func (m *member) choices(all []choice, i int, now uint64) []choice {
	if m.gone {
		return all
	}
	if m.paused || !m.up() {
		return append(all, choice{act: actWake, node: i, at: m.wakeAt})
	}
	add := func(a act, at uint64) { all = append(all, choice{act: a, node: i, at: at}) }
	if len(m.own) > 0 {
		add(actOwn, now)
	}
	if m.syncing > 0 {
		add(actPersist, m.syncAt)
	}
	if len(m.due) > 0 {
		add(actApply, m.applyAt)
	}
	if len(m.done) > 0 {
		add(actReport, now)
	}
	if m.catching != nil {
		add(actCatchUp, m.applyAt)
	}
	if due, ok := m.machine.Deadline(); ok {
		add(actTick, m.clock.reach(now, due))
	}
	return all
}

// scheduler picks what happens next.
type scheduler struct {
	policy     Policy
	priorities [priorityClasses][nodesMax + 1][2]uint32
}

// Transactions share priorityClasses priorities, by their timestamps.
const (
	priorityClasses = 64
	nodesMax        = 7

	// The policy Priority picks at random now and then, and changes a priority now and then.
	randomPick     = 12
	priorityChange = 25
)

func newScheduler(r *rand.Rand, p Policy) scheduler {
	s := scheduler{policy: p}
	for class := range s.priorities {
		for node := range s.priorities[class] {
			s.priorities[class][node] = [2]uint32{r.Uint32(), r.Uint32()}
		}
	}
	return s
}

// choose picks what happens next, and lets the time pass until then. It returns false if nothing is left.
func (s *Sim) choose() (choice, bool) {
	all := s.choices()
	if len(all) == 0 {
		return choice{}, false
	}
	first := slices.MinFunc(all, func(a, b choice) int { return compareTime(a.at, b.at) })
	if s.quiet || s.schedule.policy == Timed {
		s.now = max(s.now, first.at)
		return first, true
	}
	s.now += s.around(s.o.StepTime)
	possible := all[:0]
	for _, c := range all {
		if c.at <= s.now || c.act <= actReport || c.act == actCatchUp {
			possible = append(possible, c)
		}
	}
	if len(possible) == 0 {
		s.now = max(s.now, first.at)
		return first, true
	}
	if s.schedule.policy == Priority && s.rng.IntN(randomPick) > 0 {
		return s.urgent(possible), true
	}
	return possible[s.rng.IntN(len(possible))], true
}

func compareTime(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// urgent returns the choice of the highest priority.
func (s *Sim) urgent(all []choice) choice {
	if s.rng.IntN(priorityChange) == 0 {
		s.schedule.priorities[s.rng.IntN(priorityClasses)][s.rng.IntN(nodesMax+1)][s.rng.IntN(2)] = s.rng.Uint32()
	}
	return slices.MaxFunc(all, func(a, b choice) int { return compareTime(s.priority(a), s.priority(b)) })
}

// priority returns a choice's priority: that of the transaction, the node and the direction of a message, or of
// the node and what happens to it.
func (s *Sim) priority(c choice) uint64 {
	if c.act != actArrive {
		return uint64(s.schedule.priorities[c.act][c.node][0])
	}
	r := s.net.packets[c.packet].priority
	return uint64(s.schedule.priorities[r.class][r.node][r.direction])
}

// rank says which of the priorities a packet has.
type rank struct{ class, node, direction uint8 }

func rankOf(p *packet) rank {
	msg := p.messages[0]
	r := rank{node: uint8(p.to)}
	if vouches(msg.Body) {
		r.node, r.direction = uint8(p.from), 1
	}
	r.class = uint8((msg.TxnID.HLC*31 + uint64(msg.TxnID.Node)) * 0x9e3779b97f4a7c15 >> 58)
	return r
}
