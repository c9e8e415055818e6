package accordtest

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"

	"natsaccord/accord"
)

// Sim is a cluster in virtual time, everything about which follows from a seed.
type Sim struct {
	o        Options
	rng      *rand.Rand
	now      uint64 // true time, microseconds
	quiet    bool   // all faults have ended
	nodes    []*member
	net      network
	load     workload
	schedule scheduler
	checker  *checker
	trace    trace
	stats    Stats
	scratch  []choice
	course   []Moment
	killed   []Killed
	buried   int // nodes
}

// Limits of a run.
const (
	stepsMax      = 20_000          // with faults
	restMax       = 3_000           // with faults, after the last request
	quietStepsMax = 3_000_000       // after them
	quietTimeMax  = 300 * 1_000_000 // microseconds
	settleEvery   = 50              // steps between two looks whether all is done
)

// Run simulates a cluster and returns what came of it. The same seed and options give the same Report.
func Run(seed uint64, o Options) Report {
	return run(seed, o, false)
}

// Trace is Run, and keeps the whole transcript.
func Trace(seed uint64, o Options) Report {
	return run(seed, o, true)
}

func run(seed uint64, o Options, keepAll bool) Report {
	rng := rand.New(rand.NewPCG(seed, 2))
	s := &Sim{
		o: o, rng: rng, now: epochStart,
		net: newNetwork(rng, o), load: newWorkload(rng, o), schedule: newScheduler(rng, o.Policy),
		checker: newChecker(o.sizes()),
	}
	if keepAll {
		s.trace.all = &strings.Builder{}
	}
	guarded(s.live, s.checker.fail)
	return s.report(seed)
}

// guarded turns a panic of the core into a violation.
func guarded(f func() error, fail func(error)) {
	defer func() {
		if r := recover(); r != nil {
			fail(violation("panic", "%v\n%s", r, debug.Stack()))
		}
	}()
	if err := f(); err != nil {
		fail(err)
	}
}

// live runs the cluster with faults until its clients have nothing more to do, and then without any until it
// has come to rest.
func (s *Sim) live() error {
	if err := s.boot(); err != nil {
		return err
	}
	rest := 0 // steps since the last request
	for s.stats.Steps < stepsMax && rest < restMax && s.checker.violation == nil {
		if s.load.open == 0 {
			rest++
		}
		if rest%settleEvery == settleEvery-1 && s.decided() {
			break
		}
		s.fault()
		more, err := s.step()
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if s.checker.violation != nil {
		return nil
	}
	return s.settle()
}

func (s *Sim) boot() error {
	var ids []accord.NodeID
	for i := range s.o.Nodes {
		ids = append(ids, accord.NodeID(i+1))
	}
	for _, id := range ids {
		cfg := s.o.Core
		cfg.Self, cfg.Nodes, cfg.FastQuorum, cfg.Electorate, cfg.Seed = id, ids, s.o.sizes().fast, s.o.Electorate, s.rng.Uint64()
		m := &member{Node: newNode(cfg, s.emit, s.transmit), clock: s.anyClock()}
		m.loose = s.o.Loose
		m.slowDisk = s.happens(s.o.SlowDisk)
		s.nodes = append(s.nodes, m)
	}
	for _, m := range s.nodes {
		if err := m.start(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sim) member(id accord.NodeID) *member { return s.nodes[id-1] }

func (s *Sim) emit(e event) {
	s.trace.add(s.now-epochStart, e)
	s.checker.observe(e)
	s.load.observe(s.now, e)
	s.stats.observe(e)
	if q, ok := e.(sent); ok && q.free {
		s.doom(s.member(q.node.id))
	}
}

// step lets one thing happen. It returns false if nothing is left that could.
func (s *Sim) step() (bool, error) {
	c, ok := s.choose()
	if !ok {
		return false, nil
	}
	s.stats.Steps++
	m := s.nodes[c.node]
	if len(s.o.Orders) > 0 && !s.quiet {
		s.course = append(s.course, s.moment(c))
	}
	switch c.act {
	case actArrive:
		s.arrive(c.packet)
	case actOwn:
		m.deliverOwn(m.time(s.now))
	case actPersist:
		s.persist(m)
	case actApply:
		may := m.mayApply()
		m.apply(may[s.rng.IntN(len(may))])
		m.applyAt = s.now + s.around(s.o.ApplyTime)
	case actReport:
		m.report(m.time(s.now))
	case actCatchUp:
		s.stats.CatchUps++
		m.catchUp(m.time(s.now), s.source(m))
	case actTick:
		m.tick(m.time(s.now))
	case actWake:
		if err := s.wake(m); err != nil {
			return false, err
		}
	case actRequest:
		s.request()
	}
	s.arm()
	return true, nil
}

// source returns the node whose log another wants, nil if it cannot be reached.
func (s *Sim) source(m *member) *Node {
	from := s.member(m.catching.From)
	if from.paused || s.net.cutOff(link{m.id, from.id}) || s.net.cutOff(link{from.id, m.id}) {
		return nil
	}
	return from.Node
}

// arm starts the syncs that are wanted: a node that has something to write writes it, all at once, as soon as
// it is done with what it wrote before.
func (s *Sim) arm() {
	for _, m := range s.nodes {
		if m.up() && m.syncing == 0 && len(m.unwritten) > 0 {
			m.syncing, m.syncAt = len(m.unwritten), s.now+s.syncTime(m)
		}
	}
}

// settle ends all faults and demands that everything comes to its end.
func (s *Sim) settle() error {
	if err := s.heal(); err != nil {
		return err
	}
	start := s.now
	for i := 1; s.checker.violation == nil; i++ {
		more, err := s.step()
		if err != nil {
			return err
		}
		late := i > quietStepsMax || s.now-start > quietTimeMax
		if (i%settleEvery == 0 || !more || late) && s.unsettled() == "" {
			break
		}
		if !more || late {
			return violation("I26", "not at rest after %d ms without faults: %s", (s.now-start)/1000, s.unsettled())
		}
	}
	if s.checker.violation == nil {
		s.emit(finished{s.cluster()})
	}
	return nil
}

// cluster returns the nodes that are not down for good.
func (s *Sim) cluster() []*Node {
	var nodes []*Node
	for _, m := range s.nodes {
		if !m.gone {
			nodes = append(nodes, m.Node)
		}
	}
	return nodes
}

// decided tells whether all transactions are that some node knows of.
func (s *Sim) decided() bool {
	nodes := s.cluster()
	for id, x := range s.checker.ledger.txns {
		if x.txn != nil && !x.decided && slices.ContainsFunc(nodes, func(n *Node) bool { return n.knows(id) }) {
			return false
		}
	}
	return true
}

// unsettled says what is not done yet, or nothing if all is.
func (s *Sim) unsettled() string {
	if s.load.open > 0 {
		return fmt.Sprintf("%d requests are not answered", s.load.open)
	}
	nodes := s.cluster()
	for _, m := range nodes {
		switch {
		case len(m.unwritten)+len(m.debts)+len(m.due)+len(m.own)+len(m.done) > 0 || m.catching != nil:
			return fmt.Sprintf("node %d is at work", m.id)
		case m.machine.Live() > 0:
			return fmt.Sprintf("node %d has %d live transactions: %s", m.id, m.machine.Live(), liveOf(m.machine))
		case len(m.clients) > 0:
			return fmt.Sprintf("node %d owes answers to %d clients", m.id, len(m.clients))
		}
		for _, to := range nodes {
			if n := m.machine.Unacked(to.id); n > 0 {
				return fmt.Sprintf("node %d has %d decisions that node %d has not confirmed", m.id, n, to.id)
			}
		}
	}
	for _, x := range s.checker.ledger.live {
		for _, m := range nodes {
			if !m.store.Applied(x.id) {
				return fmt.Sprintf("node %d has not applied %s at %s", m.id, name(x.id.Timestamp), name(x.executeAt))
			}
		}
	}
	return ""
}

// liveOf shows the registered transactions of a Machine that are not applied, the first of them.
func liveOf(m *accord.Machine) string {
	first := accord.Record{}
	for r := range m.Records() {
		done := r.Status == accord.StatusApplied || r.Status == accord.StatusInvalidated
		if r.Txn != nil && !done && (first.ID.IsZero() || r.ID.Before(first.ID.Timestamp)) {
			first = r
		}
	}
	return show(first) + " (first not applied), watermark " + name(m.Scalars().Watermark)
}
