package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/client"
	"natsaccord/event"
	"natsaccord/event/eventtest"
)

// stage is one worker's way to a store: a test can break it.
type stage struct {
	*eventtest.Memory

	mu     sync.Mutex
	broken func(op string) (before, after error) // before: it is not done; after: it is, and nobody hears of it
	calls  map[string]int
	lags   []uint64
}

// stages returns ways to one store.
func stages(n int) []*stage {
	memory := eventtest.NewMemory()
	all := make([]*stage, n)
	for i := range all {
		all[i] = &stage{Memory: memory, calls: make(map[string]int)}
	}
	return all
}

var errCut = errors.New("the line is cut")

// cut makes every call fail, or none any more.
func (s *stage) cut(cut bool) {
	s.breaks(func(string) (before, after error) {
		if cut {
			return errCut, nil
		}
		return nil, nil
	})
}

func (s *stage) breaks(f func(op string) (before, after error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = f
}

// count returns how often something was called, and starts over.
func (s *stage) count(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.calls[op]
	s.calls[op] = 0
	return n
}

func (s *stage) do(ctx context.Context, op string, do func() error) error {
	s.mu.Lock()
	s.calls[op]++
	var before, after error
	if s.broken != nil {
		before, after = s.broken(op)
	}
	s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if before != nil {
		return before
	}
	return errors.Join(do(), after)
}

func (s *stage) Subscriber(ctx context.Context, key string) (found event.Subscriber, err error) {
	err = s.do(ctx, "get", func() error { found, err = s.Memory.Subscriber(ctx, key); return err })
	return found, err
}

func (s *stage) TakeOver(ctx context.Context, key string, worker, previous ulid.ULID) error {
	return s.do(ctx, "claim", func() error { return s.Memory.TakeOver(ctx, key, worker, previous) })
}

func (s *stage) Acknowledge(ctx context.Context, key string, worker ulid.ULID, p event.Position, lag uint64) error {
	return s.do(ctx, "ack", func() error {
		s.mu.Lock()
		s.lags = append(s.lags, lag)
		s.mu.Unlock()
		return s.Memory.Acknowledge(ctx, key, worker, p, lag)
	})
}

func (s *stage) Append(ctx context.Context, a event.Append) (receipt event.Receipt, err error) {
	err = s.do(ctx, "append", func() error { receipt, err = s.Memory.Append(ctx, a); return err })
	return receipt, err
}

func (s *stage) Count(ctx context.Context, args event.ReadArgs) (n uint64, err error) {
	err = s.do(ctx, "count", func() error { n, err = s.Memory.Count(ctx, args); return err })
	return n, err
}

func (s *stage) Read(ctx context.Context, args event.ReadArgs) (page event.Page, err error) {
	err = s.do(ctx, "read", func() error { page, err = s.Memory.Read(ctx, args); return err })
	return page, err
}

// fill appends n events to a stream, numbered on from first.
func (s *stage) fill(t *testing.T, stream event.Stream, first, n int) {
	t.Helper()
	for i := range n {
		e := event.Event{Stream: stream, Type: "Noted", Data: fmt.Append(nil, first+i)}
		if err := s.Memory.Write(t.Context(), []event.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
}

// number is what fill wrote.
func number(e event.Event) (n int) {
	if err := json.Unmarshal(e.Data, &n); err != nil {
		return -1
	}
	return n
}

// subscriber returns the state of a subscriber, past all faults.
func (s *stage) subscriber(t *testing.T, key string) event.Subscriber {
	t.Helper()
	found, err := s.Memory.Subscriber(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// acked returns the number of the event up to which a subscriber has acknowledged; 0 if it has nothing.
func (s *stage) acked(t *testing.T, key string) int {
	t.Helper()
	cursor := s.subscriber(t, key).Cursor
	if cursor == "" {
		return 0
	}
	page, err := s.Memory.Read(t.Context(), event.ReadArgs{Before: cursor + "~", Backward: true, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return number(page.Events[0])
}

// consuming is a call of Consume under way.
type consuming struct {
	t     *testing.T
	stop  context.CancelCauseFunc
	ended chan error

	mu   sync.Mutex
	seen []int
}

// errEnough ends the context of what consumes.
var errEnough = errors.New("enough")

// consume has a handler see numbered events.
func consume(t *testing.T, source client.Source, cfg client.ConsumeConfig, handle func(ctx context.Context, n int) error) *consuming {
	t.Helper()
	c := &consuming{t: t, ended: make(chan error, 1)}
	ctx, stop := context.WithCancelCause(t.Context())
	c.stop = stop
	go func() {
		c.ended <- client.Consume(ctx, source, cfg, func(ctx context.Context, e event.Event) error {
			c.mu.Lock()
			c.seen = append(c.seen, number(e))
			c.mu.Unlock()
			if handle == nil {
				return nil
			}
			return handle(ctx, number(e))
		})
	}()
	return c
}

// handled returns the numbers of the events that the handler was called with since it was last asked.
func (c *consuming) handled() []int {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	return seen
}

// end ends it and returns why it says it did.
func (c *consuming) end(want client.StopReason) *client.StopError {
	c.t.Helper()
	c.stop(errEnough)
	return c.wait(want)
}

// wait waits for it to end by itself.
func (c *consuming) wait(want client.StopReason) *client.StopError {
	c.t.Helper()
	err := <-c.ended
	stopped, ok := errors.AsType[*client.StopError](err)
	if !ok || stopped.Reason != want {
		c.t.Fatalf("got %v, want it to be %s", err, want)
	}
	if want == client.StopDrained && !errors.Is(err, errEnough) {
		c.t.Errorf("got %v, which does not say what ended the context", err)
	}
	return stopped
}

// after lets time pass until everybody waits.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// upTo returns the numbers from first to last.
func upTo(first, last int) []int {
	var all []int
	for n := first; n <= last; n++ {
		all = append(all, n)
	}
	return all
}
