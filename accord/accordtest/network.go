package accordtest

import (
	"math/rand/v2"
	"slices"

	"natsaccord/accord"
)

// network holds the packets on their way. It may delay, lose, double and reorder them, and be cut in parts.
type network struct {
	packets []*packet
	old     []*packet // a sample of those delivered, for replays
	slow    map[link]bool
	starved map[starved]bool
	cuts
	sent   uint64          // packets so far
	latest map[link]uint64 // the number of the latest packet that arrived
}

// link is one direction between two nodes.
type link struct{ from, to accord.NodeID }

// starved is a kind of message that hardly ever reaches a node.
type starved struct {
	kind string
	to   accord.NodeID
}

// kinds are the messages that may be starved: those by which transactions are decided.
func kinds() []accord.Body {
	return []accord.Body{
		accord.PreAccept{}, accord.PreAcceptOK{}, accord.Accept{}, accord.AcceptOK{}, accord.Stable{},
		accord.AcceptInvalidate{}, accord.AcceptInvalidateOK{}, accord.Invalidated{}, accord.Recover{},
		accord.RecoverOK{}, accord.BeginInvalidation{}, accord.InvalidateOK{}, accord.FetchOK{}, accord.Nack{},
		accord.FenceCollect{}, accord.FenceCommit{},
	}
}

const (
	starvedLoss = 0.9  // of starved messages
	packetsMax  = 3000 // in flight; a network that is fuller loses
	replaysMax  = 100
	slowLink    = 20 // times longer takes a slow link
	quietDelay  = 200
	quietJitter = 300
)

func newNetwork(r *rand.Rand, o Options) network {
	n := network{slow: map[link]bool{}, starved: map[starved]bool{}, cuts: newCuts(), latest: map[link]uint64{}}
	bodies := kinds()
	if o.general() {
		bodies = append(bodies, accord.Commit{}, accord.CommitOK{}, accord.FenceAccept{}, accord.FenceOK{})
	}
	for _, body := range bodies {
		for to := 1; to <= o.Nodes; to++ {
			if r.Float64() < o.Starve {
				n.starved[starved{kindOf(body), accord.NodeID(to)}] = true
			}
		}
	}
	for from := 1; from <= o.Nodes; from++ {
		for to := 1; to <= o.Nodes; to++ {
			if r.Float64() < o.Slow {
				n.slow[link{accord.NodeID(from), accord.NodeID(to)}] = true
			}
		}
	}
	return n
}

// transmit takes a packet that a node sends.
func (s *Sim) transmit(p *packet) {
	l := link{p.from, p.to}
	p.priority = rankOf(p)
	s.net.sent++
	p.number = s.net.sent
	if s.quiet {
		p.at = s.now + quietDelay + s.around(quietJitter)
		s.net.packets = append(s.net.packets, p)
		return
	}
	s.rush(p)
	s.starve(p)
	if len(p.messages) == 0 {
		return
	}
	if s.rng.Float64() < s.o.Loss || s.net.loses(l) || len(s.net.packets) >= packetsMax {
		s.lose(p)
		return
	}
	p.at = s.now + s.delay(l)
	s.net.packets = append(s.net.packets, p)
	if s.rng.Float64() < s.o.Double {
		s.again(p, s.delay(l))
	}
}

// rush takes the hint away by which nodes leave each other's attempts alone. Only progress may depend on it.
func (s *Sim) rush(p *packet) {
	if s.o.Rash == 0 {
		return
	}
	for i, m := range p.messages {
		if ok, told := m.Body.(accord.FetchOK); told && ok.Active && s.rng.Float64() < s.o.Rash {
			ok.Active = false
			p.messages[i].Body = ok
		}
	}
}

// starve takes from a packet what hardly ever gets through.
func (s *Sim) starve(p *packet) {
	if len(s.net.starved) == 0 {
		return
	}
	p.messages = slices.DeleteFunc(p.messages, func(m accord.Message) bool {
		starve := s.net.starved[starved{kindOf(m.Body), p.to}] && s.rng.Float64() < starvedLoss
		if starve {
			s.stats.Lost++
		}
		return starve
	})
}

// again puts a packet on the wire once more.
func (s *Sim) again(p *packet, delay uint64) {
	s.stats.Doubled++
	double := *p
	double.original = p.source()
	double.at = s.now + delay
	s.net.packets = append(s.net.packets, &double)
}

func (s *Sim) lose(p *packet) {
	s.stats.Lost++
	s.emit(lost{p})
}

func (s *Sim) delay(l link) uint64 {
	d := s.o.Delay + s.around(s.o.Jitter)
	if s.net.slow[l] {
		d *= slowLink
	}
	return d + s.net.clogged(l, s.now)
}

// around returns a random time with the given mean.
func (s *Sim) around(mean uint64) uint64 {
	return uint64(s.rng.ExpFloat64() * float64(mean))
}

// take removes the i-th packet from the wire.
func (n *network) take(i int) *packet {
	p := n.packets[i]
	last := len(n.packets) - 1
	n.packets[i] = n.packets[last]
	n.packets = n.packets[:last]
	return p
}

// arrive delivers the i-th packet, and with it others that wait for the same node.
func (s *Sim) arrive(i int) {
	p := s.net.take(i)
	m := s.member(p.to)
	if !m.up() {
		s.lose(p)
		return
	}
	batch := []*packet{p}
	for want := s.rng.IntN(s.o.Batch); want > 0; want-- {
		j := slices.IndexFunc(s.net.packets, func(q *packet) bool { return q.to == p.to && q.at <= s.now && !s.net.held(q) })
		if j < 0 {
			break
		}
		batch = append(batch, s.net.take(j))
	}
	for _, p := range batch {
		s.overtake(p)
	}
	m.deliver(m.time(s.now), batch...)
	if s.o.Replay > 0 {
		s.net.remember(s.rng, p)
	}
}

// overtake counts the packets that arrive after others that were sent later.
func (s *Sim) overtake(p *packet) {
	l := link{p.from, p.to}
	if p.original == nil && p.number < s.net.latest[l] {
		s.stats.Reordered++
	}
	s.net.latest[l] = max(s.net.latest[l], p.number)
}

func (n *network) remember(r *rand.Rand, p *packet) {
	if len(n.old) < replaysMax {
		n.old = append(n.old, p)
	} else {
		n.old[r.IntN(replaysMax)] = p
	}
}
