package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/embeddednats"
	"natsaccord/event"
)

// connected stands for a cluster somewhere: it returns a connection to one in this process.
func connected() (*nats.Conn, func()) {
	server, err := embeddednats.Start(context.Background(), embeddednats.Config{})
	if err != nil {
		log.Fatal(err)
	}
	closed := make(chan struct{})
	nc, err := nats.Connect("", nats.InProcessServer(server), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		log.Fatal(err)
	}
	service, err := bus.NewService(nc, bus.ServiceConfig{Subjects: bus.Subjects{Cluster: "example"}, Node: "n1"}, newBackend())
	if err != nil {
		log.Fatal(err)
	}
	return nc, func() {
		if err := service.Stop(); err != nil {
			log.Print(err)
		}
		nc.Close()
		<-closed
		server.Shutdown()
	}
}

func Example() {
	nc, end := connected()
	defer end()
	ctx := context.Background()

	c, err := client.New(nc, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	open := event.Append{
		Conditions: []event.Condition{{Stream: "account.7", Expect: event.ExpectNone}},
		Events: []event.Event{
			{Stream: "account.7", Type: "Opened", Data: []byte(`{"owner":"ada"}`)},
			{Stream: "account.7", Type: "Credited", Data: []byte(`{"amount":100}`)},
		},
	}
	receipt, err := c.Append(ctx, open)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s is at version %d\n", receipt.Streams[0].Stream, receipt.Streams[0].Version)

	_, err = c.Append(ctx, open)
	if conflict, ok := errors.AsType[*event.ConflictError](err); ok {
		fmt.Printf("wanted version %d, found %d\n", conflict.Want, conflict.Have)
	}

	for e, err := range c.Events(ctx, event.ReadArgs{Stream: "account.7"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Version, e.Type, string(e.Data))
	}
	// Output:
	// account.7 is at version 2
	// wanted version 0, found 2
	// 1 Opened {"owner":"ada"}
	// 2 Credited {"amount":100}
}
