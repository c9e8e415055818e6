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
	tailed = flag.Int("tailed", 10_000/slower, "TestTailReaders: how many appends are made while readers follow")
	early  = flag.Bool("early", false, "TestTailReaders: plant a frontier that does not wait for what lies before it")
)

// tailing has writers append through all nodes of a cluster while a reader follows the log at each.
type tailing struct {
	c       *nodetest.Cluster
	nodes   int
	appends int

	consistency event.Consistency // of the readers; empty: that of the log, the frontier

	made  atomic.Int64
	acked sync.Map // event id → position
	last  atomic.Pointer[event.Position]
	done  chan struct{} // closed when all is written
}

func newTailing(c *nodetest.Cluster, nodes, appends int) *tailing {
	x := &tailing{c: c, nodes: nodes, appends: appends, done: make(chan struct{})}
	x.last.Store(new(event.Position))
	return x
}

// run runs all writers and readers, and whatever disturbs them, and returns what is wrong with what was read.
func (x *tailing) run(ctx context.Context, disturb func()) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
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

// write appends to streams that others append to as well, and repeats a request whose outcome it does not know.
func (x *tailing) write(ctx context.Context, random *rand.Rand) {
	for x.made.Add(1) <= int64(x.appends) && ctx.Err() == nil {
		a := opened(event.StreamOf("account", fmt.Sprint(random.IntN(200))), random.IntN(1000))
		a.RequestID, a.Timeout = ulid.Make().String(), time.Second
		for ctx.Err() == nil {
			m := x.c.Member(random.IntN(x.nodes))
			if m == nil {
				<-time.After(time.Millisecond)
				continue
			}
			receipt, err := m.Append(ctx, a)
			if err != nil {
				continue
			}
			x.acked.Store(receipt.Events[0].ID, receipt.Position)
			for {
				last := x.last.Load()
				if *last >= receipt.Position || x.last.CompareAndSwap(last, &receipt.Position) {
					break
				}
			}
			break
		}
	}
}

// follow reads at one node until all is written and the reader has passed it. While the node is down it waits.
func (x *tailing) follow(ctx context.Context, i int) (read []event.Event, err error) {
	args := event.ReadArgs{Wait: 20 * time.Millisecond, Consistency: x.consistency}
	random := rand.New(rand.NewPCG(2, uint64(i)))
	for ctx.Err() == nil {
		args.Limit = 1 + random.IntN(200)
		m := x.c.Member(i)
		if m == nil {
			<-time.After(time.Millisecond)
			continue
		}
		page, err := m.Read(ctx, args)
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
	seen := make(map[ulid.ULID]bool)
	for j := range read {
		if j > 0 && read[j].Position <= read[j-1].Position {
			return fmt.Errorf("node %d: event %d at %s stands behind one at %s", i+1, j, read[j].Position, read[j-1].Position)
		}
		if seen[read[j].ID] {
			return fmt.Errorf("node %d: the event at %s was read twice", i+1, read[j].Position)
		}
		seen[read[j].ID] = true
	}
	var missing []any
	x.acked.Range(func(id, position any) bool {
		if !seen[id.(ulid.ULID)] {
			missing = append(missing, position)
		}
		return true
	})
	if len(missing) > 0 || len(read) != x.appends {
		return fmt.Errorf("node %d: read %d events of %d; not read: %v", i+1, len(read), x.appends, missing)
	}
	if !slices.EqualFunc(read, first, same) {
		return fmt.Errorf("node %d: read another sequence than node 1", i+1)
	}
	return nil
}

// TestTailReaders: nothing is skipped, nothing is repeated, and everywhere it is the same sequence.
func TestTailReaders(t *testing.T) {
	core := accord.Config{}
	if *early {
		core.Mutation = accord.MutateEarlyWatermark
	}
	if err := newTailing(nodetest.NewTuned(t, 3, core), 3, *tailed).run(t.Context(), func() {}); err != nil {
		t.Error(err)
	}
}

// TestTailReadersOfFive kills two nodes and restarts them while all is written and read.
func TestTailReadersOfFive(t *testing.T) {
	c := nodetest.New(t, 5)
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
}

// chances is how often a planted fault may go unnoticed before its test fails.
const chances = 8

// TestEarlyFrontierIsNoticed plants a bug, a frontier that does not wait for what lies before it, and wants
// TestTailReaders to fail: in a process of its own, since the core may find itself in contradiction first.
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

// TestLocalReadersMissEvents shows what the frontier is for: readers that follow what is merely applied skip some.
func TestLocalReadersMissEvents(t *testing.T) {
	for try := 1; ; try++ {
		x := newTailing(nodetest.New(t, 3), 3, 2000)
		x.consistency = event.Local
		err := x.run(t.Context(), func() {})
		if err != nil && strings.Contains(err.Error(), "not read: ") {
			return
		}
		if err != nil || try == chances {
			t.Fatalf("got %v, want events that were missed", err)
		}
	}
}
