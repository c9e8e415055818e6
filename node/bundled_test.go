package node_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"natsaccord/event"
	"natsaccord/node/nodetest"
)

// TestAppendsShareTransactions has many appends wait at one node: they share transactions, and each has its own outcome.
func TestAppendsShareTransactions(t *testing.T) {
	const count = 200
	c := nodetest.New(t, 3)
	receipts, errs := make([]event.Receipt, count), make([]error, count)
	var running sync.WaitGroup
	for i := range count {
		running.Go(func() {
			a := opened(event.Stream(fmt.Sprint("account.", i/2)), 1)
			a.RequestID = fmt.Sprint("r", i)
			a.Conditions = []event.Condition{{Stream: a.Events[0].Stream, Expect: event.ExpectNone}} // so that one of two wins
			receipts[i], errs[i] = c.Nodes[0].Append(t.Context(), a)
		})
	}
	running.Wait()
	for i := range count / 2 {
		won, lost := 2*i, 2*i+1
		if errs[won] != nil {
			won, lost = lost, won
		}
		if errs[won] != nil || receipts[won].RequestID != fmt.Sprint("r", won) || len(receipts[won].Events) != 1 {
			t.Errorf("append %d: got %+v, %v", won, receipts[won], errs[won])
		}
		if conflict, ok := errors.AsType[*event.ConflictError](errs[lost]); !ok || conflict.RequestID != fmt.Sprint("r", lost) {
			t.Errorf("append %d: got %v, want a conflict", lost, errs[lost])
		}
		for n := range c.Nodes {
			checkPart(t, c, n, receipts[won])
		}
	}
	status, err := c.Nodes[0].Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if started := status.Counters["fast"] + status.Counters["slow"]; started == 0 || started >= count*3/4 {
		t.Errorf("%d appends took %d transactions", count, started)
	}
}

// checkPart asks a node, once it has applied an append, for its outcome: by the request id, and by what stands as its transaction.
func checkPart(t *testing.T, c *nodetest.Cluster, n int, want event.Receipt) {
	t.Helper()
	if _, err := c.Nodes[n].Read(t.Context(), event.ReadArgs{Stream: want.Streams[0].Stream, Consistency: event.AtLeast, MinPosition: want.Position}); err != nil {
		t.Errorf("node %d: %v", n, err)
	}
	for _, id := range []string{want.RequestID, want.TxnID} {
		got, err := c.Nodes[n].Outcome(t.Context(), id)
		if err != nil || got.Position != want.Position || got.RequestID != want.RequestID || got.TxnID != want.TxnID {
			t.Errorf("node %d, %s: got %+v, %v, want %+v", n, id, got, err, want)
		}
	}
}
