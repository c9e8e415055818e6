package client_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/embeddednats"
	"natsaccord/event"
	"natsaccord/event/eventtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is a node's place in these tests: a store in memory behind the real service.
type backend struct{ *eventtest.Memory }

func (backend) Drain(context.Context) error { return nil }

func newBackend() backend { return backend{eventtest.NewMemory()} }

// world is a NATS server and a connection to it.
type world struct {
	server *embeddednats.Server
	nc     *nats.Conn
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	w := &world{server: server}
	w.nc = w.connect(t)
	return w
}

// connect returns a connection that is gone when the test is.
func (w *world) connect(t *testing.T) *nats.Conn {
	t.Helper()
	closed := make(chan struct{})
	nc, err := nats.Connect("", nats.InProcessServer(w.server), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nc.Close()
		<-closed
	})
	return nc
}

// serve answers as the node of a name.
func (w *world) serve(t *testing.T, node string, b bus.Backend) {
	t.Helper()
	nc := w.connect(t)
	service, err := bus.NewService(nc, bus.ServiceConfig{Subjects: bus.Subjects{Cluster: "test"}, Node: node}, b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := nc.Flush(); err != nil { // so that whoever asks finds it
		t.Fatal(err)
	}
}

func (w *world) client(t *testing.T, options client.Options) *client.Client {
	t.Helper()
	c, err := client.New(w.nc, options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientIsAnExecutor(t *testing.T) {
	w := newWorld(t)
	store := newBackend()
	w.serve(t, "n1", store)
	w.serve(t, "n2", store)
	eventtest.Exercise(t, func(t *testing.T) event.Executor { return w.client(t, client.Options{}) })
}

func TestPinnedClientIsAnExecutor(t *testing.T) {
	w := newWorld(t)
	w.serve(t, "n1", newBackend())
	w.serve(t, "n2", newBackend())
	eventtest.Exercise(t, func(t *testing.T) event.Executor { return w.client(t, client.Options{Node: "n2"}) })
}
