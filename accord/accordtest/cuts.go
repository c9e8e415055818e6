package accordtest

// cuts are the links that do not carry what they are given, for a while.
type cuts struct {
	cut   map[link]bool
	holds bool            // cut links hold packets back instead of losing them
	flaps bool            // the cuts come and go
	gone  bool            // and are gone just now
	clogs map[link]uint64 // until when a link holds back what is sent on it
}

func newCuts() cuts { return cuts{cut: map[link]bool{}, clogs: map[link]uint64{}} }

func (c *cuts) cutOff(l link) bool { return c.cut[l] && !c.gone }

// loses tells whether a packet that is sent now is lost.
func (c *cuts) loses(l link) bool { return c.cutOff(l) && !c.holds }

// held tells whether a packet cannot arrive now, whatever happens to it later.
func (c *cuts) held(p *packet) bool { return c.holds && c.cutOff(link{p.from, p.to}) }

// clogged returns how much longer a packet takes that is sent now.
func (c *cuts) clogged(l link, now uint64) uint64 { return max(now, c.clogs[l]) - now }

// sever has the network fail in some way, heal, or change its mind.
func (s *Sim) sever() {
	if s.happens(s.o.Partition) {
		s.partition()
	}
	switch n := &s.net.cuts; {
	case len(n.cut) == 0:
	case s.happens(s.o.Heal):
		s.mend()
	case n.flaps && s.happens(flapRate):
		s.stats.Flaps++
		n.gone = !n.gone
		s.note("the network flaps")
	}
	if s.happens(s.o.Clog) {
		s.clog()
	}
}

// flapRate is the rate at which a flapping partition comes or goes.
const flapRate = 0.1

// partition cuts links between two groups of nodes: both ways, or one.
func (s *Sim) partition() {
	s.net.holds, s.net.flaps = s.rng.IntN(2) == 0, s.rng.IntN(3) == 0
	side := s.rng.IntN(1 << len(s.nodes))
	oneWay := s.rng.IntN(3) == 0
	for i, a := range s.nodes {
		for j, b := range s.nodes {
			if side>>i&1 < side>>j&1 {
				s.net.cut[link{a.id, b.id}] = true
				if !oneWay {
					s.net.cut[link{b.id, a.id}] = true
				}
			}
		}
	}
	if oneWay {
		s.stats.OneWayCuts++
		s.note("the network is parted one way: %0*b", len(s.nodes), side)
		return
	}
	s.stats.Partitions++
	s.note("the network is parted: %0*b", len(s.nodes), side)
}

func (s *Sim) mend() {
	clear(s.net.cut)
	s.net.gone = false
	s.note("the network is mended")
}

// clog has a link hold back what is sent on it for a while.
func (s *Sim) clog() {
	l := link{s.anyNode().id, s.anyNode().id}
	s.stats.Clogs++
	s.net.clogs[l] = s.now + s.around(s.o.Downtime)
	s.note("the link %d->%d is clogged", l.from, l.to)
}
