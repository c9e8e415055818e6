package node_test

import (
	"errors"
	"testing"

	"natsaccord/event"
	"natsaccord/node"
	"natsaccord/node/nodetest"
)

// TestDistrustedNode refuses whoever asks for more than a look, and goes on voting.
func TestDistrustedNode(t *testing.T) {
	c := nodetest.New(t, 3)
	alone, _ := single(t)
	for name, n := range map[string]*node.Node{"of three": c.Nodes[1].Node, "single": alone} {
		if _, err := n.Append(t.Context(), opened("account.1", 1)); err != nil {
			t.Fatal(err)
		}
		n.Distrust(true)
		if s, err := n.Status(t.Context()); err != nil || s.State != "diverged" {
			t.Errorf("%s: got %+v, %v", name, s, err)
		}
		if _, err := n.Append(t.Context(), opened("account.1", 2)); !errors.Is(err, event.ErrDiverged) {
			t.Errorf("%s: append: got %v", name, err)
		}
		for _, consistency := range []event.Consistency{"", event.Frontier, event.AtLeast, event.Linearizable} {
			if _, err := n.Read(t.Context(), event.ReadArgs{Category: "account", Consistency: consistency}); !errors.Is(err, event.ErrDiverged) {
				t.Errorf("%s: read %s: got %v", name, consistency, err)
			}
		}
		for what, err := range lookedUp(t, n) {
			if !errors.Is(err, event.ErrDiverged) {
				t.Errorf("%s: %s: got %v", name, what, err)
			}
		}
		if page, err := n.Read(t.Context(), event.ReadArgs{Category: "account", Consistency: event.Local}); err != nil || len(page.Events) != 1 {
			t.Errorf("%s: local read: got %+v, %v", name, page, err)
		}
	}
	c.StopNode(2) // so that there is no majority without its vote
	if _, err := c.Nodes[0].Append(t.Context(), opened("account.2", 3)); err != nil {
		t.Errorf("through another node: got %v, want it committed with the vote of the one that is not trusted", err)
	}
	c.Nodes[1].Distrust(false)
	if page, err := c.Nodes[1].Read(t.Context(), event.ReadArgs{Stream: "account.2"}); err != nil || len(page.Events) != 1 {
		t.Errorf("trusted again: got %+v, %v", page, err)
	}
}

// lookedUp asks a node for all that it tells of its log and of what stands beside it, and returns the errors.
func lookedUp(t *testing.T, n *node.Node) map[string]error {
	_, head := n.Head(t.Context(), "account.1")
	_, outcome := n.Outcome(t.Context(), "r")
	_, count := n.Count(t.Context(), event.ReadArgs{})
	_, snapshot := n.Snapshot(t.Context(), "account.1", "s")
	_, subscriber := n.Subscriber(t.Context(), "k")
	_, subscribers := n.Subscribers(t.Context(), "", 0)
	return map[string]error{"head": head, "outcome": outcome, "count": count, "snapshot": snapshot, "subscriber": subscriber, "subscribers": subscribers}
}
