package client

import (
	"context"

	"github.com/oklog/ulid/v2"

	"natsaccord/bus"
	"natsaccord/event"
)

// subscriber makes one try of a request about a named subscriber.
func (c *Client) subscriber(op string, request bus.SubscriberRequest, reply *bus.SubscriberReply) attempt {
	subject := c.on(c.subjects.Subscriber(op), "subscriber."+op)
	return func(ctx context.Context) error {
		if err := unsent(ctx); err != nil {
			return err
		}
		return c.ask(ctx, query{subject, request, reply, &reply.Type, bus.TypeSubscriberReply, nil})
	}
}

// readSubscriber asks where a subscriber is, and whether worker is its current worker.
func (c *Client) readSubscriber(ctx context.Context, request bus.SubscriberRequest) (bus.SubscriberReply, error) {
	ctx, cancel := c.bounded(ctx, 0)
	defer cancel()
	var reply bus.SubscriberReply
	err := c.read(ctx, 0, c.subscriber("get", request, &reply))
	return reply, err
}

// Subscriber implements event.Subscriptions.
func (c *Client) Subscriber(ctx context.Context, key string) (event.Subscriber, error) {
	reply, err := c.readSubscriber(ctx, bus.SubscriberRequest{Key: key})
	if err != nil {
		return event.Subscriber{}, err
	}
	return reply.Subscriber()
}

// Subscribers implements event.Subscriptions. It tells what one node has applied.
func (c *Client) Subscribers(ctx context.Context, after string, limit int) ([]event.Subscriber, error) {
	ctx, cancel := c.bounded(ctx, 0)
	defer cancel()
	subject := c.on(c.subjects.Subscriber("list"), "subscriber.list")
	var reply bus.SubscriberListReply
	err := c.read(ctx, 0, func(ctx context.Context) error {
		return c.ask(ctx, query{subject, bus.SubscriberListRequest{After: after, Limit: limit}, &reply, &reply.Type, bus.TypeSubscriberList, nil})
	})
	if err != nil {
		return nil, err
	}
	found := make([]event.Subscriber, len(reply.Subscribers))
	for i := range found {
		if found[i], err = reply.Subscribers[i].Subscriber(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// SubscriberCursor implements event.Executor.
func (c *Client) SubscriberCursor(ctx context.Context, key string) (event.Position, error) {
	reply, err := c.readSubscriber(ctx, bus.SubscriberRequest{Key: key})
	return event.Position(reply.Cursor), err
}

// IsSubscriberRunning implements event.Executor.
func (c *Client) IsSubscriberRunning(ctx context.Context, key string, worker ulid.ULID) (bool, error) {
	reply, err := c.readSubscriber(ctx, bus.SubscriberRequest{Key: key, Worker: worker.String()})
	return reply.Running, err
}

// changeSubscriber makes one try after another until one may have arrived. invalid is what checking the request
// came to.
func (c *Client) changeSubscriber(ctx context.Context, op string, request bus.SubscriberRequest, invalid error) error {
	if invalid != nil {
		return invalid
	}
	ctx, cancel := c.bounded(ctx, 0)
	defer cancel()
	return c.command(ctx, c.subscriber(op, request, &bus.SubscriberReply{}))
}

// UpsertSubscriber implements event.Executor.
func (c *Client) UpsertSubscriber(ctx context.Context, key string, worker ulid.ULID) error {
	_, err := event.NewClaim(key, worker)
	return c.changeSubscriber(ctx, "claim", bus.SubscriberRequest{Key: key, Worker: worker.String()}, err)
}

// Acknowledge implements event.Executor.
func (c *Client) Acknowledge(ctx context.Context, key string, worker ulid.ULID, position event.Position, lag uint64) error {
	_, err := event.NewAck(key, worker, position, lag)
	request := bus.SubscriberRequest{Key: key, Worker: worker.String(), Position: string(position), Lag: lag}
	return c.changeSubscriber(ctx, "ack", request, err)
}

// TakeOver implements event.Subscriptions.
func (c *Client) TakeOver(ctx context.Context, key string, worker, previous ulid.ULID) error {
	_, err := event.NewTakeOver(key, worker, previous)
	return c.changeSubscriber(ctx, "claim", bus.NewTakeOverRequest(key, worker, previous), err)
}

// ResetSubscriber implements event.Subscriptions.
func (c *Client) ResetSubscriber(ctx context.Context, key string, position event.Position) error {
	_, err := event.NewReset(key, position)
	return c.changeSubscriber(ctx, "reset", bus.SubscriberRequest{Key: key, Position: string(position)}, err)
}

// Count implements event.Subscriptions.
func (c *Client) Count(ctx context.Context, args event.ReadArgs) (uint64, error) {
	if err := checkRead(args); err != nil {
		return 0, err
	}
	request := bus.NewReadRequest(args)
	request.Stream, request.Category = string(args.Stream), args.Category
	if args.Stream != "" {
		request.Category = ""
	}
	ctx, cancel := c.bounded(ctx, 0)
	defer cancel()
	var reply bus.CountReply
	err := c.read(ctx, 0, func(ctx context.Context) error {
		return c.ask(ctx, query{c.on(c.subjects.Count(), "count"), request, &reply, &reply.Type, bus.TypeCountReply, nil})
	})
	return reply.Count, err
}
