package client_test

import (
	"testing"

	"natsaccord/client"
	"natsaccord/event"
	"natsaccord/event/eventtest"
)

// add appends an event, at whichever node the client asks.
func add(t *testing.T, c *client.Client) {
	t.Helper()
	if _, err := c.Append(t.Context(), event.Append{Events: []event.Event{{Stream: "a.1", Type: "Added", Data: []byte(`{}`)}}}); err != nil {
		t.Fatal(err)
	}
}

func TestClientWithANearNodeIsAnExecutor(t *testing.T) {
	w := newWorld(t)
	w.serve(t, "n1", newBackend())
	w.serve(t, "n2", newBackend())
	eventtest.Exercise(t, func(t *testing.T) event.Executor { return w.client(t, client.Options{Near: "n2"}) })
}

func TestNearNodeIsAskedFirst(t *testing.T) {
	w := newWorld(t)
	far, near := w.serveFaulty(t), &faulty{backend: newBackend()}
	w.serve(t, "near", near)
	c := w.client(t, client.Options{Near: "near"})
	for range 10 {
		add(t, c)
	}
	if near.called() != 10 || far.called() != 0 {
		t.Errorf("the near node was asked %d times, and the other %d times, want 10 and 0", near.called(), far.called())
	}
	if _, err := c.Status(t.Context(), ""); err != nil {
		t.Errorf("the cluster's status: %v", err)
	}
}

func TestOthersAreAskedWhereThereIsNoNearNode(t *testing.T) {
	w := newWorld(t)
	far := w.serveFaulty(t)
	c := w.client(t, client.Options{Near: "near"})
	add(t, c)
	add(t, c)
	if far.called() != 2 {
		t.Errorf("the other node was asked %d times, want 2", far.called())
	}
}

// A near node that says nothing, or refuses, is left alone for a while: it gets its share of what NATS gives to any
// node, and no more.
func TestNearNodeThatDoesNotServeIsLeftAlone(t *testing.T) {
	for name, wrong := range map[string]fault{"silent": lostRequest, "draining": fails(event.ErrDraining), "cut off": fails(event.ErrNoQuorum)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			far, near := w.serveFaulty(t), &faulty{backend: newBackend(), released: make(chan struct{}), faults: []fault{wrong}}
			w.serve(t, "near", near)
			t.Cleanup(func() { close(near.released) })
			c := w.client(t, client.Options{Near: "near", TryTimeout: short})
			const calls = 30
			for range calls {
				add(t, c)
			}
			if near.called()+far.called() != calls+1 || far.called() == 0 {
				t.Errorf("the near node was asked %d times, and the other %d times, want %d in all", near.called(), far.called(), calls+1)
			}
		})
	}
}

func TestNearNodeHasToHaveAName(t *testing.T) {
	w := newWorld(t)
	if _, err := client.New(w.nc, client.Options{Near: "a.b"}); err == nil {
		t.Error("a name of two tokens is accepted")
	}
}
