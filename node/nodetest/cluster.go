// Package nodetest runs clusters of real nodes on real stores in one process, with a bus that is a function
// call: for tests of whatever stands on a cluster but not on NATS.
package nodetest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"natsaccord/accord"
	"natsaccord/node"
	"natsaccord/sqlstore"
)

// Cluster is a set of running nodes. Its methods are for one goroutine, but for Member.
type Cluster struct {
	t     testing.TB
	names []string
	urls  []string // of each node's store
	Nodes []*Member
	links links
	core  accord.Config // tuning of the protocol
}

// Member is one node of a Cluster and what it runs on.
type Member struct {
	*node.Node
	Store *sqlstore.Store
	stop  context.CancelFunc
	ended chan error
}

// links says who can hear whom, and carries messages.
type links struct {
	mu    sync.RWMutex
	nodes []*Member
	cut   map[[2]int]bool
	delay time.Duration
	vary  time.Duration // up to so much is added to the delay of each batch
	Sent  atomic.Uint64
}

// New starts n nodes on SQLite files of the test's own.
func New(t testing.TB, n int) *Cluster { return NewTuned(t, n, accord.Config{}) }

// NewTuned does so with a tuning of the protocol: Self and Nodes are filled in.
func NewTuned(t testing.TB, n int, core accord.Config) *Cluster {
	dir := t.TempDir()
	urls := make([]string, n)
	for i := range urls {
		urls[i] = "sqlite:" + filepath.Join(dir, fmt.Sprintf("n%d.db", i+1))
	}
	return NewOn(t, urls, core)
}

// NewOn starts a node on each of the stores. The nodes are stopped when the test ends.
func NewOn(t testing.TB, urls []string, core accord.Config) *Cluster {
	c := &Cluster{t: t, core: core, urls: urls, Nodes: make([]*Member, len(urls)), links: links{cut: make(map[[2]int]bool)}}
	c.links.nodes = make([]*Member, len(urls))
	for i := range urls {
		c.names = append(c.names, fmt.Sprintf("n%d", i+1))
	}
	for i := range urls {
		c.StartNode(i)
	}
	t.Cleanup(func() {
		for i := range c.Nodes {
			c.StopNode(i)
		}
	})
	return c
}

// StartNode starts node i, from 0, on its store as it was left.
func (c *Cluster) StartNode(i int) {
	c.t.Helper()
	logger := slog.New(slog.DiscardHandler)
	store, err := sqlstore.Open(c.t.Context(), sqlstore.Config{URL: c.urls[i], Cluster: "test", Node: c.names[i], Nodes: c.names, Logger: logger})
	if err != nil {
		c.t.Fatalf("open the store of %s: %v", c.names[i], err)
	}
	n, err := node.New(node.Config{Name: c.names[i], Cluster: "test", Nodes: c.names, Logger: logger, Core: c.core}, &port{&c.links, i}, store)
	if err != nil {
		c.t.Fatalf("make %s: %v", c.names[i], err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &Member{Node: n, Store: store, stop: stop, ended: make(chan error, 1)}
	c.Nodes[i] = m
	go func() { m.ended <- n.Run(ctx) }()
	if err := n.Ready(c.t.Context()); err != nil {
		c.t.Fatalf("start %s: %v", c.names[i], err)
	}
	c.links.set(i, m)
}

// StopNode stops node i as a crash would: nothing is drained. Stopping what is stopped is fine.
func (c *Cluster) StopNode(i int) {
	c.t.Helper()
	m := c.Nodes[i]
	if m == nil {
		return
	}
	c.Nodes[i] = nil
	c.links.set(i, nil)
	m.stop()
	if err := <-m.ended; err != nil {
		c.t.Errorf("%s ended: %v", c.names[i], err)
	}
	if err := m.Store.Close(); err != nil {
		c.t.Errorf("close the store of %s: %v", c.names[i], err)
	}
}

// Member returns node i, or nil while it is down. Any goroutine may ask.
func (c *Cluster) Member(i int) *Member {
	c.links.mu.RLock()
	defer c.links.mu.RUnlock()
	return c.links.nodes[i]
}

// Cut lets nothing through from node i to node j, or lets it through again.
func (c *Cluster) Cut(i, j int, cut bool) {
	c.links.mu.Lock()
	defer c.links.mu.Unlock()
	c.links.cut[[2]int{i, j}] = cut
}

// Slow has messages take a while from now on.
func (c *Cluster) Slow(delay time.Duration) {
	c.links.mu.Lock()
	defer c.links.mu.Unlock()
	c.links.delay = delay
}

// Vary has every batch of messages take a random while of its own from now on, up to most: they overtake each other.
func (c *Cluster) Vary(most time.Duration) {
	c.links.mu.Lock()
	defer c.links.mu.Unlock()
	c.links.vary = most
}

// Sent returns how many batches of messages have been sent.
func (c *Cluster) Sent() uint64 { return c.links.Sent.Load() }

func (l *links) set(i int, m *Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes[i] = m
}

// delayed is how long the next batch takes.
func (l *links) delayed() time.Duration {
	if l.vary <= 0 {
		return l.delay
	}
	return l.delay + rand.N(l.vary)
}

// port is one node's end of the links.
type port struct {
	links *links
	self  int
}

// AskLog implements node.Bus.
func (p *port) AskLog(ctx context.Context, to accord.NodeID, question []byte) ([]byte, error) {
	p.links.mu.RLock()
	i := int(to) - 1
	m, cut := p.links.nodes[i], p.links.cut[[2]int{p.self, i}] || p.links.cut[[2]int{i, p.self}]
	p.links.mu.RUnlock()
	if m == nil || cut {
		return nil, fmt.Errorf("node %d cannot be reached", to)
	}
	return m.AnswerLog(ctx, question)
}

// Send implements node.Bus.
func (p *port) Send(h accord.Header, msgs []accord.Message) {
	p.links.mu.RLock()
	defer p.links.mu.RUnlock()
	batches := make(map[accord.NodeID][]accord.Message)
	for _, msg := range msgs {
		batches[msg.To] = append(batches[msg.To], msg)
	}
	for to, batch := range batches {
		i := int(to) - 1
		m := p.links.nodes[i]
		if m == nil || p.links.cut[[2]int{p.self, i}] {
			continue
		}
		p.links.Sent.Add(1)
		deliver := func() { m.Deliver(accord.NodeID(p.self+1), h, batch) }
		if delay := p.links.delayed(); delay > 0 {
			time.AfterFunc(delay, deliver)
			continue
		}
		deliver()
	}
}
