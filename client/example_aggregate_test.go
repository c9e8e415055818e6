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

// account is what the events of an account come to.
type account struct {
	Balance int
}

type amount struct {
	Amount int `json:"amount"`
}

var errNoMoney = errors.New("not enough money")

func evolve(a account, e event.Event) (account, error) {
	var moved amount
	if err := json.Unmarshal(e.Data, &moved); err != nil {
		return a, err
	}
	switch e.Type {
	case "Deposited":
		a.Balance += moved.Amount
	case "Withdrawn":
		a.Balance -= moved.Amount
	}
	return a, nil
}

func withdraw(n int) func(client.State[account]) ([]event.Event, error) {
	return func(s client.State[account]) ([]event.Event, error) {
		if s.Value.Balance < n {
			return nil, errNoMoney
		}
		return []event.Event{{Type: "Withdrawn", Data: fmt.Appendf(nil, `{"amount":%d}`, n)}}, nil
	}
}

func ExampleAggregate() {
	nc, end := connected()
	defer end()
	ctx := context.Background()
	c, err := client.New(nc, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Write(ctx, []event.Event{{Stream: "account.7", Type: "Deposited", Data: []byte(`{"amount":100}`)}}); err != nil {
		log.Fatal(err)
	}

	accounts := client.Aggregate[account]{Evolve: evolve, Snapshot: "account-v1"}
	for range 2 {
		receipt, err := accounts.Decide(ctx, c, "account.7", withdraw(60))
		if errors.Is(err, errNoMoney) {
			fmt.Println("refused:", err)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("withdrawn, version", receipt.Streams[0].Version)
	}

	state, err := accounts.Load(ctx, c, "account.7")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("balance", state.Value.Balance)
	// Output:
	// withdrawn, version 2
	// refused: not enough money
	// balance 40
}

// The same order may be sent twice, by a customer who is impatient: it is paid once.
func ExampleAggregate_DecideOnce() {
	nc, end := connected()
	defer end()
	ctx := context.Background()
	c, err := client.New(nc, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Write(ctx, []event.Event{{Stream: "account.7", Type: "Deposited", Data: []byte(`{"amount":100}`)}}); err != nil {
		log.Fatal(err)
	}
	accounts := client.Aggregate[account]{Evolve: evolve}

	for range 2 {
		receipt, err := accounts.DecideOnce(ctx, c, "order-1729", "account.7", withdraw(60))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("paid by version", receipt.Streams[0].Version, "duplicate", receipt.Duplicate)
	}
	// Output:
	// paid by version 2 duplicate false
	// paid by version 2 duplicate true
}

func ExampleLoad() {
	nc, end := connected()
	defer end()
	ctx := context.Background()
	c, err := client.New(nc, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Write(ctx, []event.Event{{Stream: "account.7", Type: "Deposited", Data: []byte(`{"amount":100}`)}}); err != nil {
		log.Fatal(err)
	}
	state, err := client.Load(ctx, c, "account.7", evolve)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("version %d, balance %d\n", state.Version, state.Value.Balance)
	// Output:
	// version 1, balance 100
}
