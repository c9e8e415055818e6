package client

import (
	"context"
	"time"

	"natsaccord/bus"
	"natsaccord/event"
)

// digestWait is how much longer one try of Digest may take than another: a node may have to read much again.
const digestWait = 10 * time.Second

// Digest returns what a part of a node's log hashes to. The client must be one of At, since every node has a log of
// its own.
func (c *Client) Digest(ctx context.Context, q event.DigestQuery) (event.Digest, error) {
	if c.options.Node == "" {
		return event.Digest{}, &event.InvalidError{Field: "node", Reason: "is empty: a digest is of one node's log"}
	}
	ctx, cancel := c.bounded(ctx, digestWait)
	defer cancel()
	subject := c.subjects.Node(c.options.Node, "digest")
	var reply bus.DigestReply
	err := c.read(ctx, digestWait, func(ctx context.Context) error {
		return c.ask(ctx, query{subject, bus.DigestRequest(q), &reply, &reply.Type, bus.TypeDigestReply, nil})
	})
	return reply.Digest(), err
}
