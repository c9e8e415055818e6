package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"

	"natsaccord/client"
	"natsaccord/event"
)

// register gives an e-mail address to a user, once.
func register(ctx context.Context, c *client.Client, user, email string) error {
	tag := "email:" + email
	_, err := c.Append(ctx, event.Append{
		Events: []event.Event{{Stream: event.StreamOf("user", user), Type: "Registered", Data: []byte("{}"), Tags: []string{tag}}},
		Absent: &event.Absence{Items: []event.Match{{Types: []string{"Registered"}, Tags: []string{tag}}}},
	})
	if exists, taken := errors.AsType[*event.ExistsError](err); taken {
		return fmt.Errorf("%s belongs to %s", email, exists.Events[0].Stream)
	}
	return err
}

// enrol enters a student for a course, if both have room: a course takes two students, and a student two courses. It
// decides on what it reads, and decides anew if others were quicker.
func enrol(ctx context.Context, c *client.Client, course, student string) error {
	const capacity = 2
	items := []event.Match{
		{Types: []string{"Enrolled"}, Tags: []string{"course:" + course}},
		{Types: []string{"Enrolled"}, Tags: []string{"student:" + student}},
	}
	for {
		var frontiers []event.Position
		for _, m := range items {
			page, err := c.Read(ctx, event.ReadArgs{Types: m.Types, Tags: m.Tags, Consistency: event.Linearizable})
			if err != nil {
				return err
			}
			if len(page.Events) >= capacity {
				return fmt.Errorf("%s is full", m.Tags[0])
			}
			frontiers = append(frontiers, page.Frontier)
		}
		_, err := c.Append(ctx, event.Append{
			Events: []event.Event{{
				Stream: event.StreamOf("enrolment", course+"-"+student), Type: "Enrolled", Data: []byte("{}"),
				Tags: []string{"course:" + course, "student:" + student},
			}},
			Absent: &event.Absence{Items: items, After: slices.Min(frontiers)},
		})
		if _, others := errors.AsType[*event.ExistsError](err); !others {
			return err
		}
	}
}

// takeOrder takes an order once, whoever sends it again, with whatever content and under whatever number: a token of the sender's says that it
// is the same.
func takeOrder(ctx context.Context, c *client.Client, order, token string) error {
	tag := "token:" + token
	_, err := c.Append(ctx, event.Append{
		Events: []event.Event{{Stream: event.StreamOf("order", order), Type: "Placed", Data: []byte("{}"), Tags: []string{tag}}},
		Absent: &event.Absence{Items: []event.Match{{Types: []string{"Placed"}, Tags: []string{tag}}}},
	})
	if exists, before := errors.AsType[*event.ExistsError](err); before {
		return fmt.Errorf("placed before, as %s", exists.Events[0].Stream)
	}
	return err
}

// A rule about two things at once, neither of which is a stream.
func Example_tags() {
	nc, end := connected()
	defer end()
	c, err := client.New(nc, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(register(context.Background(), c, "1", "ada@example.com"))
	fmt.Println(register(context.Background(), c, "2", "ada@example.com"))
	for _, try := range [][2]string{{"go", "ada"}, {"go", "bob"}, {"go", "eve"}, {"sql", "ada"}, {"c", "ada"}} {
		fmt.Println(try[1], try[0], enrol(context.Background(), c, try[0], try[1]))
	}
	fmt.Println(takeOrder(context.Background(), c, "17", "7b1e"))
	fmt.Println(takeOrder(context.Background(), c, "18", "7b1e"))
	// Output:
	// <nil>
	// ada@example.com belongs to user.1
	// ada go <nil>
	// bob go <nil>
	// eve go course:go is full
	// ada sql <nil>
	// ada c student:ada is full
	// <nil>
	// placed before, as order.17
}
