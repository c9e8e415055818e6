package node_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/node/nodetest"
	"natsaccord/sqlstore/pgtest"
)

// missed is how many appends a node misses in TestCatchUpByLog.
var missed = flag.Int("missed", 400, "TestCatchUpByLog: how many appends are made while a node is down")

// forgetful is a tuning in which the others have forgotten nearly everything by the time a node is back.
func forgetful() accord.Config {
	return accord.Config{KeptMax: 10, EraseEvery: 100 * accord.Millisecond, EraseDelay: 3 * accord.Second}
}

// TestCatchUpByLog has a node miss so much that its peers cannot tell it as transactions any more: the log, what
// was refused, subscribers and snapshots. It takes over a peer's log while appends go on, and then it has what
// the others have.
func TestCatchUpByLog(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { catchUpByLog(t, nodetest.NewTuned(t, 3, forgetful())) })
	t.Run("Postgres", func(t *testing.T) {
		var server pgtest.Server
		t.Cleanup(func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
		catchUpByLog(t, nodetest.NewOn(t, []string{server.Database(t), server.Database(t), server.Database(t)}, forgetful()))
	})
}

func catchUpByLog(t *testing.T, c *nodetest.Cluster) {
	worker, successor, name := ulid.Make(), ulid.Make(), "state"
	if err := c.Nodes[2].UpsertSubscriber(t.Context(), "mail", worker); err != nil {
		t.Fatal(err)
	}
	for _, stream := range []event.Stream{"account.kept", "account.dropped"} {
		if err := c.Nodes[2].PutSnapshot(t.Context(), event.Snapshot{Stream: stream, Name: name, Version: 1, Data: []byte("old")}); err != nil {
			t.Fatal(err)
		}
	}
	c.StopNode(2)
	const clients = 16
	each := *missed / clients
	first := load(t, c, "missed", clients, each)
	if err := c.Nodes[0].UpsertSubscriber(t.Context(), "mail", successor); err != nil {
		t.Fatal(err)
	}
	if err := c.Nodes[0].Acknowledge(t.Context(), "mail", successor, first.Position, 3); err != nil {
		t.Fatal(err)
	}
	if err := c.Nodes[0].PutSnapshot(t.Context(), event.Snapshot{Stream: "account.kept", Name: name, Version: 2, Data: []byte("new")}); err != nil {
		t.Fatal(err)
	}
	if err := c.Nodes[0].DropSnapshot(t.Context(), "account.dropped", name); err != nil {
		t.Fatal(err)
	}
	erased(t, c.Nodes[0])

	c.StartNode(2)
	started := time.Now()
	stop := keepLoading(t, c, "meanwhile", 4)
	if receipt, err := c.Nodes[0].Append(t.Context(), opened("account.back", 0)); err != nil {
		t.Error(err)
	} else {
		arrives(t, c, receipt.Position) // while the others go on
	}
	took := time.Since(started)
	meanwhile, last := stop()
	wait(t, c, last.Position)
	t.Logf("%d appends were missed, and caught up with in %s while %d more were made", clients*each, took.Round(time.Millisecond), meanwhile)
	if status, err := c.Nodes[2].Status(t.Context()); err != nil || status.Counters["catch_ups"] == 0 {
		t.Errorf("got %d catch-ups and error %v: the node learnt what it missed otherwise", status.Counters["catch_ups"], err)
	}
	sameLogs(t, c, clients*each+1+meanwhile)
	back := c.Nodes[2].Store
	if sub, err := back.Subscriber(t.Context(), "mail"); err != nil || sub.Worker != successor || sub.Cursor != first.Position {
		t.Errorf("got subscriber %+v and error %v, want worker %s at %s", sub, err, successor, first.Position)
	}
	if shot, err := back.Snapshot(t.Context(), "account.kept", name); err != nil || string(shot.Data) != "new" {
		t.Errorf("got snapshot %q and error %v, want the new one", shot.Data, err)
	}
	if _, err := back.Snapshot(t.Context(), "account.dropped", name); err == nil {
		t.Error("got the snapshot that was dropped")
	}
	duplicate(t, c, first)
}

// mostWaits is how often a read that has waited in vain is repeated: each waits for half a minute.
const mostWaits = 20

// arrives is wait for a node that has a long way to go: longer than a read waits.
func arrives(t *testing.T, c *nodetest.Cluster, p event.Position) {
	t.Helper()
	var err error
	for range mostWaits {
		if _, err = c.Nodes[2].Read(t.Context(), event.ReadArgs{Consistency: event.AtLeast, MinPosition: p, Limit: 1}); !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	if err != nil {
		t.Fatalf("node 3 never came to %s: %v", p, err)
	}
	wait(t, c, p)
}

// loading is clients that append through the first two nodes.
type loading struct {
	cluster *nodetest.Cluster
	stream  string

	mu   sync.Mutex
	done int
	last event.Receipt
}

// append makes the i-th append of a client.
func (l *loading) append(t *testing.T, client, i int) bool {
	a := opened(event.Stream(fmt.Sprintf("account.%s-%d", l.stream, client%5)), i)
	a.RequestID = fmt.Sprintf("%s-%d-%d", l.stream, client, i)
	receipt, err := l.cluster.Nodes[client%2].Append(t.Context(), a)
	if err != nil {
		t.Error(err)
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	if receipt.Position > l.last.Position {
		l.last = receipt
	}
	return true
}

// load appends from several clients at once, and returns the last receipt.
func load(t *testing.T, c *nodetest.Cluster, stream string, clients, each int) event.Receipt {
	t.Helper()
	l := &loading{cluster: c, stream: stream}
	var running sync.WaitGroup
	for client := range clients {
		running.Go(func() {
			for i := 0; i < each && l.append(t, client, i); i++ {
			}
		})
	}
	running.Wait()
	return l.last
}

// keepLoading does so until stop is called, which returns how many appends were made, and the last receipt.
func keepLoading(t *testing.T, c *nodetest.Cluster, stream string, clients int) (stop func() (int, event.Receipt)) {
	t.Helper()
	l := &loading{cluster: c, stream: stream}
	var running sync.WaitGroup
	enough := make(chan struct{})
	for client := range clients {
		running.Go(func() {
			for i := 0; l.append(t, client, i); i++ {
				select {
				case <-enough:
					return
				default:
				}
			}
		})
	}
	return func() (int, event.Receipt) {
		close(enough)
		running.Wait()
		return l.done, l.last
	}
}

// erased waits until a node has closed the past.
func erased(t *testing.T, n *nodetest.Member) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		status, err := n.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if status.Counters["erasures"] > 2 {
			return
		}
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			t.Fatal("nothing was erased")
		}
	}
}

// sameLogs compares all nodes' logs, event by event.
func sameLogs(t *testing.T, c *nodetest.Cluster, want int) {
	t.Helper()
	first := log(t, c.Nodes[0])
	if len(first) != want {
		t.Errorf("got %d events, want %d", len(first), want)
	}
	for i, m := range c.Nodes[1:] {
		other := log(t, m)
		if len(other) != len(first) {
			t.Errorf("node %d has %d events, node 1 has %d", i+2, len(other), len(first))
			continue
		}
		for j := range other {
			if !same(other[j], first[j]) {
				t.Errorf("node %d has %+v at %s, node 1 has %+v", i+2, other[j], first[j].Position, first[j])
				break
			}
		}
	}
}

// duplicate repeats a request at the node that caught up: it must know what became of it.
func duplicate(t *testing.T, c *nodetest.Cluster, first event.Receipt) {
	t.Helper()
	outcome, err := c.Nodes[2].Outcome(t.Context(), first.RequestID)
	if err != nil || !outcome.Committed || outcome.Position != first.Position {
		t.Errorf("got outcome %+v and error %v, want it committed at %s", outcome, err, first.Position)
	}
}
