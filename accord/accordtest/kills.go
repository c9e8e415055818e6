package accordtest

import (
	"slices"

	"natsaccord/accord"
)

// Kill is a crash that is laid down. Everything else being determined, varying one shows what a node may do at
// its worst moment.
type Kill struct {
	Node accord.NodeID
	Step uint64 // the crash comes before this step of the simulation, the first being 0
	Lose uint64 // of the packets it has on their way, those are lost whose bits are set
	Keep int    // of what was recorded and not synced, only the first so many units and effects are left
	Down uint64 // microseconds; zero: for good
}

// Killed says what a Kill met: how many packets the node had on their way, and how much it had not synced.
type Killed struct{ Sent, Unsynced int }

// Moment is a step of a run that has Orders: what happened to which node, zero if it was a client's request, and
// when.
type Moment struct {
	Node accord.NodeID
	At   uint64 // microseconds since the run began
}

// kill has the nodes crash whose time has come.
func (s *Sim) kill() {
	for _, k := range s.o.Kills {
		if m := s.member(k.Node); k.Step == s.stats.Steps && m.up() {
			s.strike(m, k)
		}
	}
}

func (s *Sim) strike(m *member, k Kill) {
	var found Killed
	s.net.packets = slices.DeleteFunc(s.net.packets, func(p *packet) bool {
		if p.from != k.Node {
			return false
		}
		lost := k.Lose>>found.Sent&1 == 1
		found.Sent++
		if lost {
			s.lose(p)
		}
		return lost
	})
	found.Unsynced = len(m.unwritten) + m.store.Unsynced()
	s.killed = append(s.killed, found)
	write := min(len(m.unwritten), max(0, k.Keep-m.store.Unsynced()))
	s.stop(m, write, min(k.Keep, m.store.Unsynced()+write))
	m.gone, m.wakeAt = k.Down == 0, s.now+k.Down
}

func (s *Sim) moment(c choice) Moment {
	m := Moment{At: s.now - epochStart}
	if c.act != actRequest {
		m.Node = s.nodes[c.node].id
	}
	return m
}
