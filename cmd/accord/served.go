package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/dashboard"
	"natsaccord/digest"
	"natsaccord/event"
	"natsaccord/live"
	"natsaccord/node"
	"natsaccord/sqlstore"
)

var (
	_ live.Log         = (*node.Node)(nil)
	_ live.Sink        = (*bus.Live)(nil)
	_ live.Progress    = (*sqlstore.Store)(nil)
	_ digest.Log       = stored{}
	_ digest.Marks     = (*sqlstore.Store)(nil)
	_ bus.Backend      = (*served)(nil)
	_ bus.DigestReader = (*served)(nil)
	_ dashboard.Source = (*served)(nil)
)

// served is a node and what runs beside it.
type served struct {
	*node.Node
	*digest.Digester
	live *live.Publisher // nil: live events are off
	sink *bus.Live
	conn *bus.Conn       // nil: none
	page *dashboard.Node // nil: not shown

	mu     sync.Mutex
	alarm  string // what is wrong with a log
	joined bool   // it has its share of what any node can answer
}

// newServed puts together what a member runs.
func newServed(m member, n *node.Node, store *sqlstore.Store, peers *bus.Peers, subjects bus.Subjects) (*served, error) {
	s := &served{Node: n, page: m.page}
	if err := s.addDigester(m, store, peers); err != nil {
		return nil, err
	}
	peers.AnswerLog(s.answer)
	if !m.live {
		return s, nil
	}
	return s, s.addPublisher(m, store, peers, subjects)
}

// answer answers what another node asks about this node's log.
func (s *served) answer(ctx context.Context, question []byte) ([]byte, error) {
	if digest.IsQuestion(question) {
		return s.Digester.Answer(ctx, question)
	}
	return s.Node.AnswerLog(ctx, question)
}

// stored is a node's log as its database holds it.
type stored struct {
	*node.Node
	store *sqlstore.Store
}

// Read implements digest.Log.
func (s stored) Read(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	return s.store.ReadStored(ctx, args)
}

func (s *served) addDigester(m member, store *sqlstore.Store, peers *bus.Peers) (err error) {
	cfg := digest.Config{Self: m.name, Nodes: m.nodes, ScrubEvery: m.scrubEvery, ScrubRate: m.scrubRate, Logger: m.logger}
	if s.Digester, err = digest.New(cfg, stored{s.Node, store}, store, digestPeers{peers}, s.raise); err != nil {
		return err
	}
	peers.HearNotes(bus.NoteDigest, s.Digester.Hear)
	return nil
}

func (s *served) addPublisher(m member, store *sqlstore.Store, peers *bus.Peers, subjects bus.Subjects) (err error) {
	if s.sink, err = bus.NewLive(m.nats, subjects); err != nil {
		return err
	}
	tell := func(note []byte) { peers.SendNote(bus.NoteLive, note) }
	if s.live, err = live.New(live.Config{Self: m.name, Nodes: m.nodes, Logger: m.logger}, s.Node, s.sink, store, tell); err != nil {
		return err
	}
	peers.HearNotes(bus.NoteLive, s.live.Hear)
	return nil
}

// digestPeers are a Digester's peers on the bus.
type digestPeers struct{ *bus.Peers }

// Tell implements digest.Peers.
func (p digestPeers) Tell(note []byte) { p.SendNote(bus.NoteDigest, note) }

// raise takes an alarm: a node that is alone with its log stops answering clients.
func (s *served) raise(reason string, alone bool) {
	s.mu.Lock()
	s.alarm = reason
	s.mu.Unlock()
	s.Node.Distrust(alone)
}

// runBeside runs what runs beside the node until ctx ends.
func (s *served) runBeside(ctx context.Context, running *sync.WaitGroup, failed func(error)) {
	run := func(part func(context.Context) error) {
		running.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				failed(err)
			}
		})
	}
	run(s.Digester.Run)
	if s.live != nil {
		run(func(ctx context.Context) error {
			defer s.sink.Close()
			return s.live.Run(ctx)
		})
	}
}

// join has a service take its share of what any node can answer, once the node has what it missed: until then clients
// would wait for that. Who asks this node by its name is answered from the beginning.
func (s *served) join(ctx context.Context, conn *bus.Conn, service *bus.Service, ready func()) error {
	if s.CaughtUp(ctx) != nil {
		return nil // it is being stopped
	}
	if err := service.Join(); err != nil && !errors.Is(err, event.ErrDraining) {
		return err
	}
	for !flushed(ctx, conn.Clients) {
		if ctx.Err() != nil || conn.Clients.IsClosed() {
			return nil
		}
	}
	s.mu.Lock()
	s.joined = true
	s.mu.Unlock()
	ready()
	return nil
}

// flushTry is how long a server may take to say that it has what was sent. Without a server that takes until there is one again.
const flushTry = time.Second

func flushed(ctx context.Context, nc *nats.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, flushTry)
	defer cancel()
	if nc.FlushWithContext(ctx) == nil {
		return true
	}
	<-ctx.Done() // it may have failed at once
	return false
}

// Run runs the node alone.
func (s *served) Run(ctx context.Context) error { return s.Node.Run(ctx) }

// Append implements bus.Backend.
func (s *served) Append(ctx context.Context, a event.Append) (event.Receipt, error) {
	if s.page == nil {
		return s.Node.Append(ctx, a)
	}
	began := time.Now()
	receipt, err := s.Node.Append(ctx, a)
	s.page.Appended(time.Since(began), receipt, err)
	return receipt, err
}

// Status implements bus.Backend.
func (s *served) Status(ctx context.Context) (event.NodeStatus, error) {
	status, err := s.Node.Status(ctx)
	if err != nil {
		return status, err
	}
	d := s.Digester.Status()
	status.Digest = d.End
	status.Counters["digest_hashed"], status.Counters["digest_scrubbed"], status.Counters["digest_passes"] = d.Hashed, d.Scrubbed, d.Passes
	s.mu.Lock()
	status.Alarm = s.alarm
	if !s.joined && status.State == node.StateReady {
		status.State = node.StateCatchingUp
	}
	s.mu.Unlock()
	if s.conn != nil {
		for name, n := range s.conn.Counters() {
			status.Counters["nats_"+name] = n
		}
	}
	if s.live != nil {
		l := s.live.Status()
		status.Publishing = l.Publishing
		status.Counters["live_events"], status.Counters["live_batches"] = l.Events, l.Batches
		status.Counters["live_failures"], status.Counters["live_takeovers"] = l.Failures, l.Takeovers
	}
	return status, nil
}
