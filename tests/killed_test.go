package tests

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/client"
	"natsaccord/event"
)

func TestKilledNodeComesBack(t *testing.T) {
	c := start(t, sqliteStores(t))
	c.wants(c.run("import", realInput), "1419 committed")
	c.signal(2, syscall.SIGKILL)
	survivors := []*client.Client{c.at("n1"), c.at("n2")}
	var last event.Receipt
	for i := range 50 {
		receipt, err := survivors[i%2].Append(t.Context(), event.Append{Events: []event.Event{
			{Stream: event.Stream(fmt.Sprintf("after.%d", i%5)), Type: "Noted", Data: []byte(`{}`)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if receipt.Path == "fast" {
			t.Errorf("append %d took the fast path with a node down", i)
		}
		last = receipt
	}
	if last.Streams[0].Version != 10 {
		t.Errorf("got version %d, want 10", last.Streams[0].Version)
	}
	c.startNode(2)
	c.await(2)
	c.wants(c.run("verify", "--wait", "30s"), "3 nodes agree on 3785 events")
	c.run("append", "after.kill", "{}", "--node", "n3")
	c.wants(c.run("verify"), "3 nodes agree on 3786 events")
	c.votes(t)
}

// at returns a client of one node.
func (c *cluster) at(node string) *client.Client {
	c.t.Helper()
	at, err := c.client.At(node)
	if err != nil {
		c.t.Fatal(err)
	}
	return at
}

// votes appends through n1 until that takes the fast path, for which all three nodes have to vote. n1 does not wait for a
// node's vote before it has heard of it.
func (c *cluster) votes(t *testing.T) {
	t.Helper()
	n1 := c.at("n1")
	for end := time.Now().Add(time.Minute); ; {
		receipt, err := n1.Append(t.Context(), event.Append{Events: []event.Event{{Stream: "after.votes", Type: "Noted", Data: []byte(`{}`)}}})
		if err != nil {
			t.Fatal(err)
		}
		if receipt.Path == "fast" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("got path %s all the time, want the node that came back to vote", receipt.Path)
		}
	}
}

// TestKilledNodeKeepsWhatItAcknowledged kills a node while many append through it, and one of the others with it. Together with the third
// it has every event that it acknowledged, where its receipt says, and none twice.
func TestKilledNodeKeepsWhatItAcknowledged(t *testing.T) {
	c := start(t, sqliteStores(t))
	acknowledged := c.appendUntilKilled(t, 2, 200)
	c.signal(0, syscall.SIGKILL)
	c.startNode(2)
	c.await(2)
	log := c.logOf(t, "n3")
	at := make(map[ulid.ULID]event.Event, len(log))
	versions := make(map[event.Stream]uint64)
	for _, e := range log {
		if first, twice := at[e.ID]; twice {
			t.Errorf("%s stands at %s and at %s", e.ID, first.Position, e.Position)
		}
		at[e.ID] = e
		if versions[e.Stream]++; e.Version != versions[e.Stream] {
			t.Errorf("%s has version %d at %s, want %d", e.Stream, e.Version, e.Position, versions[e.Stream])
		}
	}
	for _, r := range acknowledged {
		if e := at[r.ID]; e.Position != r.Position || e.Stream != r.Stream || e.Version != r.Version {
			t.Errorf("acknowledged as %+v, and there is %+v", r, e)
		}
	}
	t.Logf("%d events were acknowledged, %d are there", len(acknowledged), len(log))
}

// appendUntilKilled appends through node i from many goroutines, kills it when it has acknowledged so many, and returns what it has.
func (c *cluster) appendUntilKilled(t *testing.T, i, enough int) (acknowledged []event.Ref) {
	t.Helper()
	node := c.at(fmt.Sprintf("n%d", i+1))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	refs := make(chan event.Ref)
	var running sync.WaitGroup
	for w := range 16 {
		running.Go(func() {
			for ctx.Err() == nil {
				a := event.Append{Events: []event.Event{{Stream: event.Stream(fmt.Sprintf("kept.%d", w%5)), Type: "Noted", Data: []byte(`{}`)}}}
				if receipt, err := node.Append(ctx, a); err == nil {
					refs <- receipt.Events[0]
				}
			}
		})
	}
	go func() { running.Wait(); close(refs) }()
	for ref := range refs {
		if acknowledged = append(acknowledged, ref); len(acknowledged) == enough {
			c.signal(i, syscall.SIGKILL)
			stop()
		}
	}
	return acknowledged
}

// logOf reads all there is through one node.
func (c *cluster) logOf(t *testing.T, node string) (log []event.Event) {
	t.Helper()
	for e, err := range c.at(node).Events(t.Context(), event.ReadArgs{Consistency: event.Linearizable, Limit: 1000}) {
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, e)
	}
	return log
}
