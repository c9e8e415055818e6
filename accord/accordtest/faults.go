package accordtest

import "fmt"

// member is a Node in a simulation: with a clock, and what is going to happen to it.
type member struct {
	*Node
	clock   clock
	paused  bool
	wakeAt  uint64 // when it goes on or restarts
	syncing int    // units that are being persisted
	syncAt  uint64 // when that ends
	applyAt uint64 // when the next execution is done
	doomed  int    // crashes after so many more steps of the simulation; zero: does not
}

// time returns what the node takes for the time.
func (m *member) time(now uint64) uint64 { return m.clock.read(now) }

// fault lets something go wrong, or not.
func (s *Sim) fault() {
	o := s.o
	happens := func(rate float64) bool { return rate > 0 && s.rng.Float64() < rate }
	if happens(o.Crash) {
		s.crash(s.anyNode())
	}
	for _, m := range s.nodes {
		if m.doomed == 0 {
			continue
		}
		if m.doomed--; m.doomed == 0 {
			s.crash(m)
		}
	}
	if m := s.anyNode(); happens(o.Pause) && m.up() && !m.paused {
		s.stats.Pauses++
		m.paused, m.wakeAt = true, s.now+s.around(o.Downtime)
		s.note("%d pauses", m.id)
	}
	if happens(o.Partition) {
		s.partition()
	}
	if len(s.net.cut) > 0 && happens(o.Heal) {
		s.mend()
	}
	if happens(o.ClockJump) {
		s.jump(s.anyNode())
	}
	if len(s.net.old) > 0 && happens(o.Replay) {
		s.stats.Replayed++
		s.again(s.net.old[s.rng.IntN(len(s.net.old))], 0)
	}
}

func (s *Sim) note(format string, args ...any) {
	s.emit(noted{fmt.Sprintf(format, args...)})
}

func (s *Sim) anyNode() *member { return s.nodes[s.rng.IntN(len(s.nodes))] }

// crash stops a node. Of its log's tail a random part is left.
func (s *Sim) crash(m *member) {
	if !m.up() {
		return
	}
	s.stats.Crashes++
	write := s.rng.IntN(len(m.unwritten) + 1)
	keep := s.rng.IntN(m.store.Unsynced() + write + 1)
	m.crash(write, keep)
	m.paused, m.syncing, m.doomed = false, 0, 0
	m.wakeAt = s.now + s.around(s.o.Downtime)
	if s.rng.IntN(4) == 0 {
		m.clock = s.anyClock()
	}
}

// doom has an attempt to decide a transaction end early: its node crashes some steps after it asked, or after
// it decided and before it told everybody.
func (s *Sim) doom(m *member) {
	if !s.quiet && m.doomed == 0 && s.o.Assassin > 0 && s.rng.Float64() < s.o.Assassin {
		m.doomed = 1 + s.rng.IntN(doomSteps)
	}
}

// doomSteps is about how many steps an attempt takes.
const doomSteps = 30

// wake lets a paused node go on, or restarts a crashed one.
func (s *Sim) wake(m *member) error {
	if m.up() {
		m.paused = false
		s.note("%d goes on", m.id)
		return nil
	}
	return m.start()
}

// jump sets a node's clock to something else.
func (s *Sim) jump(m *member) {
	s.stats.Jumps++
	m.clock = s.anyClock()
	s.note("%d takes the time for %d", m.id, m.time(s.now))
}

func (s *Sim) anyClock() clock {
	skew := max(s.o.Skew, 1)
	return clock{
		offset: int64(s.rng.Uint64N(2*skew)) - int64(skew),
		drift:  s.o.Drift * (2*s.rng.Float64() - 1),
		since:  s.now,
	}
}

// heal ends all faults for good.
func (s *Sim) heal() error {
	s.quiet = true
	s.note("all faults end")
	clear(s.net.cut)
	for _, m := range s.nodes {
		m.clock = clock{}
		if m.paused || !m.up() {
			if err := s.wake(m); err != nil {
				return err
			}
		}
	}
	return nil
}
