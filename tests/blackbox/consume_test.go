package blackbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"natsaccord/client"
	"natsaccord/event"
)

// consumed is what handlers were called with.
type consumed struct {
	mu       sync.Mutex
	problems findings
	handled  map[event.Stream]uint64 // up to which version all were
	last     map[int]string          // by shard, the worker that handled last
	again    int                     // events that came again
	moves    int                     // of a shard from one worker to another
}

func newConsumed() *consumed {
	return &consumed{handled: make(map[event.Stream]uint64), last: make(map[int]string)}
}

// note notes that a worker handles an event. None may come before all those of its stream that stand before it were handled.
func (h *consumed) note(worker string, shard int, e event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch upTo := h.handled[e.Stream]; {
	case e.Version == upTo+1:
		h.handled[e.Stream]++
	case e.Version <= upTo:
		h.again++
	default:
		h.problems.add("%s handles version %d of %s, behind version %d", worker, e.Version, e.Stream, upTo)
	}
	if last := h.last[shard]; last != "" && last != worker {
		h.moves++
	}
	h.last[shard] = worker
}

// missing tells how many events of the log were not handled.
func (h *consumed) missing(log []event.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	missing := 0
	for _, e := range log {
		if e.Stream.Category() == consumedCategory && e.Version > h.handled[e.Stream] {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d events were not handled", missing)
	}
	return nil
}

const (
	consumedCategory = "list"
	consumedShards   = 3
)

// consumers are workers of one subscription, one at each server.
type consumers struct {
	*consumed
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

// consume starts a worker at each server. Each works for a while, leaves its turn to others and comes back, whatever happens to what it is
// connected to.
func consume(t *testing.T, c *cluster, seed uint64) *consumers {
	w := &consumers{consumed: newConsumed()}
	w.ctx, w.stop = context.WithCancel(t.Context())
	t.Cleanup(func() { w.stop(); w.running.Wait() })
	for i, at := range c.clients {
		w.running.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 4000+uint64(i)))
			for w.ctx.Err() == nil {
				ctx, leave := context.WithTimeout(w.ctx, time.Second+time.Duration(rng.Int64N(int64(3*time.Second))))
				w.work(ctx, fmt.Sprint("worker ", i+1), at)
				leave()
			}
		})
	}
	return w
}

// work consumes until ctx ends, which nothing else may end.
func (w *consumers) work(ctx context.Context, name string, at *client.Client) {
	cfg := client.ConsumeConfig{
		Name: "black-box", Events: event.ReadArgs{Category: consumedCategory}, Shards: consumedShards, Silence: 3 * time.Second, AckInterval: 200 * time.Millisecond,
	}
	err := client.Consume(ctx, at, cfg, func(_ context.Context, e event.Event) error {
		w.note(name, client.ShardOf(e, consumedShards), e)
		return nil
	})
	if stopped, ok := errors.AsType[*client.StopError](err); !ok || stopped.Reason != client.StopDrained {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.problems.add("%s ended with %w", name, err)
	}
}

// check waits until all that stands in the log was handled, stops the workers, and returns what went wrong.
func (w *consumers) check(ctx context.Context, log []event.Event) error {
	err := poll(ctx, func() error { return w.missing(log) })
	w.stop()
	w.running.Wait()
	return errors.Join(err, w.problems.err())
}

// String tells what was done.
func (h *consumed) String() string {
	return fmt.Sprintf("%d streams consumed, over %d moves of a shard, with %d events handled again", len(h.handled), h.moves, h.again)
}

// TestConsumedTells has a handler called with what it must not be called with, or not be called.
func TestConsumedTells(t *testing.T) {
	log := make([]event.Event, 6)
	for i := range log {
		log[i] = event.Event{Stream: event.StreamOf(consumedCategory, "1"), Version: uint64(i + 1)}
	}
	for name, c := range map[string]struct {
		handled []event.Event
		good    bool
	}{
		"all":            {log, true},
		"some again":     {append(slices.Clone(log), log[2:]...), true},
		"one is skipped": {slices.Delete(slices.Clone(log), 2, 3), false},
		"one comes late": {[]event.Event{log[0], log[2], log[1], log[3], log[4], log[5]}, false},
		"the last never": {log[:5], false},
	} {
		h := newConsumed()
		for _, e := range c.handled {
			h.note("w", 1, e)
		}
		if err := errors.Join(h.missing(log), h.problems.err()); (err == nil) != c.good {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
