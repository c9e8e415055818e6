package blackbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/event"
)

// workload is what clients do while things go wrong.
type workload struct {
	cluster  *cluster
	ledger   *ledger
	registry *registry
	seed     uint64
	rate     float64 // requests of one client in a second, at most
	turns    atomic.Int64
	input    []event.Append

	mu       sync.Mutex
	problems findings
	repeats  int
	reads    int
	stale    int // local reads that were, as found in the end
}

// listLength is about how many appends go to a set of streams before the next one: every read is of a whole stream.
const (
	listLength = 300
	lists      = 5
)

// realInput is the history of a repository as requests: one for each commit, one stream for each file.
const realInput = "../../testdata/git-history.jsonl"

// loadInput reads the real input.
func loadInput(t *testing.T) []event.Append {
	t.Helper()
	b, err := os.ReadFile(realInput)
	if err != nil {
		t.Fatal(err)
	}
	var all []event.Append
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, len(b))
	for lines.Scan() {
		var request bus.TransactionRequest
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			t.Fatal(err)
		}
		a, err := request.Append()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// start starts clients that import, clients that do a bit of everything, and at each node one that reads locally, one that registers addresses and one that looks for them. They end when ctx does, with what they have
// under way; the group is done then.
func (w *workload) start(ctx context.Context, importers, mixed int) *sync.WaitGroup {
	var running sync.WaitGroup
	for i := range importers {
		running.Go(func() { w.importAll(ctx, i, importers) })
	}
	for i := range mixed {
		running.Go(func() { w.mix(ctx, i) })
	}
	for i := range w.cluster.nodes {
		running.Go(func() { w.observe(ctx, i) })
		running.Go(func() { w.register(ctx, i) })
		running.Go(func() { w.look(ctx, i) })
	}
	return &running
}

// paced calls do again and again, but not more often than the rate says, until ctx ends. What do does is not cut short.
func (w *workload) paced(ctx context.Context, do func(ctx context.Context, turn int)) {
	ticker := time.NewTicker(time.Duration(float64(time.Second) / w.rate))
	defer ticker.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if ctx.Err() != nil {
			return
		}
		do(context.WithoutCancel(ctx), turn)
	}
}

// importAll appends a part of the real input, again and again, with fresh request ids each time. It is one client of several.
func (w *workload) importAll(ctx context.Context, number, of int) {
	name := fmt.Sprint("import ", number+1)
	c := w.cluster.clients[number%len(w.cluster.clients)]
	w.paced(ctx, func(ctx context.Context, turn int) {
		line := number + turn*of
		a := w.input[line%len(w.input)]
		a.RequestID = fmt.Sprintf("%s-%d", a.RequestID, line/len(w.input))
		w.answered(w.ledger.do(ctx, c, w.ledger.request(name, a)))
	})
}

// answered notes an error that no append here can have earned. Any other says that nothing happened, which the end of the run checks, or
// that the outcome is unknown.
func (w *workload) answered(err error) {
	_, invalid := errors.AsType[*event.InvalidError](err)
	_, large := errors.AsType[*event.TooLargeError](err)
	_, reused := errors.AsType[*event.ReusedError](err)
	_, taken := errors.AsType[*event.IDTakenError](err)
	if !invalid && !large && !reused && !taken {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems.add("an append ended with %w", err)
}

// mixer is a client that does a bit of everything.
type mixer struct {
	*workload
	name  string
	rng   *rand.Rand
	known map[event.Stream]int // versions, as last seen
	last  *request             // that was acknowledged
}

func (w *workload) mix(ctx context.Context, number int) {
	m := &mixer{workload: w, name: fmt.Sprint("mixed ", number+1), rng: rand.New(rand.NewPCG(w.seed, uint64(number)))}
	m.known = make(map[event.Stream]int)
	w.paced(ctx, func(ctx context.Context, _ int) { m.turn(ctx) })
}

// turn does one thing, through whichever node.
func (m *mixer) turn(ctx context.Context) {
	set := m.turns.Add(1) / listLength
	c := m.client()
	switch draw := m.rng.IntN(10); {
	case draw < 3:
		m.read(ctx, c, m.stream(set))
	case draw < 9:
		m.append(ctx, c, set)
	default:
		m.repeat(ctx, c)
	}
}

// client returns one of any server, mostly one that lets NATS choose a node.
func (m *mixer) client() *client.Client {
	via := m.rng.IntN(len(m.cluster.clients))
	if m.rng.IntN(4) > 0 {
		return m.cluster.clients[via]
	}
	c, err := m.cluster.at(via, m.rng.IntN(len(m.cluster.nodes)))
	if err != nil {
		return m.cluster.clients[via]
	}
	return c
}

func (m *mixer) stream(set int64) event.Stream {
	return event.Stream(fmt.Sprintf("list.%d.%d", set, m.rng.IntN(lists)))
}

func (m *mixer) read(ctx context.Context, c *client.Client, stream event.Stream) {
	version, err := m.ledger.read(ctx, m.name, c, stream, event.Linearizable)
	if err != nil {
		return // there may be no quorum
	}
	m.known[stream] = version
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
}

// append appends to some streams, and may demand something of those or of others.
func (m *mixer) append(ctx context.Context, c *client.Client, set int64) {
	var a event.Append
	for range 1 + m.rng.IntN(3) {
		a.Events = append(a.Events, event.Event{Stream: m.stream(set), Type: "Noted", Data: []byte(`{}`)})
	}
	if m.rng.IntN(2) == 0 {
		stream := a.Events[0].Stream
		if m.rng.IntN(3) == 0 {
			stream = m.stream(set)
		}
		a.Conditions = []event.Condition{{Stream: stream, Expect: event.Expect(m.known[stream])}}
	}
	r := m.ledger.request(m.name, a)
	err := m.ledger.do(ctx, c, r)
	m.answered(err)
	for _, s := range r.receipt.Streams {
		m.known[s.Stream] = int(s.Version)
	}
	for _, conflict := range r.refusal {
		m.known[conflict.Stream] = max(m.known[conflict.Stream], int(conflict.Have)) // early, it may be less than is known
	}
	if err == nil {
		m.last = r
	}
}

// repeat asks for what was acknowledged again, through whichever node: it must be told the same.
func (m *mixer) repeat(ctx context.Context, c *client.Client) {
	if m.last == nil {
		return
	}
	again, err := c.Append(ctx, m.last.append)
	if err != nil && kindOf(err) != "conflict" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.repeats++
	if first := m.last.receipt; err != nil || !again.Duplicate || again.Position != first.Position || again.TxnID != first.TxnID || fmt.Sprint(again.Events) != fmt.Sprint(first.Events) {
		m.problems.add("request %s was acknowledged with %+v, and is answered now with %+v, %v", m.last.append.RequestID, first, again, err)
	}
}

// observe reads a node's streams as they are there.
func (w *workload) observe(ctx context.Context, number int) {
	m := &mixer{workload: w, name: fmt.Sprint("local ", number+1), rng: rand.New(rand.NewPCG(w.seed, 1000+uint64(number)))}
	c, err := w.cluster.at(number, number)
	if err != nil {
		w.answered(err)
		return
	}
	w.paced(ctx, func(ctx context.Context, _ int) {
		// What is wrong with the answer is found in the end; the node may be down.
		_, _ = w.ledger.read(ctx, m.name, c, m.stream(w.turns.Load()/listLength), event.Local)
	})
}
