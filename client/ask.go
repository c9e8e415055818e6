package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"natsaccord/bus"
	"natsaccord/event"
)

// query is one request, and where its reply goes.
type query struct {
	subject string
	request any
	reply   any     // to decode into
	is      *string // the type that the reply says it is
	want    string  // the type that it has to be
	node    *string // who it says it is of; nil if it does not say
}

// errUnreachable says that nobody listens on a subject. Nothing was proposed.
func errUnreachable(subject string) error {
	return fmt.Errorf("client: nobody answers on %s: %w: %w", subject, event.ErrNoQuorum, nats.ErrNoResponders)
}

// ask makes one try. Errors from the other side are those of package event; event.ErrNoQuorum also means that
// there is nobody to ask, and event.ErrClosed that the connection is closed. With any other error it is not
// known whether the request arrived.
func (c *Client) ask(ctx context.Context, q query) error {
	subject, way := c.route(q.subject)
	q.subject = subject
	msg, err := c.exchange(ctx, q)
	answered, node := err == nil, ""
	if answered {
		err = q.decode(msg)
	}
	if q.node != nil {
		node = *q.node
	}
	c.learn(subject, way, answered, node, err)
	return err
}

// exchange sends a request and returns its reply.
func (c *Client) exchange(ctx context.Context, q query) (*nats.Msg, error) {
	body, err := c.encode(q.subject, q.request)
	if err != nil {
		return nil, err
	}
	msg, err := c.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: q.subject, Data: body})
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, errUnreachable(q.subject)
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return nil, fmt.Errorf("client: ask %s: %w: %w", q.subject, event.ErrNoQuorum, err)
	case err != nil:
		return nil, fmt.Errorf("client: ask %s: %w", q.subject, err)
	}
	return msg, nil
}

// encode encodes a request, and refuses one that cannot be sent.
func (c *Client) encode(subject string, request any) ([]byte, error) {
	body, err := bus.Encode(request)
	if err != nil {
		return nil, &event.InvalidError{Field: "request", Reason: err.Error()}
	}
	if limit := c.nc.MaxPayload(); limit > 0 && int64(len(body)) > limit {
		return nil, &event.TooLargeError{What: "the request in bytes", Size: len(body), Limit: int(limit)}
	}
	if c.nc.IsClosed() || c.nc.IsDraining() {
		return nil, errClosed(subject)
	}
	return body, nil
}

// decode decodes a reply, or returns the error that it is.
func (q query) decode(msg *nats.Msg) error {
	if msg.Header.Get(micro.ErrorCodeHeader) != "" {
		var refusal bus.ErrorReply
		if err := json.Unmarshal(msg.Data, &refusal); err != nil || refusal.Type != bus.TypeError {
			return fmt.Errorf("client: the reply on %s is an error without a body: %s", q.subject, msg.Header.Get(micro.ErrorHeader))
		}
		return refusal.Err()
	}
	if err := bus.DecodeReply(msg.Data, q.reply); err != nil {
		return fmt.Errorf("client: decode the reply on %s: %w", q.subject, err)
	}
	if *q.is != q.want {
		return fmt.Errorf("client: the reply on %s is of type %q, want %q", q.subject, *q.is, q.want)
	}
	return nil
}
