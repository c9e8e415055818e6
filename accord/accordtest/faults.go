package accordtest

import "fmt"

// member is a Node in a simulation: with a clock, and what is going to happen to it.
type member struct {
	*Node
	clock    clock
	paused   bool
	wakeAt   uint64 // when it goes on or restarts
	syncing  int    // units that are being persisted
	syncAt   uint64 // when that ends
	applyAt  uint64 // when the next execution is done
	doomed   int    // crashes after so many more steps of the simulation; zero: does not
	gone     bool   // down for good
	slowDisk bool
}

// time returns what the node takes for the time.
func (m *member) time(now uint64) uint64 { return m.clock.read(now) }

// fault lets something go wrong, or not.
func (s *Sim) fault() {
	s.kill()
	if s.happens(s.o.Crash) {
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
	if m := s.anyNode(); s.happens(s.o.Pause) && m.up() && !m.paused {
		s.stats.Pauses++
		m.paused, m.wakeAt = true, s.now+s.around(s.o.Downtime)
		s.note("%d pauses", m.id)
	}
	s.sever()
	if s.happens(s.o.ClockJump) {
		s.jump(s.anyNode())
	}
	if len(s.net.old) > 0 && s.happens(s.o.Replay) {
		s.stats.Replayed++
		s.again(s.net.old[s.rng.IntN(len(s.net.old))], 0)
	}
}

// happens tells whether something happens that does at a rate.
func (s *Sim) happens(rate float64) bool { return rate > 0 && s.rng.Float64() < rate }

func (s *Sim) note(format string, args ...any) {
	s.emit(noted{fmt.Sprintf(format, args...)})
}

func (s *Sim) anyNode() *member { return s.nodes[s.rng.IntN(len(s.nodes))] }

// crash stops a node. Of its log's tail a random part is left.
func (s *Sim) crash(m *member) {
	if !m.up() {
		return
	}
	write := s.rng.IntN(len(m.unwritten) + 1)
	s.stop(m, write, s.rng.IntN(m.store.Unsynced()+write+1))
	m.wakeAt = s.now + s.around(s.o.Downtime)
	if s.rng.IntN(4) == 0 {
		m.clock = s.anyClock()
	}
	if s.happens(s.o.Bury) && s.buried < (len(s.nodes)-1)/2 {
		s.buried++
		s.stats.Burials++
		m.gone = true
		s.note("%d is gone for good", m.id)
	}
}

func (s *Sim) stop(m *member, write, keep int) {
	s.stats.Crashes++
	m.crash(write, keep)
	m.paused, m.syncing, m.doomed = false, 0, 0
}

// persist ends a sync. If the disk fails the node stops, since it cannot tell what was written: that may be
// anything up to what the sync was for.
func (s *Sim) persist(m *member) {
	if !s.quiet && s.happens(s.o.DiskFail) {
		s.stats.DiskFailures++
		s.note("the disk of %d fails", m.id)
		s.crash(m)
		return
	}
	m.persist(m.syncing)
	m.syncing = 0
}

// syncTime returns how long a sync takes.
func (s *Sim) syncTime(m *member) uint64 {
	t := s.around(s.o.SyncTime)
	if m.slowDisk && !s.quiet {
		s.stats.SlowSyncs++
		t *= slowDisk
	}
	return t
}

// slowDisk is how many times longer a slow disk takes.
const slowDisk = 30

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
	before := m.time(s.now)
	m.clock = s.anyClock()
	if m.time(s.now) < before {
		s.stats.JumpsBack++
	} else {
		s.stats.JumpsAhead++
	}
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
	s.emit(healed{})
	s.net.cuts = newCuts()
	s.load.insist(s.now)
	for _, m := range s.nodes {
		m.clock = clock{}
		if m.paused || !m.up() && !m.gone {
			if err := s.wake(m); err != nil {
				return err
			}
		}
	}
	return nil
}
