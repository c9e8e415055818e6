package node

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"natsaccord/event"
)

// TestCatchUpWaitEnds: a node that cannot find out what it has missed waits for so long, and no longer.
func TestCatchUpWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := New(Config{Name: "n1", Nodes: []string{"n1", "n2", "n3"}, CatchUpWait: 7 * time.Second}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		n.state.set(StateCatchingUp)
		refuse(n, event.ErrNoQuorum)
		began := time.Now()
		if err := n.overtake(t.Context()); !errors.Is(err, event.ErrNoQuorum) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("it waited for %s", took)
		}
	})
}
