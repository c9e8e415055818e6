package node_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/node/nodetest"
)

var (
	tailed = flag.Int("tailed", 10_000/slower, "TestTailReaders, TestTailReadersOfFive: how many appends are acknowledged while readers follow")
	early  = flag.Bool("early", false, "TestTailReaders, TestTailReadersOfFive: plant a frontier that does not wait for what lies before it")
)

// tailing has writers append through all nodes of a cluster while a reader follows the log at each.
type tailing struct {
	c       *nodetest.Cluster
	nodes   int
	appends int // to be acknowledged

	read func(m *nodetest.Member, ctx context.Context, args event.ReadArgs) (event.Page, error) // of the readers

	made, refused atomic.Int64 // appends acknowledged, and those that lost
	acked         sync.Map     // event id → position
	last          atomic.Pointer[event.Position]
	done          chan struct{} // closed when all is written
}

func newTailing(c *nodetest.Cluster, nodes, appends int) *tailing {
	x := &tailing{c: c, nodes: nodes, appends: appends, done: make(chan struct{})}
	x.read = func(m *nodetest.Member, ctx context.Context, args event.ReadArgs) (event.Page, error) {
		return m.Read(ctx, args)
	}
	x.last.Store(new(event.Position))
	return x
}

// run runs all writers and readers, and whatever disturbs them, and returns what is wrong with what was read.
func (x *tailing) run(ctx context.Context, disturb func()) error {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	read := make([][]event.Event, x.nodes)
	errs := make([]error, x.nodes)
	var readers, writers sync.WaitGroup
	for i := range x.nodes {
		readers.Go(func() { read[i], errs[i] = x.follow(ctx, i) })
	}
	for w := range 8 * x.nodes {
		writers.Go(func() { x.write(ctx, rand.New(rand.NewPCG(1, uint64(w)))) })
	}
	disturb()
	writers.Wait()
	close(x.done)
	readers.Wait()
	for i := range x.nodes {
		if errs[i] != nil {
			return fmt.Errorf("reader at node %d: %w", i+1, errs[i])
		}
		if err := x.check(i, read[i], read[0]); err != nil {
			return err
		}
	}
	return nil
}

// write makes appends through any node until enough are acknowledged: what is refused leaves readers nothing to miss, and does not count.
func (x *tailing) write(ctx context.Context, random *rand.Rand) {
	for x.made.Load() < int64(x.appends) && ctx.Err() == nil {
		x.append(ctx, random, draw(random))
	}
}

// draw returns an append of one to three events to streams that others append to as well, sometimes on a condition that may not hold.
func draw(random *rand.Rand) event.Append {
	stream := func() event.Stream { return event.StreamOf("account", fmt.Sprint(random.IntN(500))) }
	a := opened(stream(), random.IntN(1000))
	for range random.IntN(3) {
		a.Events = append(a.Events, opened(stream(), random.IntN(1000)).Events...)
	}
	if random.IntN(10) == 0 {
		a.Conditions = []event.Condition{{Stream: a.Events[0].Stream, Expect: event.Expect(random.IntN(30))}}
	}
	a.RequestID, a.Timeout = ulid.Make().String(), time.Second
	return a
}

// append repeats a request, at whichever node, until it is known what came of it.
func (x *tailing) append(ctx context.Context, random *rand.Rand, a event.Append) {
	for ctx.Err() == nil {
		m := x.c.Member(random.IntN(x.nodes))
		if m == nil {
			<-time.After(time.Millisecond)
			continue
		}
		receipt, err := m.Append(ctx, a)
		if _, conflict := errors.AsType[*event.ConflictError](err); conflict {
			x.refused.Add(1)
			return
		}
		if err != nil {
			continue
		}
		for _, ref := range receipt.Events {
			x.acked.Store(ref.ID, ref.Position)
		}
		x.made.Add(1)
		for {
			last := x.last.Load()
			if *last >= receipt.Position || x.last.CompareAndSwap(last, &receipt.Position) {
				return
			}
		}
	}
}

// follow reads at one node until all is written and the reader has passed it. While the node is down it waits.
func (x *tailing) follow(ctx context.Context, i int) (read []event.Event, err error) {
	args := event.ReadArgs{Wait: 20 * time.Millisecond}
	random := rand.New(rand.NewPCG(2, uint64(i)))
	for ctx.Err() == nil {
		args.Limit = 1 + random.IntN(200)
		m := x.c.Member(i)
		if m == nil {
			<-time.After(time.Millisecond)
			continue
		}
		page, err := x.read(m, ctx, args)
		if err != nil {
			continue // it has just gone down
		}
		read = append(read, page.Events...)
		args.After = page.Next
		select {
		case <-x.done:
			if page.End && page.Frontier >= *x.last.Load() {
				return read, nil
			}
		default:
		}
	}
	return read, fmt.Errorf("read %d events up to %s: %w", len(read), args.After, ctx.Err())
}

// check compares what a reader got with what was acknowledged and with what the first reader got.
func (x *tailing) check(i int, read, first []event.Event) error {
	seen := make(map[ulid.ULID]event.Position)
	for j := range read {
		if j > 0 && read[j].Position <= read[j-1].Position {
			return fmt.Errorf("node %d: event %d at %s stands behind one at %s", i+1, j, read[j].Position, read[j-1].Position)
		}
		if _, twice := seen[read[j].ID]; twice {
			return fmt.Errorf("node %d: the event at %s was read twice", i+1, read[j].Position)
		}
		seen[read[j].ID] = read[j].Position
	}
	acked := 0
	var missing []any
	x.acked.Range(func(id, position any) bool {
		acked++
		if seen[id.(ulid.ULID)] != position {
			missing = append(missing, position)
		}
		return true
	})
	if len(missing) > 0 || len(read) != acked {
		return fmt.Errorf("node %d: read %d events of %d; not read: %v", i+1, len(read), acked, missing)
	}
	if !slices.EqualFunc(read, first, same) {
		return fmt.Errorf("node %d: read another sequence than node 1", i+1)
	}
	return nil
}

// TestTailReaders: nothing is skipped, nothing is repeated, and everywhere it is the same sequence.
func TestTailReaders(t *testing.T) {
	x := newTailing(planted(t, 3), 3, *tailed)
	if err := x.run(t.Context(), func() {}); err != nil {
		t.Error(err)
	}
	t.Log(x)
}

// planted starts n nodes, with the bug that is asked for.
func planted(t *testing.T, n int) *nodetest.Cluster {
	core := accord.Config{}
	if *early {
		core.Mutation = accord.MutateEarlyWatermark
	}
	c := nodetest.NewTuned(t, n, core)
	c.Vary(disorder)
	return c
}

// String tells what was done.
func (x *tailing) String() string {
	return fmt.Sprintf("%d appends acknowledged, %d refused", x.made.Load(), x.refused.Load())
}

// disorder is by how much messages are late, each by a time of its own.
const disorder = 2 * time.Millisecond

// TestTailReadersOfFive kills two nodes and restarts them while all is written and read.
func TestTailReadersOfFive(t *testing.T) {
	c := planted(t, 5)
	x := newTailing(c, 5, *tailed)
	reached := func(part int) {
		for x.made.Load() < int64(x.appends*part/10) && t.Context().Err() == nil {
			<-time.After(time.Millisecond)
		}
	}
	err := x.run(t.Context(), func() {
		for round := range 2 {
			reached(1 + 4*round)
			c.StopNode(4)
			reached(2 + 4*round)
			c.StopNode(round)
			reached(3 + 4*round)
			c.StartNode(4)
			reached(4 + 4*round)
			c.StartNode(round)
		}
	})
	if err != nil {
		t.Error(err)
	}
	t.Log(x)
}

// chances is how often a planted fault may go unnoticed before its test fails.
const chances = 8

// TestEarlyFrontierIsNoticed plants a bug in the core, a frontier that does not wait for what lies before it, and wants
// TestTailReaders to fail: in a process of its own, since the core may find itself in contradiction first. Five nodes with that bug
// may come to a standstill instead, which takes minutes to tell.
func TestEarlyFrontierIsNoticed(t *testing.T) {
	var out []byte
	for try := 1; ; try++ { // whether anybody reads at the wrong moment is a matter of luck
		var err error
		out, err = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTailReaders$", "-tailed=2000", "-early").CombinedOutput()
		if _, failed := errors.AsType[*exec.ExitError](err); failed {
			break
		}
		if try == chances {
			t.Fatalf("nobody noticed: %v: %s", err, out)
		}
	}
	if !bytes.Contains(out, []byte("not read: ")) && !bytes.Contains(out, []byte("at or below the watermark")) {
		t.Errorf("it failed, but not for that reason: %s", out)
	}
}

// TestWeakFrontiersMissEvents plants the bug that event stores have, and shows what the frontier is for: readers that go on behind what was
// applied last pass positions that are filled later. They skip events, and the check of what they read says so.
func TestWeakFrontiersMissEvents(t *testing.T) {
	for name, read := range map[string]func(*nodetest.Member, context.Context, event.ReadArgs) (event.Page, error){
		"the frontier is what was applied last": func(m *nodetest.Member, ctx context.Context, args event.ReadArgs) (event.Page, error) {
			return m.ReadUpToLast(ctx, args)
		},
		"local reads": func(m *nodetest.Member, ctx context.Context, args event.ReadArgs) (event.Page, error) {
			args.Consistency = event.Local
			return m.Read(ctx, args)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for try := 1; ; try++ {
				c := nodetest.New(t, 3)
				c.Vary(disorder)
				x := newTailing(c, 3, 2000)
				x.read = read
				err := x.run(t.Context(), func() {})
				if err != nil && strings.Contains(err.Error(), "not read: ") {
					return
				}
				if err != nil || try == chances {
					t.Fatalf("got %v, want events that were missed", err)
				}
				t.Log("nothing was missed at try ", try)
			}
		})
	}
}
