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

// follower reads the log as it grows, from its beginning, through whatever happens.
type follower struct {
	name    string
	clients []*client.Client // it goes from one to another, each time with its place; with one it stays

	mu     sync.Mutex
	read   []event.Event
	errors int // that it went on after
}

// followers are one that stays with each node, and one that wanders.
type followers struct {
	all     []*follower
	running sync.WaitGroup
	stop    context.CancelFunc
}

// follow starts followers. They follow until the test ends, or what they have read is checked.
func follow(t *testing.T, c *cluster, seed uint64) *followers {
	t.Helper()
	f := &followers{all: []*follower{{name: "the wandering follower", clients: c.clients}}}
	for i, n := range c.nodes {
		at, err := c.at(i, i)
		if err != nil {
			t.Fatal(err)
		}
		f.all = append(f.all, &follower{name: "the follower of " + n.name, clients: []*client.Client{at}})
	}
	ctx, stop := context.WithCancel(t.Context())
	f.stop = stop
	for i, one := range f.all {
		f.running.Go(func() { one.follow(ctx, rand.New(rand.NewPCG(seed, 2000+uint64(i)))) })
	}
	t.Cleanup(func() { stop(); f.running.Wait() })
	return f
}

// follow follows for a while through one client after the other, until ctx ends.
func (f *follower) follow(ctx context.Context, rng *rand.Rand) {
	args := event.ReadArgs{Wait: time.Second}
	for turn := 0; ctx.Err() == nil; turn++ {
		args.Limit = 1 + rng.IntN(50)
		until := 1 + rng.IntN(100)
		for e, err := range f.clients[turn%len(f.clients)].Follow(ctx, args) {
			if err == nil {
				args.After = e.Position
			}
			f.note(e, err)
			if until--; until == 0 {
				break
			}
		}
	}
}

func (f *follower) note(e event.Event, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.errors++
		return
	}
	f.read = append(f.read, e)
}

// check waits until all followers have come to the end of the log, and compares what they read on their way with what it is in the end.
func (f *followers) check(ctx context.Context, log []event.Event) error {
	var errs []error
	for _, one := range f.all {
		errs = append(errs, poll(ctx, func() error { return one.arrived(log) }))
	}
	f.stop()
	f.running.Wait()
	for _, one := range f.all {
		if err := followed(log, one.read); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", one.name, err))
		}
	}
	return errors.Join(errs...)
}

func (f *follower) arrived(log []event.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.read); len(log) > 0 && (n == 0 || f.read[n-1].Position < log[len(log)-1].Position) {
		return fmt.Errorf("%s has read %d events, of %d", f.name, n, len(log))
	}
	return nil
}

// followed compares what a follower has read with the log: nothing skipped, nothing twice, in its order.
func followed(log, read []event.Event) error {
	for i := range min(len(log), len(read)) {
		if log[i].Position != read[i].Position || log[i].ID != read[i].ID || log[i].Version != read[i].Version || string(log[i].Data) != string(read[i].Data) {
			return fmt.Errorf("read %s at %s as event %d, which is %s at %s", read[i].ID, read[i].Position, i+1, log[i].ID, log[i].Position)
		}
	}
	if len(log) != len(read) {
		return fmt.Errorf("read %d events of %d", len(read), len(log))
	}
	return nil
}

// String tells how the followers fared.
func (f *followers) String() string {
	var errs []int
	for _, one := range f.all {
		errs = append(errs, one.errors)
	}
	return fmt.Sprintf("%d followers read %d events each, over %v errors", len(f.all), len(f.all[0].read), errs)
}

// TestFollowedTells damages what a follower has read.
func TestFollowedTells(t *testing.T) {
	_, logs := world(t)
	for name, damage := range map[string]func(read []event.Event) []event.Event{
		"skips":       func(read []event.Event) []event.Event { return slices.Delete(read, 5, 6) },
		"repeats":     func(read []event.Event) []event.Event { return slices.Insert(read, 5, read[4]) },
		"swaps":       func(read []event.Event) []event.Event { read[5], read[6] = read[6], read[5]; return read },
		"stops early": func(read []event.Event) []event.Event { return read[:len(read)-1] },
		"changes":     func(read []event.Event) []event.Event { read[5].Data = []byte("3"); return read },
	} {
		if followed(logs[0], damage(slices.Clone(logs[0]))) == nil {
			t.Errorf("%s: nobody tells", name)
		}
	}
	if err := followed(logs[0], slices.Clone(logs[0])); err != nil {
		t.Error(err)
	}
}
