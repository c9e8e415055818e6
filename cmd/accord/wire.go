package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"natsaccord/bus"
	"natsaccord/dashboard"
	"natsaccord/event"
	"natsaccord/node"
	"natsaccord/sqlstore"
)

// The proofs that the parts fit stand here, in the one place that knows them all.
var (
	_ node.Store     = (*sqlstore.Store)(nil)
	_ node.Bus       = (*bus.Peers)(nil)
	_ event.Executor = (*node.Node)(nil)
)

// member is everything one node is made of.
type member struct {
	name       string
	nodes      []string
	cluster    string
	fast       int      // fast quorum; zero: the core's default
	electorate []string // nodes whose votes decide in one round; empty: all
	prefix     string
	store      string // URL
	single     bool
	journal    string // see sqlstore.Config
	unsafe     bool   // accept a store that may lose data
	live       bool   // publish live events
	nats       bus.Config
	logger     *slog.Logger
	page       *dashboard.Node // where the node is shown; nil: nowhere
	scrubEvery time.Duration   // pause between two times that the log is read again
	scrubRate  int             // events read again in a second
	retention  time.Duration   // of executed transactions in the journal; zero: the node's default
	drainFor   time.Duration   // how long a graceful stop waits for appends under way
}

// moreProcs lets goroutines run while so many nodes wait for their disks, which takes a processor from the scheduler
// each, unless GOMAXPROCS says how many there are. What it returns puts the number back.
func moreProcs(nodes int) (restore func()) {
	if os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + nodes)
	return func() { runtime.GOMAXPROCS(before) }
}

// run runs the node until ctx ends, then stops it gracefully: it refuses new requests, finishes its own
// appends while it goes on answering its peers, and only then leaves. ready is called once it serves what any node can.
func (m member) run(ctx context.Context, ready func()) (err error) {
	slices.Sort(m.nodes)
	store, err := sqlstore.Open(ctx, sqlstore.Config{URL: m.store, Cluster: m.voters(), Node: m.name, Nodes: m.nodes, Journal: m.journal, AllowUnsafe: m.unsafe, Logger: m.logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	m.nats.Node, m.nats.Logger = m.name, m.logger
	conn, err := bus.Dial(m.nats)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Drain()) }() // what has reached this node is answered
	subjects := bus.Subjects{Prefix: m.prefix, Cluster: m.voters()}
	peers, err := bus.NewPeers(conn.Peers, bus.PeersConfig{Subjects: subjects, Self: m.name, Nodes: m.nodes, Incarnation: store.Incarnation(), Logger: m.logger})
	if err != nil {
		return err
	}
	defer peers.Close()
	cfg := node.Config{}
	if m.single {
		cfg = node.SingleNode(m.name)
	}
	cfg.Retention, cfg.Core.FastQuorum, cfg.Electorate = m.retention, m.fast, m.electorate
	cfg.Name, cfg.Cluster, cfg.Nodes, cfg.Version, cfg.Logger = m.name, m.cluster, m.nodes, version, m.logger
	n, err := node.New(cfg, peers, store)
	if err != nil {
		return err
	}
	backend, err := newServed(m, n, store, peers, subjects)
	if err != nil {
		return err
	}
	backend.conn = conn
	if err := peers.Receive(n.Deliver); err != nil {
		return err
	}
	m.page.Show(backend, dashboard.Check{Name: "nats", Failing: conn.Failing})
	return m.serve(ctx, backend, conn, subjects, ready)
}

// serve runs the node, what runs beside it and its service. The node outlives ctx by the time it takes to drain.
func (m member) serve(ctx context.Context, n *served, conn *bus.Conn, subjects bus.Subjects, ready func()) error {
	var beside sync.WaitGroup
	defer beside.Wait()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- n.Run(running) }()
	if err := n.Ready(ctx); err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	n.runBeside(running, &beside, func(err error) { m.logger.Error("a part of the node has ended", "node", m.name, "error", err) })
	service, err := bus.NewService(conn.Clients, bus.ServiceConfig{Subjects: subjects, Node: m.name, Version: version, Apart: true, Logger: m.logger}, n)
	if err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	failed := make(chan error, 1)
	beside.Go(func() {
		if err := n.join(ctx, conn, service, ready); err != nil {
			failed <- err
		}
	})
	select {
	case err := <-ended:
		return errors.Join(err, service.Stop())
	case err := <-failed:
		stop()
		return errors.Join(fmt.Errorf("node %s: %w", m.name, err), service.Stop(), <-ended)
	case <-ctx.Done():
	}
	m.logger.Info("node is draining", "node", m.name)
	drain, cancel := context.WithTimeout(running, m.drainFor)
	defer cancel()
	defer context.AfterFunc(drain, service.GiveUp)()
	err = n.Drain(drain)
	err = errors.Join(err, service.Stop())
	stop()
	return errors.Join(err, <-ended)
}
