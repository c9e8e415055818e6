package node_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/event/eventtest"
	"natsaccord/node/nodetest"
)

func TestExecutor(t *testing.T) {
	c := nodetest.New(t, 3)
	eventtest.Exercise(t, func(*testing.T) event.Executor { return c.Nodes[1] })
}

func TestFastPathTakesOneRound(t *testing.T) {
	// However slow this machine is just now, all votes are waited for.
	c := nodetest.NewTuned(t, 3, accord.Config{FastWaitMin: 30 * accord.Second, FastWaitMax: 30 * accord.Second})
	receipt, err := c.Nodes[0].Append(t.Context(), opened("account.1", 1))
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Path != "fast" {
		t.Errorf("got path %s, want fast", receipt.Path)
	}
	wait(t, c, receipt.Position)
	for name, want := range map[string]uint64{"submitted": 1, "fast": 1, "accepts": 0, "commits": 0, "slow": 0, "recovered": 0} {
		if got := counted(t, c, name); got != want {
			t.Errorf("the nodes counted %s %d times, want %d", name, got, want)
		}
	}
}

// In mode G four of five nodes decide in one round, whichever the four are.
func TestFourOfFiveDecide(t *testing.T) {
	c := nodetest.NewTuned(t, 5, accord.Config{FastQuorum: 4, FastWaitMin: 30 * accord.Second, FastWaitMax: 30 * accord.Second})
	c.StopNode(4)
	receipt, err := c.Nodes[0].Append(t.Context(), opened("account.1", 1))
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Path != "fast" {
		t.Errorf("got path %s, want fast", receipt.Path)
	}
}

func TestExecutorInModeG(t *testing.T) {
	c := nodetest.NewTuned(t, 5, accord.Config{FastQuorum: 4})
	eventtest.Exercise(t, func(*testing.T) event.Executor { return c.Nodes[1] })
}

// TestNodesSyncOncePerGroup makes many appends at once that cannot share transactions, so that what makes syncs few is that
// the records of many transactions are synced together.
func TestNodesSyncOncePerGroup(t *testing.T) {
	c := nodetest.New(t, 3)
	before := make([]uint64, 3)
	for i, m := range c.Nodes {
		before[i] = m.Store.Syncs()
	}
	const appends = 256
	var running sync.WaitGroup
	for i := range appends {
		running.Go(func() {
			a := opened(event.Stream(fmt.Sprintf("account.%d", i)), i)
			a.Absent = &event.Absence{Items: []event.Match{{Tags: []string{fmt.Sprint("nobody-has-", i)}}}}
			if _, err := c.Nodes[i%3].Append(t.Context(), a); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if started := counted(t, c, "fast") + counted(t, c, "slow") + counted(t, c, "recovered"); started < appends {
		t.Fatalf("%d appends took %d transactions, want one each", appends, started)
	}
	for i, m := range c.Nodes {
		// Each append brings every node at least two records, of a vote and of a decision.
		if syncs := m.Store.Syncs() - before[i]; syncs > appends/2 {
			t.Errorf("node %d synced %d times for %d appends", i+1, syncs, appends)
		} else {
			t.Logf("node %d synced %d times for %d appends", i+1, syncs, appends)
		}
	}
}

// counted sums up a counter of all nodes.
func counted(t *testing.T, c *nodetest.Cluster, name string) (sum uint64) {
	t.Helper()
	for _, m := range c.Nodes {
		status, err := m.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum += status.Counters[name]
	}
	return sum
}

func TestSameExpectedVersionHasOneWinner(t *testing.T) {
	c := nodetest.New(t, 3)
	for round := range uint64(20) {
		errs := make([]error, 3)
		var running sync.WaitGroup
		for i := range errs {
			running.Go(func() {
				a := opened("account.1", i)
				a.Conditions = []event.Condition{{Stream: "account.1", Expect: event.Expect(round)}}
				_, errs[i] = c.Nodes[i].Append(t.Context(), a)
			})
		}
		running.Wait()
		won := 0
		for _, err := range errs {
			conflict, lost := errors.AsType[*event.ConflictError](err)
			switch {
			case err == nil:
				won++
			case !lost || conflict.Want != event.Expect(round) || conflict.Have != round+1:
				t.Errorf("round %d: got %v, want a conflict", round, err)
			}
		}
		if won != 1 {
			t.Fatalf("round %d: %d appends won, want 1", round, won)
		}
	}
}

func TestStaleCheckWritesNothing(t *testing.T) {
	c := nodetest.New(t, 3)
	if _, err := c.Nodes[0].Append(t.Context(), opened("account.1", 1)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Nodes[1].Append(t.Context(), event.Append{
		Conditions: []event.Condition{{Stream: "account.1", Expect: 0}, {Stream: "account.2", Expect: 0}},
		Events:     []event.Event{opened("account.1", 2).Events[0], opened("account.2", 2).Events[0]},
	})
	if _, conflict := errors.AsType[*event.ConflictError](err); !conflict {
		t.Fatalf("got %v, want a conflict", err)
	}
	for stream, want := range map[event.Stream]uint64{"account.1": 1, "account.2": 0} {
		for i, m := range c.Nodes {
			if head, err := m.Head(t.Context(), stream); err != nil || head.Version != want {
				t.Errorf("node %d has %s at %d (%v), want %d", i+1, stream, head.Version, err, want)
			}
		}
	}
}

func TestOneNodeDown(t *testing.T) {
	c := nodetest.New(t, 3)
	if _, err := c.Nodes[2].Append(t.Context(), opened("account.1", 0)); err != nil {
		t.Fatal(err)
	}
	c.StopNode(2)
	var last event.Position
	for i := range 30 {
		receipt, err := c.Nodes[i%2].Append(t.Context(), opened("account.1", i+1))
		if err != nil {
			t.Fatal(err)
		}
		if receipt.Path != "slow" {
			t.Errorf("got path %s with a node down, want slow", receipt.Path)
		}
		last = receipt.Position
	}
	c.StartNode(2)
	receipt, err := c.Nodes[2].Append(t.Context(), opened("account.1", 31))
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Streams[0].Version != 32 {
		t.Errorf("got version %d from the node that was down, want 32", receipt.Streams[0].Version)
	}
	wait(t, c, max(last, receipt.Position))
	first := log(t, c.Nodes[0])
	if len(first) != 32 {
		t.Fatalf("got %d events, want 32", len(first))
	}
	for i, m := range c.Nodes[1:] {
		if other := log(t, m); len(other) != len(first) || !same(other[31], first[31]) || !same(other[0], first[0]) {
			t.Errorf("node %d has another log", i+2)
		}
	}
}

func TestNoQuorumProposesNothingAndRecovers(t *testing.T) {
	c := nodetest.New(t, 3)
	c.StopNode(1)
	c.StopNode(2)
	a := opened("account.1", 1)
	a.RequestID, a.Timeout = "lonely", 100_000_000
	_, err := c.Nodes[0].Append(t.Context(), a)
	unknown, ok := errors.AsType[*event.UnknownError](err)
	if !ok || unknown.RequestID != "lonely" || unknown.TxnID == "" {
		t.Fatalf("got %v, want an unknown outcome with its ids", err)
	}
	c.StartNode(1)
	a.Timeout = 0
	receipt, err := c.Nodes[1].Append(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if head, err := c.Nodes[0].Head(t.Context(), "account.1"); err != nil || head.Version != 1 {
		t.Errorf("got %+v, %v, want the request once", head, err)
	}
	t.Log(receipt.Duplicate, receipt.Path)
}

func TestDeadCoordinatorBlocksNobody(t *testing.T) {
	c := nodetest.New(t, 3)
	// Node 1 proposes, is heard, and hears nothing any more.
	c.Cut(1, 0, true)
	c.Cut(2, 0, true)
	a := opened("account.1", 1)
	a.RequestID, a.Timeout = "orphan", 50_000_000
	if _, err := c.Nodes[0].Append(t.Context(), a); err == nil {
		t.Fatal("got a receipt without a quorum")
	}
	c.StopNode(0)
	receipt, err := c.Nodes[1].Append(t.Context(), opened("account.1", 2))
	if err != nil {
		t.Fatal(err)
	}
	a.Timeout = 0
	again, err := c.Nodes[2].Append(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	head, err := c.Nodes[2].Head(t.Context(), "account.1")
	if err != nil || head.Version != 2 {
		t.Errorf("got %+v, %v after %s and %s, want each request once", head, err, receipt.Position, again.Position)
	}
}
