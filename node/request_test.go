package node_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"natsaccord/event"
	"natsaccord/node/nodetest"
)

// TestRequestsAreForEver repeats requests through every node, after all have been started anew, and after their
// transactions are forgotten: they are answered as they were the first time, and write nothing.
func TestRequestsAreForEver(t *testing.T) {
	c := nodetest.NewTuned(t, 3, forgetful())
	asked, no, other := opened("account.7", 1), opened("account.7", 2), opened("account.7", 3)
	asked.RequestID, no.RequestID, other.RequestID = "yes", "no", "yes"
	no.Conditions = []event.Condition{{Stream: "account.7", Expect: 9}}
	first, err := c.Nodes[0].Append(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	_, refusal := c.Nodes[0].Append(t.Context(), no)
	if _, ok := errors.AsType[*event.ConflictError](refusal); !ok {
		t.Fatalf("got %v, want a conflict", refusal)
	}
	repeat := func(when string) {
		t.Helper()
		for i, n := range c.Nodes {
			want := first
			want.Duplicate, want.Path = true, ""
			if got, err := n.Append(t.Context(), asked); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, through node %d: got %+v, %v, want %+v", when, i, got, err, want)
			}
			_, err := n.Append(t.Context(), no)
			if conflict, ok := errors.AsType[*event.ConflictError](err); !ok || !conflict.Duplicate || err.Error() != refusal.Error() {
				t.Errorf("%s, through node %d: got %v, want %v", when, i, err, refusal)
			}
			_, err = n.Append(t.Context(), other)
			if reused, ok := errors.AsType[*event.ReusedError](err); !ok || reused.TxnID != first.TxnID {
				t.Errorf("%s, other content through node %d: got %v", when, i, err)
			}
			if head, err := n.Head(t.Context(), "account.7"); err != nil || head.Version != 1 {
				t.Errorf("%s, at node %d: got %+v, %v, want one event", when, i, head, err)
			}
		}
	}
	repeat("at once")
	for i := range c.Nodes {
		c.StopNode(i)
	}
	for i := range c.Nodes {
		c.StartNode(i)
	}
	repeat("after a restart")
	for _, n := range c.Nodes {
		forgotten(t, n, first.TxnID)
	}
	repeat("when the transaction is forgotten")
	c.StopNode(1)
	c.StartNode(1)
	repeat("when it is forgotten, after a restart")
}

// forgotten has a node prune until a transaction stands in its journal no more.
func forgotten(t *testing.T, n *nodetest.Member, txnID string) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for known := true; known; <-ticker.C {
		if _, err := n.Store.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		_, records, err := n.Store.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		known = false
		for rec, err := range records {
			if err != nil {
				t.Fatal(err)
			}
			known = known || rec.ID.String() == txnID
		}
	}
}
