package digest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"natsaccord/digest"
	"natsaccord/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a few nodes with logs that should be the same.
type world struct {
	t      *testing.T
	nodes  []*station
	tuning digest.Config
}

// station is one node.
type station struct {
	w        *world
	name     string
	digester *digest.Digester
	stop     context.CancelFunc
	ended    chan struct{}

	mu       sync.Mutex
	log      []event.Event
	frontier event.Position
	moved    chan struct{}
	marks    []event.Digest
	reason   string
	alone    bool
	alarms   atomic.Int64
	told     atomic.Int64
	deaf     bool           // answers nothing
	garbled  event.Position // of an event that cannot be read, if there is one
}

func (w *world) names() (names []string) {
	for _, s := range w.nodes {
		names = append(names, s.name)
	}
	return names
}

// tuning makes everything small: a mark every 16 events.
func tuning() digest.Config {
	return digest.Config{MarkEvery: 16, ScrubRate: 1000, ScrubEvery: 10 * time.Second}
}

func newWorld(t *testing.T, n int) *world {
	w := &world{t: t, tuning: tuning()}
	for i := range n {
		w.nodes = append(w.nodes, &station{w: w, name: fmt.Sprintf("n%d", i+1), moved: make(chan struct{})})
	}
	return w
}

func (w *world) start() {
	for _, s := range w.nodes {
		s.start()
	}
}

func (s *station) start() {
	cfg := s.w.tuning
	cfg.Self, cfg.Nodes = s.name, s.w.names()
	digester, err := digest.New(cfg, s, s, s, s.alarm)
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.mu.Lock()
	s.digester = digester
	s.mu.Unlock()
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.ended = stop, make(chan struct{})
	go func() {
		defer close(s.ended)
		if err := digester.Run(ctx); err != nil {
			s.w.t.Error(err)
		}
	}()
}

func (s *station) current() *digest.Digester {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.digester
}

func (w *world) end() {
	for _, s := range w.nodes {
		s.stop()
		<-s.ended
	}
}

func position(i int) event.Position { return event.Position(fmt.Sprintf("%028d", 100*i)) }

// made is the i-th event of the log, from 1.
func made(i int) event.Event {
	e := event.Event{
		Stream: event.StreamOf("s", fmt.Sprint(i%7)), Version: uint64(i/7 + 1), Position: position(i), TxnID: fmt.Sprint("t", i), Type: "T",
		Data: fmt.Appendf(nil, `{"n":%d}`, i), RecordedAt: time.UnixMicro(int64(i)).UTC(),
	}
	e.ID[15] = byte(i)
	return e
}

// write brings the log of every node to n events, by steps of its own.
func (w *world) write(n int) {
	for i, s := range w.nodes {
		for step := 3*i + 1; ; {
			s.mu.Lock()
			for len(s.log) < n && step > 0 {
				s.log = append(s.log, made(len(s.log)+1))
				step--
			}
			done := len(s.log) == n
			s.frontier = position(len(s.log))[:26] + "99"
			close(s.moved)
			s.moved = make(chan struct{})
			s.mu.Unlock()
			if done {
				break
			}
			step = 3*i + 1
		}
	}
}

// damage changes a node's log.
func (s *station) damage(change func(log []event.Event) []event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = change(slices.Clone(s.log))
}

// garble makes an event unreadable; with no position all are readable.
func (s *station) garble(p event.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.garbled = p
}

// Frontier implements digest.Log.
func (s *station) Frontier(ctx context.Context, behind event.Position, _ bool) (event.Position, error) {
	for {
		s.mu.Lock()
		frontier, moved := s.frontier, s.moved
		s.mu.Unlock()
		if frontier > behind {
			return frontier, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// Read implements digest.Log.
func (s *station) Read(_ context.Context, args event.ReadArgs) (event.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := event.Page{Next: args.After, End: true}
	begin, _ := slices.BinarySearchFunc(s.log, args.After, func(e event.Event, p event.Position) int { return strings.Compare(string(e.Position), string(p)) })
	for _, e := range s.log[begin:] {
		if e.Position <= args.After || args.Before != "" && e.Position >= args.Before {
			continue
		}
		if len(page.Events) == args.Limit {
			page.End = false
			break
		}
		if e.Position == s.garbled {
			return event.Page{}, fmt.Errorf("read: %w", &event.DamagedError{Position: e.Position, Err: errors.New("garbled")})
		}
		page.Events = append(page.Events, e)
		page.Next = e.Position
	}
	return page, nil
}

// Mark implements digest.Marks.
func (s *station) Mark(_ context.Context, events uint64) (m event.Digest, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, noted := range s.marks {
		if noted.To <= events {
			m = noted
		}
	}
	return m, nil
}

// AddMark implements digest.Marks.
func (s *station) AddMark(_ context.Context, m event.Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks = append(s.marks, m)
	return nil
}

// Tell implements digest.Peers.
func (s *station) Tell(note []byte) {
	s.told.Add(1)
	for _, to := range s.w.nodes {
		if digester := to.current(); to != s && digester != nil {
			time.AfterFunc(time.Millisecond, func() { digester.Hear(s.name, note) })
		}
	}
}

// Ask implements digest.Peers.
func (s *station) Ask(ctx context.Context, node string, question []byte) ([]byte, error) {
	for _, to := range s.w.nodes {
		if to.name == node && !to.deaf {
			return to.current().Answer(ctx, question)
		}
	}
	return nil, errors.New("nobody answers")
}

func (s *station) alarm(reason string, alone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reason, s.alone = reason, alone
	s.alarms.Add(1)
}

// says returns what the alarm said last.
func (s *station) says() (reason string, alone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason, s.alone
}

// wants checks what the alarm said last.
func (s *station) wants(alone bool, words ...string) {
	s.w.t.Helper()
	reason, got := s.says()
	for _, word := range words {
		if !strings.Contains(reason, word) {
			s.w.t.Errorf("%s: the alarm says %q, want %q in it", s.name, reason, word)
		}
	}
	if len(words) == 0 && reason != "" || got != alone {
		s.w.t.Errorf("%s: the alarm says %q, alone %v", s.name, reason, got)
	}
}

// changes are the ways in which the event at index i of a log can go wrong.
func changes(i int) map[string]func([]event.Event) []event.Event {
	edit := func(f func(e *event.Event)) func([]event.Event) []event.Event {
		return func(log []event.Event) []event.Event {
			f(&log[i])
			return log
		}
	}
	return map[string]func([]event.Event) []event.Event{
		"data":     edit(func(e *event.Event) { e.Data = []byte(`{"n":-1}`) }),
		"binary":   edit(func(e *event.Event) { e.Binary = true }),
		"type":     edit(func(e *event.Event) { e.Type += "x" }),
		"stream":   edit(func(e *event.Event) { e.Stream += "x" }),
		"version":  edit(func(e *event.Event) { e.Version++ }),
		"id":       edit(func(e *event.Event) { e.ID = ulid.ULID{1} }),
		"txn":      edit(func(e *event.Event) { e.TxnID += "x" }),
		"key":      edit(func(e *event.Event) { e.RoutingKey = "x" }),
		"tags":     edit(func(e *event.Event) { e.Tags = []string{"x"} }),
		"metadata": edit(func(e *event.Event) { e.Metadata = map[string]string{"x": ""} }),
		"time":     edit(func(e *event.Event) { e.RecordedAt = e.RecordedAt.Add(time.Microsecond) }),
		"lost":     func(log []event.Event) []event.Event { return slices.Delete(log, i, i+1) },
		"inserted": func(log []event.Event) []event.Event {
			e := log[i]
			e.Position = e.Position[:27] + "1"
			return slices.Insert(log, i+1, e)
		},
	}
}
