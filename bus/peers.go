package bus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"natsaccord/accord"
)

// headroom is what a frame leaves free of NATS' max_payload, for what servers between the nodes may add.
const headroom = 1024

// payloadDefault stands in for max_payload while there is no connection to ask: NATS' own default.
const payloadDefault = 1 << 20

// PeersConfig describes Peers. All fields without a default are required.
type PeersConfig struct {
	Subjects    Subjects
	Self        string   // this node
	Nodes       []string // all nodes, sorted; a node's NodeID is its place + 1
	Incarnation uint64   // of this process: higher than at any earlier start
	Epoch       uint32   // of the topology that Nodes stands for
	MaxQueued   int      // messages waiting to be published, beyond which they are dropped; default 32,768
	MaxBytes    int      // of their bodies, likewise, and of frames received; default 64 MiB
	MaxUnread   int      // frames received that are not handled yet, beyond which they are dropped; default 65,536
	Logger      *slog.Logger
}

func (c PeersConfig) withDefaults() PeersConfig {
	if c.MaxQueued == 0 {
		c.MaxQueued = 32768
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 64 << 20
	}
	if c.MaxUnread == 0 {
		c.MaxUnread = 65536
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Nodes = slices.Clone(c.Nodes)
	return c
}

func (c PeersConfig) validate() error {
	if err := c.Subjects.Validate(); err != nil {
		return err
	}
	for _, name := range c.Nodes {
		if err := ValidateName("node", name); err != nil {
			return err
		}
	}
	switch {
	case !slices.IsSorted(c.Nodes) || len(slices.Compact(slices.Clone(c.Nodes))) != len(c.Nodes):
		return fmt.Errorf("bus: PeersConfig.Nodes is %q, want sorted and unique names", c.Nodes)
	case !slices.Contains(c.Nodes, c.Self):
		return fmt.Errorf("bus: PeersConfig.Self is %q, want one of %q", c.Self, c.Nodes)
	case c.Incarnation == 0:
		return errors.New("bus: PeersConfig.Incarnation is 0, want at least 1")
	case c.MaxQueued < 1 || c.MaxBytes < 1 || c.MaxUnread < 1:
		return fmt.Errorf("bus: PeersConfig.MaxQueued, MaxBytes and MaxUnread are %d, %d and %d, want at least 1", c.MaxQueued, c.MaxBytes, c.MaxUnread)
	}
	return nil
}

// Peers carries protocol messages between the nodes of a cluster. It promises nothing: messages may be lost,
// doubled and reordered, and the protocol knows. What it does guarantee is that a message handed to Receive's
// function was made by the node it names, in that node's newest incarnation, for this node of this cluster.
type Peers struct {
	nc       *nats.Conn
	cfg      PeersConfig
	self     accord.NodeID
	counters counters

	mu     sync.Mutex // protects the next six
	queue  []outgoing
	queued int // messages in queue
	bytes  int // of the bodies of transactions in them
	closed bool
	subs   []*nats.Subscription
	notes  map[Phase]func(from string, body []byte)

	receiving sync.RWMutex // held for reading while a frame is handled, so that Close waits for the last
	deaf      bool         // set by Close, under receiving

	wake     chan struct{} // holds a token while queue may hold something
	done     chan struct{} // closed when the publisher is gone
	receiver receiver
	log      logExchange
}

// outgoing is what one call of Send left behind.
type outgoing struct {
	header accord.Header
	msgs   []accord.Message
}

// receiver is what is known of those who send.
type receiver struct {
	incarnations []atomic.Uint64 // newest seen, by NodeID - 1
	refused      []atomic.Bool   // whether its refusal was logged, by NodeID - 1
}

// NewPeers starts a publisher on nc, which must outlive it. Close ends it.
func NewPeers(nc *nats.Conn, cfg PeersConfig) (*Peers, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := &Peers{
		nc: nc, cfg: cfg,
		self:     accord.NodeID(slices.Index(cfg.Nodes, cfg.Self) + 1),
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		receiver: receiver{make([]atomic.Uint64, len(cfg.Nodes)), make([]atomic.Bool, len(cfg.Nodes))},
	}
	p.log.init()
	go p.publishAll()
	return p, nil
}

// Send publishes msgs, grouped by receiver and phase. It never blocks: what finds the queue full is dropped
// and counted. It keeps no reference to msgs but to what they point at, which must not change.
func (p *Peers) Send(h accord.Header, msgs []accord.Message) {
	if len(msgs) == 0 {
		return
	}
	size := 0
	for i := range msgs {
		size += bodySize(msgs[i].Body)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.queued+len(msgs) > p.cfg.MaxQueued || p.bytes > 0 && p.bytes+size > p.cfg.MaxBytes {
		p.counters.add(dropQueueFull, len(msgs))
		return
	}
	p.queued += len(msgs)
	p.bytes += size
	p.queue = append(p.queue, outgoing{h, slices.Clone(msgs)})
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Receive hands every valid batch of messages for this node to f, one at a time. f must not block, and owns
// what it gets.
func (p *Peers) Receive(f func(from accord.NodeID, h accord.Header, msgs []accord.Message)) error {
	subject := p.cfg.Subjects.PeerInbox(p.cfg.Self)
	sub, err := p.nc.Subscribe(subject, func(m *nats.Msg) { p.receive(m, f) })
	if err != nil {
		return fmt.Errorf("bus: subscribe to %s: %w", subject, err)
	}
	if err := sub.SetPendingLimits(p.cfg.MaxUnread, p.cfg.MaxBytes); err != nil {
		return fmt.Errorf("bus: bound what waits on %s: %w", subject, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.subs = append(p.subs, sub)
	return nil
}

// Close stops receiving, publishes what is queued, and returns when that is done and Receive's function is not
// running any more. It does not close the connection. Calling it again does nothing.
func (p *Peers) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.countUnread()
		for _, sub := range p.subs {
			_ = sub.Unsubscribe() // fails only if the connection is closed, and then it has no subscription
		}
		close(p.wake)
	}
	p.mu.Unlock()
	p.receiving.Lock() // waits for the frame that is being handled
	p.deaf = true
	p.receiving.Unlock()
	p.log.cancel()
	p.log.running.Wait()
	<-p.done
}

// Counters returns what was sent, received and dropped, and why.
func (p *Peers) Counters() map[string]uint64 {
	p.mu.Lock()
	p.countUnread()
	p.mu.Unlock()
	return p.counters.snapshot()
}

// countUnread notes how many frames the connection has dropped because they came faster than they were handled.
// The caller holds mu.
func (p *Peers) countUnread() {
	dropped := 0
	for _, sub := range p.subs {
		n, err := sub.Dropped()
		if err != nil {
			return // it is closed, and what was noted then stays
		}
		dropped += n
	}
	p.counters[dropUnread].Store(uint64(dropped))
}

// publishAll publishes what gathers in the queue until Close.
func (p *Peers) publishAll() {
	defer close(p.done)
	w := newFrameWriter(p)
	for open := true; open; {
		_, open = <-p.wake
		for _, out := range p.take() {
			w.publish(out)
		}
	}
}

func (p *Peers) take() []outgoing {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue := p.queue
	p.queue, p.queued, p.bytes = nil, 0, 0
	return queue
}

// bodySize returns about how many bytes a message holds on to: the body of its transaction, if it carries one.
func bodySize(body accord.Body) int {
	var txn *accord.Txn
	switch m := body.(type) {
	case accord.PreAccept:
		txn = m.Txn
	case accord.Accept:
		txn = m.Txn
	case accord.Stable:
		txn = m.Txn
	case accord.Recover:
		txn = m.Txn
	case accord.FetchOK:
		txn = m.Record.Txn
	}
	if txn == nil {
		return 0
	}
	return len(txn.Body)
}

// frameWriter makes frames of messages and publishes them. It belongs to one goroutine.
type frameWriter struct {
	p       *Peers
	buffer  []byte
	groups  [][]*accord.Message // by receiver and phase
	touched []int               // the groups that are not empty, in the order they were first needed
}

func newFrameWriter(p *Peers) *frameWriter {
	return &frameWriter{p: p, groups: make([][]*accord.Message, len(p.cfg.Nodes)*len(Phases()))}
}

// publish sends the messages of one Send, each receiver's and phase's in as few frames as they fit.
func (w *frameWriter) publish(out outgoing) {
	phases := Phases()
	for i := range out.msgs {
		m := &out.msgs[i]
		if m.To == 0 || int(m.To) > len(w.p.cfg.Nodes) || m.To == w.p.self {
			w.p.counters.add(dropNoSuchPeer, 1)
			continue
		}
		group := int(m.To-1)*len(phases) + slices.Index(phases, phaseOf(m.Body))
		if len(w.groups[group]) == 0 {
			w.touched = append(w.touched, group)
		}
		w.groups[group] = append(w.groups[group], m)
	}
	for _, group := range w.touched {
		w.frames(accord.NodeID(group/len(phases)+1), phases[group%len(phases)], out.header, w.groups[group])
		clear(w.groups[group])
		w.groups[group] = w.groups[group][:0]
	}
	w.touched = w.touched[:0]
}

// frames publishes msgs in frames that stay below max_payload. A message too large for any frame is dropped.
func (w *frameWriter) frames(to accord.NodeID, phase Phase, h accord.Header, msgs []*accord.Message) {
	cfg := &w.p.cfg
	subject := cfg.Subjects.Peer(cfg.Nodes[to-1], cfg.Self, phase)
	envelope := Envelope{Cluster: cfg.Subjects.Cluster, From: w.p.self, To: to, Incarnation: cfg.Incarnation, Epoch: cfg.Epoch, Header: h}
	limit := w.p.frameMax()
	b := appendEnvelope(w.buffer[:0], envelope)
	empty, n := len(b), 0
	for _, m := range msgs {
		before := len(b)
		b = appendMessage(b, m)
		if len(b) > limit && n > 0 {
			message := slices.Clone(b[before:])
			w.flush(subject, b[:before], empty, n)
			b, n = append(b[:empty], message...), 0
		}
		if len(b) > limit {
			w.p.counters.add(dropTooLarge, 1)
			cfg.Logger.Error("peer message is larger than a frame can be", "txn", m.TxnID, "bytes", len(b), "limit", limit)
			b = b[:empty]
			continue
		}
		n++
	}
	if n > 0 {
		w.flush(subject, b, empty, n)
	}
	w.buffer = b
}

// flush publishes a frame of n messages whose envelope takes the first empty bytes.
func (w *frameWriter) flush(subject string, frame []byte, empty, n int) {
	binary.BigEndian.PutUint32(frame[empty-countSize:], uint32(n))
	if err := w.p.nc.Publish(subject, frame); err != nil {
		w.p.counters.add(dropNotConnected, n)
		w.p.cfg.Logger.Debug("peer messages not published", "subject", subject, "messages", n, "error", err)
		return
	}
	w.p.counters.add(sentFrames, 1)
	w.p.counters.add(sentMessages, n)
	w.p.counters.add(sentBytes, len(frame))
}

// frameMax is how large a frame may be on the server we are connected to.
func (p *Peers) frameMax() int {
	if payload := int(p.nc.MaxPayload()); payload > 2*headroom {
		return payload - headroom
	}
	return payloadDefault - headroom
}
