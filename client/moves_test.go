package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/client"
	"natsaccord/event"
	"natsaccord/node"
	"natsaccord/node/nodetest"
)

// place is a worker's way to one node, which dies and comes back, and from which replies get lost.
type place struct {
	alive atomic.Pointer[life]
	cut   atomic.Bool  // nothing gets through
	loses atomic.Int32 // of 100 replies
}

// life is a node from its start to its end.
type life struct {
	*node.Node
	ctx context.Context
}

var errDead = errors.New("the node is dead")

// do calls the node. When that dies during the call, nobody hears what came of it.
func (p *place) do(ctx context.Context, call func(ctx context.Context, n *node.Node) error) error {
	l := p.alive.Load()
	if l == nil || p.cut.Load() {
		return errDead
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.ctx, func() { cancel(errDead) })()
	if err := call(ctx, l.Node); err != nil {
		return err
	}
	if p.cut.Load() || rand.Int32N(100) < p.loses.Load() {
		return &event.UnknownError{Err: errDead}
	}
	return nil
}

func (p *place) Read(ctx context.Context, args event.ReadArgs) (page event.Page, err error) {
	err = p.do(ctx, func(ctx context.Context, n *node.Node) error { page, err = n.Read(ctx, args); return err })
	return page, err
}

func (p *place) Append(ctx context.Context, a event.Append) (receipt event.Receipt, err error) {
	err = p.do(ctx, func(ctx context.Context, n *node.Node) error { receipt, err = n.Append(ctx, a); return err })
	return receipt, err
}

func (p *place) Subscriber(ctx context.Context, key string) (found event.Subscriber, err error) {
	err = p.do(ctx, func(ctx context.Context, n *node.Node) error { found, err = n.Subscriber(ctx, key); return err })
	return found, err
}

func (p *place) Count(ctx context.Context, args event.ReadArgs) (count uint64, err error) {
	err = p.do(ctx, func(ctx context.Context, n *node.Node) error { count, err = n.Count(ctx, args); return err })
	return count, err
}

func (p *place) TakeOver(ctx context.Context, key string, worker, previous ulid.ULID) error {
	return p.do(ctx, func(ctx context.Context, n *node.Node) error { return n.TakeOver(ctx, key, worker, previous) })
}

func (p *place) Acknowledge(ctx context.Context, key string, worker ulid.ULID, at event.Position, lag uint64) error {
	return p.do(ctx, func(ctx context.Context, n *node.Node) error { return n.Acknowledge(ctx, key, worker, at, lag) })
}

// source completes a place: what Consume does not use has no faults either.
type source struct {
	event.Executor
	*place
}

func (s source) Read(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	return s.place.Read(ctx, args)
}

func (s source) Acknowledge(ctx context.Context, key string, worker ulid.ULID, at event.Position, lag uint64) error {
	return s.place.Acknowledge(ctx, key, worker, at, lag)
}

func (source) Subscribers(context.Context, string, int) ([]event.Subscriber, error) {
	return nil, errDead
}
func (source) ResetSubscriber(context.Context, string, event.Position) error { return errDead }

// ledger holds what handlers were called with to the promise: every event at least once, and no event of a routing
// key before all those that stand before it.
type ledger struct {
	mu      sync.Mutex
	seen    map[string]int // by routing key, up to where all events were handled
	last    map[int]int    // by shard, the worker that handled last
	moves   map[int]int    // by shard, from one worker to another
	again   int            // events that came again
	broken  []string
	changed chan struct{}
}

func newLedger() *ledger {
	return &ledger{seen: make(map[string]int), last: make(map[int]int), moves: make(map[int]int), changed: make(chan struct{}, 1)}
}

// note notes that a worker handles the n-th event of a key.
func (l *ledger) note(worker, shard int, key string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch seen := l.seen[key]; {
	case n == seen+1:
		l.seen[key] = n
	case n <= seen:
		l.again++
	default:
		l.broken = append(l.broken, fmt.Sprintf("event %d of %s was handled by %d behind event %d", n, key, worker, seen))
	}
	if last, before := l.last[shard]; before && last != worker {
		l.moves[shard]++
	}
	l.last[shard] = worker
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// await waits until done, which looks at the ledger, says so, and tells whether it did in time.
func (l *ledger) await(patience time.Duration, done func() bool) bool {
	end := time.After(patience)
	for {
		l.mu.Lock()
		ok := done()
		l.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-l.changed:
		case <-end:
			return false
		}
	}
}

// Sizes of the moves.
const (
	moverShards = 2
	moverKeys   = 12
	moverNodes  = 3
)

// movers is a cluster, a worker at each of its nodes, and somebody who writes.
type movers struct {
	*testing.T
	cluster *nodetest.Cluster
	places  [moverNodes]*place
	ends    [moverNodes]context.CancelFunc // of the nodes' lives
	stops   [moverNodes]context.CancelFunc // of the workers
	gone    [moverNodes]chan error
	ledger  *ledger
	written [moverKeys]int
	silence time.Duration // of the workers
}

func newMovers(t *testing.T) *movers {
	m := &movers{T: t, cluster: nodetest.New(t, moverNodes), ledger: newLedger()}
	for i := range m.places {
		m.places[i] = &place{}
		m.revive(i)
	}
	return m
}

// settle chooses the workers' silence: long enough for a machine that has other things to do as well.
func (m *movers) settle() {
	m.Helper()
	slowest := time.Duration(0)
	for i := range 5 * moverNodes {
		start := time.Now()
		if err := m.cluster.Nodes[i%moverNodes].UpsertSubscriber(m.Context(), "settle", ulid.Make()); err != nil {
			m.Fatalf("claim: %v", err)
		}
		slowest = max(slowest, time.Since(start))
	}
	m.silence = min(max(200*time.Millisecond, 5*slowest), 4*time.Second)
}

// revive gives a place its node, which runs already.
func (m *movers) revive(i int) {
	ctx, end := context.WithCancel(context.Background())
	m.ends[i] = end
	m.places[i].alive.Store(&life{m.cluster.Nodes[i].Node, ctx})
}

// kill ends a node as a crash would, and its place with it.
func (m *movers) kill(i int) {
	m.places[i].alive.Store(nil)
	m.ends[i]()
	m.cluster.StopNode(i)
}

// hire starts a worker at a node.
func (m *movers) hire(i int) {
	ctx, stop := context.WithCancel(context.Background())
	m.stops[i], m.gone[i] = stop, make(chan error, 1)
	cfg := client.ConsumeConfig{
		Name: "mover", Events: event.ReadArgs{Category: "a"}, Shards: moverShards, Silence: m.silence,
		AckInterval: 20 * time.Millisecond, AckBatch: 20, MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
	}
	go func() {
		m.gone[i] <- client.Consume(ctx, source{place: m.places[i]}, cfg, func(_ context.Context, e event.Event) error {
			m.ledger.note(i, client.ShardOf(e, moverShards), e.RoutingKey, number(e))
			return nil
		})
	}()
}

// fire stops a worker in order.
func (m *movers) fire(i int) {
	m.Helper()
	m.stops[i]()
	if stopped, ok := errors.AsType[*client.StopError](<-m.gone[i]); !ok || stopped.Reason != client.StopDrained {
		m.Errorf("worker %d ended with %v", i, stopped)
	}
}

// write appends events, each the next of one of the writer's keys, until ctx ends. An append is tried at one node after the other, with one
// request id, until one says that it is there.
func (m *movers) write(ctx context.Context, writer int) {
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		key := writer + moverNodes*rand.IntN(moverKeys/moverNodes)
		a := event.Append{RequestID: ulid.Make().String(), Timeout: 2 * time.Second, Events: []event.Event{{
			Stream: event.StreamOf("a", fmt.Sprint(i%5)), Type: "Moved", RoutingKey: fmt.Sprint("key-", key), Data: fmt.Append(nil, m.written[key]+1),
		}}}
		for at := writer + i; ; at++ {
			receipt, err := m.places[at%moverNodes].Append(context.Background(), a)
			if err == nil && len(receipt.Events) != 1 {
				m.Errorf("append: got %+v", receipt)
			}
			if err == nil {
				break
			}
			<-pace.C
		}
		m.written[key]++
		<-pace.C
	}
}

// disturb makes some worker lose or leave its work in one of many ways, and lets things be as they were when another
// has it.
func (m *movers) disturb(round int) {
	m.Helper()
	shard := 1 + round%moverShards
	var worker, moves int
	m.ledger.await(time.Minute, func() bool {
		worker, moves = m.ledger.last[shard], m.ledger.moves[shard]
		return true
	})
	moved := func() {
		m.Helper()
		if !m.ledger.await(time.Minute, func() bool { return m.ledger.moves[shard] > moves }) {
			m.Fatalf("round %d: nobody took over from worker %d", round, worker)
		}
	}
	switch round % 10 {
	case 0, 3, 6, 8:
		m.fire(worker)
		moved()
		m.hire(worker)
	case 1, 4, 7:
		m.places[worker].cut.Store(true)
		moved()
		m.places[worker].cut.Store(false)
	case 2, 9:
		m.kill(worker)
		moved()
		m.cluster.StartNode(worker)
		m.revive(worker)
	case 5:
		key := client.ShardKey("mover", shard, moverShards)
		if err := m.cluster.Nodes[worker].UpsertSubscriber(m.Context(), key, ulid.Make()); err != nil {
			m.Errorf("claim: %v", err)
		}
	}
}

// moved tells whether each shard, which is a subscriber of its own, has moved so often.
func (l *ledger) moved(often int) bool {
	for shard := range moverShards {
		if l.moves[shard+1] < often {
			return false
		}
	}
	return true
}

// TestSubscriberMoves moves each subscriber of a subscription from node to node a hundred times while events are written and replies
// get lost: every event is handled at least once, in the order of its routing key, and none is lost.
func TestSubscriberMoves(t *testing.T) {
	moves := 100
	if testing.Short() || raceDetector {
		moves = 10
	}
	m := newMovers(t)
	for _, p := range m.places {
		p.loses.Store(10)
	}
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	var writing sync.WaitGroup
	for writer := range moverNodes {
		writing.Go(func() { m.write(ctx, writer) })
	}
	m.settle()
	for i := range m.places {
		m.hire(i)
	}
	if !m.ledger.await(time.Minute, func() bool { return len(m.ledger.last) == moverShards }) {
		t.Fatal("nobody began to work")
	}
	start := time.Now()
	for round := 0; ; round++ {
		done := false
		m.ledger.await(time.Second, func() bool { done = m.ledger.moved(moves); return true })
		if done {
			break
		}
		m.disturb(round)
	}
	took := time.Since(start)
	enough()
	writing.Wait()
	all := func() bool {
		for key, n := range m.written {
			if m.ledger.seen[fmt.Sprint("key-", key)] < n {
				return false
			}
		}
		return true
	}
	if !m.ledger.await(30*time.Second, all) {
		t.Errorf("of %v events were handled %v", m.written, m.ledger.seen)
	}
	for i := range m.places {
		m.fire(i)
	}
	total := 0
	for key, n := range m.written {
		if seen := m.ledger.seen[fmt.Sprint("key-", key)]; seen != n {
			t.Errorf("key-%d: %d events were written and %d handled", key, n, seen)
		}
		total += n
	}
	for _, broken := range m.ledger.broken {
		t.Error(broken)
	}
	t.Logf("%v moves in %s, with a silence of %s; %d events, %d of them handled again", m.ledger.moves, took.Round(time.Millisecond), m.silence, total, m.ledger.again)
}

// TestLedgerFindsWhatIsLost plants the fault that the ledger is there for: a store that acknowledges more than was
// handled.
func TestLedgerFindsWhatIsLost(t *testing.T) {
	for _, eager := range []bool{false, true} {
		l := newLedger()
		s := stages(1)[0]
		for i := range 200 {
			e := event.Event{Stream: "a.1", Type: "Moved", RoutingKey: "k", Data: fmt.Append(nil, i+1)}
			if err := s.Write(t.Context(), []event.Event{e}); err != nil {
				t.Fatal(err)
			}
		}
		for worker := range 2 {
			ctx, stop := context.WithCancel(t.Context())
			cfg := client.ConsumeConfig{Name: "s", AckBatch: 1}
			err := client.Consume(ctx, hasty{s, eager}, cfg, func(_ context.Context, e event.Event) error {
				l.note(worker, 1, e.RoutingKey, number(e))
				if n := number(e); n == 100 && worker == 0 || n == 200 {
					stop()
				}
				return nil
			})
			stop()
			if _, ok := errors.AsType[*client.StopError](err); !ok {
				t.Fatal(err)
			}
		}
		if eager != (len(l.broken) > 0) || !eager && l.seen["k"] != 200 {
			t.Errorf("eager %v: handled up to %d, and found %q", eager, l.seen["k"], l.broken)
		}
	}
}

// hasty acknowledges a little more than it was told to.
type hasty struct {
	*stage
	eager bool
}

func (h hasty) Acknowledge(ctx context.Context, key string, worker ulid.ULID, at event.Position, lag uint64) error {
	if h.eager {
		page, err := h.Read(ctx, event.ReadArgs{After: at, Limit: 3})
		if err != nil {
			return err
		}
		at = page.Next
	}
	return h.stage.Acknowledge(ctx, key, worker, at, lag)
}
