package client

import (
	"context"

	"github.com/oklog/ulid/v2"

	"natsaccord/bus"
	"natsaccord/event"
)

// subscriber asks about, or for, a named subscriber. All of its operations may be repeated.
func (c *Client) subscriber(ctx context.Context, op string, request bus.SubscriberRequest) (bus.SubscriberReply, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	var reply bus.SubscriberReply
	err := c.retry(ctx, func(ctx context.Context) error { return c.ask(ctx, c.subjects.Subscriber(op), request, &reply) })
	return reply, err
}

// SubscriberCursor implements event.Executor.
func (c *Client) SubscriberCursor(ctx context.Context, key string) (event.Position, error) {
	reply, err := c.subscriber(ctx, "get", bus.SubscriberRequest{Key: key})
	return event.Position(reply.Cursor), err
}

// IsSubscriberRunning implements event.Executor.
func (c *Client) IsSubscriberRunning(ctx context.Context, key string, worker ulid.ULID) (bool, error) {
	reply, err := c.subscriber(ctx, "get", bus.SubscriberRequest{Key: key, Worker: worker.String()})
	return reply.Running, err
}

// UpsertSubscriber implements event.Executor.
func (c *Client) UpsertSubscriber(ctx context.Context, key string, worker ulid.ULID) error {
	_, err := c.subscriber(ctx, "claim", bus.SubscriberRequest{Key: key, Worker: worker.String()})
	return err
}

// Acknowledge implements event.Executor.
func (c *Client) Acknowledge(ctx context.Context, key string, worker ulid.ULID, position event.Position, lag uint64) error {
	_, err := c.subscriber(ctx, "ack", bus.SubscriberRequest{Key: key, Worker: worker.String(), Position: string(position), Lag: lag})
	return err
}

// snapshot asks for, or about, a snapshot. All of its operations may be repeated.
func (c *Client) snapshot(ctx context.Context, op string, request bus.SnapshotMessage) (bus.SnapshotMessage, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	var reply bus.SnapshotMessage
	err := c.retry(ctx, func(ctx context.Context) error { return c.ask(ctx, c.subjects.Snapshot(op), request, &reply) })
	return reply, err
}

// Snapshot implements event.Executor.
func (c *Client) Snapshot(ctx context.Context, stream event.Stream, name string) (event.Snapshot, error) {
	reply, err := c.snapshot(ctx, "get", bus.SnapshotMessage{Stream: string(stream), Name: name})
	if err != nil {
		return event.Snapshot{}, err
	}
	return event.Snapshot{Stream: stream, Name: name, Version: reply.Version, Data: append([]byte{}, reply.DataBase64...)}, nil
}

// PutSnapshot implements event.Executor.
func (c *Client) PutSnapshot(ctx context.Context, s event.Snapshot) error {
	_, err := c.snapshot(ctx, "put", bus.SnapshotMessage{Stream: string(s.Stream), Name: s.Name, Version: s.Version, DataBase64: s.Data})
	return err
}

// DropSnapshot implements event.Executor.
func (c *Client) DropSnapshot(ctx context.Context, stream event.Stream, name string) error {
	_, err := c.snapshot(ctx, "drop", bus.SnapshotMessage{Stream: string(stream), Name: name})
	return err
}
