package bus_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/embeddednats"
	"natsaccord/event/eventtest"
)

// TestLeavingAnswersEveryRequest: of requests that come all the time while a node leaves none is left without an answer, which is that
// of the node, or NATS' own that nobody listens any more.
func TestLeavingAnswersEveryRequest(t *testing.T) {
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	conn, err := bus.Dial(bus.Config{Node: "n1", InProcess: server, Servers: []string{server.URL()}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	service, err := bus.NewService(conn.Clients, bus.ServiceConfig{Subjects: bus.Subjects{Cluster: "c"}, Node: "n1"}, backend{Memory: eventtest.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Clients.Flush(); err != nil {
		t.Fatal(err)
	}
	const requests, before = 5000, 1000 // and so many before the node leaves
	answers := make(chan *nats.Msg, requests)
	asked, leave := make(chan error, 1), make(chan struct{})
	nc := connect(t, server)
	inbox := nc.NewInbox()
	if _, err := nc.ChanSubscribe(inbox, answers); err != nil {
		t.Fatal(err)
	}
	go func() {
		for i := range requests {
			if i == before {
				close(leave)
			}
			if err := nc.PublishRequest("accord.v1.head.account.7", inbox, nil); err != nil {
				asked <- err
				return
			}
		}
		asked <- nc.Flush()
	}()
	<-leave
	if err := service.Stop(); err != nil {
		t.Error(err)
	}
	if err := conn.Drain(); err != nil {
		t.Error(err)
	}
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	deadline := time.After(10 * time.Second)
	for n := range requests {
		select {
		case <-answers:
		case <-deadline:
			t.Fatalf("got %d answers to %d requests", n, requests)
		}
	}
}

// connect returns a connection of a client.
func connect(t *testing.T, server *embeddednats.Server) *nats.Conn {
	t.Helper()
	closed := make(chan struct{})
	nc, err := nats.Connect("", nats.InProcessServer(server), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close(); <-closed })
	return nc
}
