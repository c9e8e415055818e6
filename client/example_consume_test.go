package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"natsaccord/client"
	"natsaccord/event"
)

// A worker that sends invoices. Start as many of it as you like: one works, the others stand by.
func ExampleClient_Consume() {
	nc, end := connected()
	defer end()
	c, err := client.New(nc, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Append(context.Background(), event.Append{Events: []event.Event{
		{Stream: "order.1", Type: "Placed", Data: []byte(`{"customer":"ada","amount":12}`)},
		{Stream: "order.2", Type: "Placed", Data: []byte(`{"customer":"","amount":7}`)},
		{Stream: "order.2", Type: "Shipped", Data: []byte(`{}`)},
		{Stream: "order.3", Type: "Placed", Data: []byte(`{"customer":"bob","amount":30}`)},
	}})
	if err != nil {
		log.Fatal(err)
	}

	ctx, shutdown := context.WithCancel(context.Background())
	defer shutdown()
	cfg := client.ConsumeConfig{Name: "invoices", Events: event.ReadArgs{Category: "order", Types: []string{"Placed"}}}
	err = c.Consume(ctx, cfg, func(_ context.Context, e event.Event) error {
		var placed struct {
			Customer string
			Amount   int
		}
		if err := json.Unmarshal(e.Data, &placed); err != nil {
			return err
		}
		if placed.Customer == "" { // no other try will help
			return fmt.Errorf("nobody to send the invoice to: %w", client.ErrPoison)
		}
		fmt.Printf("invoice for %s: %d\n", placed.Customer, placed.Amount)
		if e.Stream == "order.3" {
			shutdown() // as SIGTERM would
		}
		return nil
	})
	if stopped, ok := errors.AsType[*client.StopError](err); ok {
		fmt.Println("stopped:", stopped.Reason)
	}

	for e, err := range c.Events(context.Background(), event.ReadArgs{Stream: "accord/parked.invoices"}) {
		if err != nil {
			log.Fatal(err)
		}
		var parked client.Parked
		if err := json.Unmarshal(e.Data, &parked); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("parked %s of %s after %d try\n", parked.Type, parked.Stream, parked.Tries)
	}
	// Output:
	// invoice for ada: 12
	// invoice for bob: 30
	// stopped: drained
	// parked Placed of order.2 after 1 try
}
