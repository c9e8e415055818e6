package main

import (
	"context"
	"log/slog"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/embeddednats"
	"natsaccord/node"
	"natsaccord/sqlstore"
)

// TestNodeJoinsAfterAnOutage has the NATS server gone while a node joins the others. It goes on, and joins when there is a server again.
func TestNodeJoinsAfterAnOutage(t *testing.T) {
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{Port: embeddednats.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	where := server.URL()
	conn, err := bus.Dial(bus.Config{Servers: []string{where}, Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: "sqlite::memory:", Node: "n1", Nodes: []string{"n1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	alone, err := node.New(node.SingleNode("n1"), nil, store)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- alone.Run(ctx) }()
	defer func() { stop(); <-ended }()
	s := &served{Node: alone}
	service, err := bus.NewService(conn.Clients, bus.ServiceConfig{Subjects: bus.Subjects{Cluster: "c"}, Node: "n1", Apart: true, Logger: slog.New(slog.DiscardHandler)}, s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = service.Stop() }() // its server may be another one

	away := conn.Clients.StatusChanged(nats.RECONNECTING)
	server.Shutdown()
	<-away
	joined, ready := make(chan error, 1), make(chan struct{})
	go func() { joined <- s.join(ctx, conn, service, func() { close(ready) }) }()
	select { // the outage outlasts a try
	case err := <-joined:
		t.Fatalf("it gave up: %v", err)
	case <-time.After(flushTry + flushTry/2):
	}
	at, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	again, err := embeddednats.Start(t.Context(), embeddednats.Config{Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Shutdown()
	if err := <-joined; err != nil {
		t.Error(err)
	}
	<-ready
	if !s.joined {
		t.Error("it does not know that it has joined")
	}
}
