package node_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"natsaccord/event"
	"natsaccord/node/nodetest"
)

// conflictOf makes an append, which has to be refused.
func conflictOf(t *testing.T, m *nodetest.Member, a event.Append) *event.ConflictError {
	t.Helper()
	_, err := m.Append(t.Context(), a)
	conflict, ok := errors.AsType[*event.ConflictError](err)
	if !ok {
		t.Fatalf("got %v, want a conflict", err)
	}
	return conflict
}

// TestConflictNamesTheHome: by whichever node and however an append is refused, it is told through which node the stream's last
// event came.
func TestConflictNamesTheHome(t *testing.T) {
	c := nodetest.New(t, 3)
	for at, m := range c.Nodes {
		stream, home := event.Stream(fmt.Sprint("account.", at)), fmt.Sprint("n", at+1)
		receipt, err := m.Append(t.Context(), opened(stream, -1))
		if err != nil {
			t.Fatal(err)
		}
		wait(t, c, receipt.Position)
		for i, other := range c.Nodes {
			past, ahead := demanding(stream, 0), demanding(stream, 7)
			if conflict := conflictOf(t, other, past); !conflict.Early || conflict.Node != home {
				t.Errorf("node %d: what is past: got %+v, want %s", i+1, conflict, home)
			}
			for range 2 { // and once more, as a duplicate
				if conflict := conflictOf(t, other, ahead); conflict.Early || conflict.Node != home {
					t.Errorf("node %d: what is ahead: got %+v, want %s", i+1, conflict, home)
				}
			}
		}
	}
	none := demanding("account.none", 1)
	if conflict := conflictOf(t, c.Nodes[0], none); conflict.Node != "" {
		t.Errorf("a stream without events: got %+v", conflict)
	}
}

// TestHomeIsWhereTheWinnerWas has all nodes fight for a stream, so that timestamps are raised: all of them name the node of
// whoever won.
func TestHomeIsTheSameEverywhere(t *testing.T) {
	c := nodetest.New(t, 3)
	c.Vary(2 * time.Millisecond)
	for version := range uint64(15) {
		var running sync.WaitGroup
		var home atomic.Int64
		for i, m := range c.Nodes {
			running.Go(func() {
				_, err := m.Append(t.Context(), demanding("account.1", version))
				if _, conflict := errors.AsType[*event.ConflictError](err); err == nil {
					home.Store(int64(i + 1))
				} else if !conflict {
					t.Error(err)
				}
			})
		}
		running.Wait()
		head, err := c.Nodes[0].Head(t.Context(), "account.1")
		if err != nil {
			t.Fatal(err)
		}
		wait(t, c, head.Position)
		for i, m := range c.Nodes {
			if got := conflictOf(t, m, demanding("account.1", version)).Node; got != fmt.Sprint("n", home.Load()) {
				t.Errorf("version %d: node %d names %q, and it came through n%d", version+1, i+1, got, home.Load())
			}
		}
	}
}

func TestSingleNodeHasNoHome(t *testing.T) {
	n, _ := single(t)
	if _, err := n.Append(t.Context(), opened("account.1", -1)); err != nil {
		t.Fatal(err)
	}
	if conflict := conflictOf(t, &nodetest.Member{Node: n}, demanding("account.1", 0)); conflict.Node != "" {
		t.Errorf("got %+v", conflict)
	}
}
