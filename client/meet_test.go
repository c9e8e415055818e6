package client_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/accord"
	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/event"
	"natsaccord/node/nodetest"
)

// field is a real cluster behind a NATS server, and writers that fight for a stream over connections of their own.
type field struct {
	*testing.T
	*world
	cluster *nodetest.Cluster
	conns   []*nats.Conn // of the nodes
	writers []*client.Client
}

const contested = event.Stream("account.1")

func newField(t *testing.T, writers int, core accord.Config) *field {
	f := &field{T: t, world: newWorld(t), cluster: nodetest.NewTuned(t, 3, core)}
	for i, m := range f.cluster.Nodes {
		nc := f.connect(t)
		service, err := bus.NewService(nc, bus.ServiceConfig{Subjects: bus.Subjects{Cluster: "test"}, Node: fmt.Sprint("n", i+1)}, m.Node)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = service.Stop() }) // it cannot say goodbye over a connection that the test has closed
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		f.conns = append(f.conns, nc)
	}
	for range writers {
		c, err := client.New(f.connect(t), client.Options{Timeout: time.Minute, TryTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		f.writers = append(f.writers, c)
	}
	return f
}

// want demands a version, and returns the conflict if that is not there.
func (f *field) want(c *client.Client, version uint64) *event.ConflictError {
	f.Helper()
	_, err := c.Append(f.Context(), event.Append{
		Conditions: []event.Condition{{Stream: contested, Expect: event.Expect(version)}},
		Events:     []event.Event{{Stream: contested, Type: "Moved", Data: []byte(`{}`)}},
	})
	conflict, lost := errors.AsType[*event.ConflictError](err)
	if err != nil && !lost {
		f.Errorf("demand version %d: %v", version, err)
	}
	return conflict
}

// settle has a node write the first version, and all writers demand the same: they hear where to go.
func (f *field) settle(at int) {
	f.Helper()
	name := fmt.Sprint("n", at+1)
	first, err := f.writers[0].At(name)
	if err != nil {
		f.Fatal(err)
	}
	defer first.Close()
	if f.want(first, 0) != nil {
		f.Fatal("the first version was there")
	}
	for _, c := range f.writers {
		if conflict := f.want(c, 0); conflict == nil || conflict.Node != name {
			f.Fatalf("got %+v, want a conflict that names %s", conflict, name)
		}
	}
}

// count returns how many appends a node has made transactions of, and how many it has turned away.
func (f *field) count(i int) uint64 {
	f.Helper()
	status, err := f.cluster.Nodes[i].Status(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return status.Counters["submitted"] + status.Counters["turned_away"]
}

// TestWritersMeet: who has lost once goes where the winner was, with all others, and the other nodes have nothing to do.
func TestWritersMeet(t *testing.T) {
	const writers, versions, home = 6, 20, 1
	trusting := accord.Config{SuspectAfter: 60 * accord.Second, SuspectMin: 60 * accord.Second} // else a node may have no quorum on a slow machine
	f := newField(t, writers, trusting)
	f.settle(home)
	var before [3]uint64
	for i := range before {
		before[i] = f.count(i)
	}
	for version := range uint64(versions) {
		var won atomic.Int64
		var running sync.WaitGroup
		for _, c := range f.writers {
			running.Go(func() {
				switch conflict := f.want(c, version+1); {
				case conflict == nil:
					won.Add(1)
				case conflict.Have != version+2 || conflict.Node != "n2":
					t.Errorf("version %d: got %+v", version+1, conflict)
				}
			})
		}
		running.Wait()
		if won.Load() != 1 {
			t.Fatalf("version %d: %d won", version+1, won.Load())
		}
	}
	for i := range before {
		if n := f.count(i) - before[i]; (n >= versions) != (i == home) || i != home && n > 0 {
			t.Errorf("node %d had %d appends to see to, and node %d is where all are to meet", i+1, n, home+1)
		}
	}
}

// TestWritersGoOnWithoutTheirHome stops the node where they meet: they find another, and no append is lost or made twice.
func TestWritersGoOnWithoutTheirHome(t *testing.T) {
	const writers, each, home = 6, 5, 2
	f := newField(t, writers, accord.Config{})
	f.settle(home)
	f.conns[home].Close()
	f.cluster.StopNode(home)
	var running sync.WaitGroup
	var elsewhere atomic.Int64
	for _, c := range f.writers {
		running.Go(func() {
			for version, won := uint64(1), 0; won < each; version++ {
				conflict := f.want(c, version)
				if conflict == nil {
					won++
					continue
				}
				if version = conflict.Have - 1; conflict.Node == "n1" || conflict.Node == "n2" {
					elsewhere.Add(1)
				}
				if t.Failed() {
					return
				}
			}
		})
	}
	running.Wait()
	head, err := f.writers[0].Head(t.Context(), contested)
	if err != nil || head.Version != 1+writers*each {
		t.Errorf("got version %d, %v, want %d", head.Version, err, 1+writers*each)
	}
	if elsewhere.Load() == 0 {
		t.Error("nobody was told of another node")
	}
}

// hut is a node's own subjects, and no more, where nothing but an error is to be had.
type hut struct{ asked atomic.Int64 }

func (w *world) newHut(t *testing.T, node string, err error) *hut {
	t.Helper()
	h := &hut{}
	nc := w.connect(t)
	_, failed := nc.Subscribe("accord.v1.node."+node+".append", func(msg *nats.Msg) {
		h.asked.Add(1)
		if err == nil {
			return
		}
		body, failed := bus.Encode(bus.NewErrorReply(err))
		if failed != nil || msg.Respond(body) != nil {
			t.Error("no reply:", failed)
		}
	})
	if failed != nil || nc.Flush() != nil {
		t.Fatal(failed)
	}
	return h
}

// TestHomeThatDoesNotServeIsLeft: whatever is wrong with it, the append that it was asked for is made elsewhere, under the same request
// id, and the next one is not asked for there.
func TestHomeThatDoesNotServeIsLeft(t *testing.T) {
	unknown := &event.UnknownError{RequestID: "r-1", Err: errors.New("time is up")}
	for name, wrong := range map[string]error{"silent": nil, "draining": event.ErrDraining, "cut off": event.ErrNoQuorum, "unknown": unknown} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			told := &event.ConflictError{Conflict: event.Conflict{Stream: "a.1", Have: 1}, Node: "home"}
			told.All = []event.Conflict{told.Conflict}
			any, home := w.serveFaulty(t, fails(told)), w.newHut(t, "home", wrong)
			c := w.client(t, client.Options{TryTimeout: short})
			for i := range 3 {
				a := event.Append{
					RequestID:  fmt.Sprint("r-", i),
					Conditions: []event.Condition{{Stream: "a.1", Expect: event.Expect(max(i-1, 0))}},
					Events:     []event.Event{{Stream: "a.1", Type: "Added", Data: []byte(`{}`)}},
				}
				receipt, err := c.Append(t.Context(), a)
				if _, conflict := errors.AsType[*event.ConflictError](err); conflict != (i == 0) || !conflict && (err != nil || receipt.Duplicate) {
					t.Fatalf("append %d: got %+v, %v", i, receipt, err)
				}
				if seen := any.seen(); len(seen) != i+1 || seen[i].RequestID != a.RequestID {
					t.Errorf("append %d: the other node has seen %+v", i, seen)
				}
			}
			if n := home.asked.Load(); n != 1 {
				t.Errorf("its home was asked %d times, want 1", n)
			}
		})
	}
}

// TestHomeThatIsDownCostsNoTry: that nobody listens there is known at once.
func TestHomeThatIsDownCostsNoTry(t *testing.T) {
	w := newWorld(t)
	told := &event.ConflictError{Conflict: event.Conflict{Stream: "a.1"}, Node: "home"}
	told.All = []event.Conflict{told.Conflict}
	any := w.serveFaulty(t, fails(told))
	c := w.client(t, client.Options{Tries: 1})
	for i := range 2 {
		_, err := c.Append(t.Context(), event.Append{
			Conditions: []event.Condition{{Stream: "a.1"}}, Events: []event.Event{{Stream: "a.1", Type: "Added", Data: []byte(`{}`)}},
		})
		if (err == nil) != (i == 1) {
			t.Errorf("append %d: %v", i, err)
		}
	}
	if any.called() != 2 {
		t.Errorf("the other node was asked %d times, want 2", any.called())
	}
}
