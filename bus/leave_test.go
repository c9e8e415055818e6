package bus_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
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

// TestLeavingASilentServer: a node leaves soon though the server does not answer any more, and keeps its connections open.
func TestLeavingASilentServer(t *testing.T) {
	conn, err := bus.Dial(bus.Config{Node: "n1", Servers: []string{"nats://" + silenced(t)}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, nc := range []*nats.Conn{conn.Clients, conn.Peers} {
		if _, err := nc.Subscribe("a.b", func(*nats.Msg) {}); err != nil {
			t.Fatal(err)
		}
	}
	left := make(chan error, 1)
	go func() { left <- conn.Drain() }()
	select {
	case err := <-left:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(8 * time.Second):
		t.Error("it waits for an answer still")
		conn.Close()
		<-left
	}
}

// silenced returns where a server listens that lets one connect, and says nothing after that.
func silenced(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				fmt.Fprint(c, "INFO {\"server_id\":\"S\",\"version\":\"2.11.0\",\"headers\":true,\"proto\":1,\"max_payload\":1048576}\r\n")
				lines := bufio.NewScanner(c)
				for lines.Scan() && lines.Text() != "PING" {
				}
				fmt.Fprint(c, "PONG\r\n")
				_, _ = io.Copy(io.Discard, c) // until the other end closes
			})
		}
	})
	return l.Addr().String()
}
