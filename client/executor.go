package client

import (
	"context"

	"natsaccord/bus"
	"natsaccord/event"
)

// snapshot makes one try of a request about a snapshot.
func (c *Client) snapshot(op string, request bus.SnapshotMessage, reply *bus.SnapshotMessage) attempt {
	subject := c.on(c.subjects.Snapshot(op), "snapshot."+op)
	return func(ctx context.Context) error {
		if err := unsent(ctx); err != nil {
			return err
		}
		return c.ask(ctx, query{subject, request, reply, &reply.Type, bus.TypeSnapshotReply, nil})
	}
}

// Snapshot implements event.Executor.
func (c *Client) Snapshot(ctx context.Context, stream event.Stream, name string) (event.Snapshot, error) {
	ctx, cancel := c.bounded(ctx, 0)
	defer cancel()
	var reply bus.SnapshotMessage
	if err := c.read(ctx, 0, c.snapshot("get", bus.SnapshotMessage{Stream: string(stream), Name: name}, &reply)); err != nil {
		return event.Snapshot{}, err
	}
	return event.Snapshot{Stream: stream, Name: name, Version: reply.Version, Data: reply.DataBase64}, nil
}

// changeSnapshot puts or drops. invalid is what checking the request came to.
func (c *Client) changeSnapshot(ctx context.Context, op string, request bus.SnapshotMessage, invalid error) error {
	if invalid != nil {
		return invalid
	}
	ctx, cancel := c.bounded(ctx, 0)
	defer cancel()
	return c.command(ctx, c.snapshot(op, request, &bus.SnapshotMessage{}))
}

// PutSnapshot implements event.Executor.
func (c *Client) PutSnapshot(ctx context.Context, s event.Snapshot) error {
	_, err := event.NewPutSnapshot(s, unlimited())
	request := bus.SnapshotMessage{Stream: string(s.Stream), Name: s.Name, Version: s.Version, DataBase64: s.Data}
	return c.changeSnapshot(ctx, "put", request, err)
}

// DropSnapshot implements event.Executor.
func (c *Client) DropSnapshot(ctx context.Context, stream event.Stream, name string) error {
	_, err := event.NewDropSnapshot(stream, name)
	return c.changeSnapshot(ctx, "drop", bus.SnapshotMessage{Stream: string(stream), Name: name}, err)
}
