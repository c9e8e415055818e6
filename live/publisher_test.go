package live_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"natsaccord/event"
	"natsaccord/live"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a log that all nodes have, a server that they publish to, and the nodes that do.
type world struct {
	t      *testing.T
	random *rand.Rand
	nodes  []*station

	mu        sync.Mutex
	log       []event.Event
	grown     chan struct{} // closed when the log grows
	published []event.Event // as the server got them, repeats included
	failing   float64       // probability that publishing fails halfway
	losing    float64       // probability that a note gets lost
}

// station is one node.
type station struct {
	w         *world
	name      string
	behind    int // so many events of the log are not up to this node's frontier
	saved     event.Position
	publisher *live.Publisher
	stop      context.CancelFunc
	ended     chan struct{}
	reads     int
}

func newWorld(t *testing.T, n int, seed uint64) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 1)), grown: make(chan struct{})}
	for i := range n {
		w.nodes = append(w.nodes, &station{w: w, name: fmt.Sprintf("n%d", i+1)})
	}
	return w
}

func position(i int) event.Position { return event.Position(fmt.Sprintf("%028d", i)) }

// write adds an event to the log.
func (w *world) write() {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := len(w.log) + 1
	w.log = append(w.log, event.Event{Position: position(i), Version: uint64(i)})
	close(w.grown)
	w.grown = make(chan struct{})
}

func (w *world) chance(p float64) bool { return w.random.Float64() < p }

func (s *station) frontier() int { return max(0, len(s.w.log)-s.behind) }

// Frontier implements live.Log.
func (s *station) Frontier(ctx context.Context, behind event.Position, _ bool) (event.Position, error) {
	for {
		s.w.mu.Lock()
		frontier, grown := position(s.frontier()), s.w.grown
		s.w.mu.Unlock()
		if frontier > behind && frontier > position(0) {
			return frontier, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// Read implements live.Log.
func (s *station) Read(_ context.Context, args event.ReadArgs) (event.Page, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.reads++
	page := event.Page{Next: max(args.After, position(s.frontier())), End: true}
	for _, e := range s.w.log[:s.frontier()] {
		if e.Position <= args.After {
			continue
		}
		if len(page.Events) == args.Limit {
			page.Next, page.End = page.Events[len(page.Events)-1].Position, false
			break
		}
		page.Events = append(page.Events, e)
	}
	return page, nil
}

// Publish implements live.Sink.
func (s *station) Publish(_ context.Context, events []event.Event) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.w.chance(s.w.failing) {
		s.w.published = append(s.w.published, events[:s.w.random.IntN(len(events)+1)]...)
		return errors.New("disconnected")
	}
	s.w.published = append(s.w.published, events...)
	return nil
}

// Published implements live.Progress.
func (s *station) Published(context.Context) (event.Position, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.saved, nil
}

// SetPublished implements live.Progress.
func (s *station) SetPublished(_ context.Context, p event.Position) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.saved = p
	return nil
}

func (s *station) tell(note []byte) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	for _, to := range s.w.nodes {
		if to == s || s.w.chance(s.w.losing) {
			continue
		}
		time.AfterFunc(time.Duration(s.w.random.IntN(5000))*time.Microsecond, func() {
			to.w.mu.Lock()
			publisher := to.publisher
			to.w.mu.Unlock()
			if publisher != nil {
				publisher.Hear(s.name, note)
			}
		})
	}
}

func (s *station) start() {
	s.w.t.Helper()
	var names []string
	for _, other := range s.w.nodes {
		names = append(names, other.name)
	}
	publisher, err := live.New(live.Config{Self: s.name, Nodes: names, Batch: 7}, s, s, s, s.tell)
	if err != nil {
		s.w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.w.mu.Lock()
	s.publisher, s.stop, s.ended = publisher, stop, make(chan struct{})
	s.w.mu.Unlock()
	go func() {
		defer close(s.ended)
		if err := publisher.Run(ctx); err != nil {
			s.w.t.Error(err)
		}
	}()
}

// kill stops a node. What it has not noted in its database lately is lost, as at a crash.
func (s *station) kill() {
	if s.publisher == nil {
		return
	}
	s.w.mu.Lock()
	saved := s.saved
	s.w.mu.Unlock()
	s.stop()
	<-s.ended
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.saved, s.publisher = saved, nil
}

// current returns which nodes think that they publish.
func (w *world) current() (found []int) {
	for i, s := range w.nodes {
		if s.publisher != nil && s.publisher.Status().Publishing {
			found = append(found, i)
		}
	}
	return found
}

// check compares the first copies of what was published with the log.
func (w *world) check() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := make(map[event.Position]bool)
	next := 0
	for _, e := range w.published {
		if seen[e.Position] {
			continue
		}
		seen[e.Position] = true
		if e.Position != w.log[next].Position {
			return fmt.Errorf("the first copy of %s comes where that of %s should", e.Position, w.log[next].Position)
		}
		next++
	}
	if next < len(w.log) {
		return fmt.Errorf("published %d events of %d", next, len(w.log))
	}
	return nil
}

// live runs writes and faults.
func (w *world) live(random *rand.Rand) {
	for _, s := range w.nodes {
		s.start()
	}
	for range 400 {
		<-time.After(time.Duration(random.IntN(30)) * time.Millisecond)
		for range random.IntN(10) {
			w.write()
		}
		s := w.nodes[random.IntN(len(w.nodes))]
		w.mu.Lock()
		s.behind = random.IntN(20)
		w.mu.Unlock()
		switch {
		case random.Float64() < 0.02 && s.publisher != nil:
			s.kill()
		case random.Float64() < 0.1 && s.publisher == nil:
			s.start()
		}
	}
}

// rest ends all faults and waits until all is published.
func (w *world) rest() {
	w.mu.Lock()
	w.failing, w.losing = 0, 0
	w.mu.Unlock()
	for _, s := range w.nodes {
		w.mu.Lock()
		s.behind = 0
		w.mu.Unlock()
		if s.publisher == nil {
			s.start()
		}
	}
	w.write()
	<-time.After(10 * time.Second)
	synctest.Wait()
}

func (w *world) end() {
	for _, s := range w.nodes {
		s.kill()
	}
	<-time.After(time.Minute) // for notes on their way
}

// TestNothingIsMissing: whoever dies, fails or is not heard, the first copies of all events are complete and in order;
// in the end one node publishes.
func TestNothingIsMissing(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1+int(seed%5), seed)
			w.failing, w.losing = 0.1*float64(seed%3), 0.2*float64(seed%4)
			w.live(rand.New(rand.NewPCG(seed, 2)))
			w.rest()
			if err := w.check(); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			if current := w.current(); len(current) != 1 {
				t.Errorf("seed %d: nodes %v publish in the end, want one", seed, current)
			}
			w.end()
		})
	}
}

// TestMissingEventIsNoticed plants a bug: progress is noted before it is made.
func TestMissingEventIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 1)
		for range 5 {
			w.write()
		}
		w.nodes[1].saved = position(3)
		for _, s := range w.nodes {
			s.start()
		}
		w.rest()
		if w.check() == nil {
			t.Error("nobody noticed")
		}
		w.end()
	})
}

// TestOnePublishes: without faults the node in front publishes, each event once, as soon as there is one; the others
// read nothing at all. When it dies, the next one takes over within a second, and keeps the turn when it is back.
func TestOnePublishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 1)
		for _, s := range w.nodes {
			s.start()
		}
		<-time.After(2 * time.Second)
		is := func(want int) {
			t.Helper()
			if got := w.current(); len(got) != 1 || got[0] != want {
				t.Fatalf("nodes %v publish, want %d", got, want)
			}
		}
		is(0)
		for range 100 {
			w.write()
			synctest.Wait()
			if n := len(w.published); n != len(w.log) {
				t.Fatalf("published %d events of %d", n, len(w.log))
			}
			<-time.After(100 * time.Millisecond)
		}
		if w.nodes[1].reads+w.nodes[2].reads > 0 {
			t.Errorf("those who stand by read %d and %d pages", w.nodes[1].reads, w.nodes[2].reads)
		}
		w.nodes[0].kill()
		w.write()
		<-time.After(1100 * time.Millisecond)
		is(1)
		w.nodes[0].start()
		<-time.After(2 * time.Second)
		w.write()
		<-time.After(2 * time.Second)
		is(1)
		if n := len(w.published); n != len(w.log) {
			t.Errorf("published %d messages for %d events", n, len(w.log))
		}
		w.end()
	})
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []live.Config{
		{}, {Self: "n1", Nodes: []string{"n2"}}, {Self: "n1", Nodes: []string{"n1"}, Batch: -1}, {Self: "n1", Nodes: []string{"n1"}, Takeover: -1},
	} {
		if _, err := live.New(cfg, nil, nil, nil, nil); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// TestNotesOfStrangers: what is no note, or from no node, changes nothing.
func TestNotesOfStrangers(t *testing.T) {
	p, err := live.New(live.Config{Self: "n1", Nodes: []string{"n1", "n2"}}, nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for from, body := range map[string]string{
		"n2": "", "n3": `{"published":"0000000000000000000000000001"}`, "n1": `{"published":"0000000000000000000000000001"}`,
	} {
		p.Hear(from, []byte(body))
	}
	for _, body := range []string{"{", `{"published":"zzz"}`, `{"published":"-"}`, `[]`, "null"} {
		p.Hear("n2", []byte(body))
	}
	if s := p.Status(); s.Published != "" {
		t.Errorf("got %+v", s)
	}
}
