package node_test

import (
	"errors"
	"testing"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/node/nodetest"
)

// TestReadyOnceCaughtUp has a node miss appends, as many as its peers still know as transactions and more than they do. It takes
// appends as soon as it runs, and says that it is ready once it has what was acknowledged before.
func TestReadyOnceCaughtUp(t *testing.T) {
	for name, core := range map[string]accord.Config{"by transactions": {}, "by log": forgetful()} {
		t.Run(name, func(t *testing.T) {
			c := nodetest.NewTuned(t, 3, core)
			c.StopNode(2)
			const clients, each, want = 16, 25, 16 * 25
			load(t, c, "missed", clients, each)
			c.StartNode(2)
			if err := c.Nodes[2].CaughtUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, _, err := c.Nodes[2].Store.Stats(t.Context()); err != nil || got < want {
				t.Errorf("the node is ready with %d of %d events, error %v", got, want, err)
			}
			if status, err := c.Nodes[2].Status(t.Context()); err != nil || status.State != "ready" {
				t.Errorf("got the state %q, error %v", status.State, err)
			}
		})
	}
}

// TestReadyLaterThanTheOthers starts a node that has missed appends before anybody is there to tell it. It goes on asking, and is not ready
// before it has everything.
func TestReadyLaterThanTheOthers(t *testing.T) {
	c := nodetest.New(t, 3)
	c.StopNode(2)
	const clients, each, want = 16, 25, 16 * 25
	load(t, c, "missed", clients, each)
	c.StopNode(0)
	c.StopNode(1)
	c.StartNode(2)
	until(t, func() bool { // it has found out that it is alone
		status, err := c.Nodes[2].Status(t.Context())
		if err != nil || status.State != "catching_up" {
			t.Fatalf("got the state %q, error %v", status.State, err)
		}
		return status.Reason != ""
	})
	c.StartNode(0)
	c.StartNode(1)
	if err := c.Nodes[2].CaughtUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _, err := c.Nodes[2].Store.Stats(t.Context()); err != nil || got < want {
		t.Errorf("the node is ready with %d of %d events, error %v", got, want, err)
	}
}

// TestDrainedWhileCatchingUp: a node that is drained does not become ready.
func TestDrainedWhileCatchingUp(t *testing.T) {
	c := nodetest.New(t, 3)
	for i := range c.Nodes {
		c.StopNode(i)
	}
	c.StartNode(0)
	if err := c.Nodes[0].Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.StartNode(1)
	if err := c.Nodes[0].CaughtUp(t.Context()); !errors.Is(err, event.ErrDraining) {
		t.Errorf("got %v", err)
	}
	if status, err := c.Nodes[0].Status(t.Context()); err != nil || status.State != "draining" {
		t.Errorf("got the state %q, error %v", status.State, err)
	}
	if _, err := c.Nodes[0].Append(t.Context(), opened("account.1", 1)); !errors.Is(err, event.ErrDraining) {
		t.Errorf("got %v", err)
	}
}
