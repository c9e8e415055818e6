package client

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/oklog/ulid/v2"

	"natsaccord/bus"
	"natsaccord/event"
)

// unlimited lets everything through: limits are the nodes' business.
func unlimited() event.Limits {
	return event.Limits{
		Events: math.MaxInt, Streams: math.MaxInt, EventBytes: math.MaxInt, Tags: math.MaxInt, MetadataKeys: math.MaxInt,
		MetadataBytes: math.MaxInt, AppendBytes: math.MaxInt, SnapshotBytes: math.MaxInt,
	}
}

// Append asks for an append and returns what became of it. It is tried, with one request id, for as long as that
// is safe and useful: until ctx or a.Timeout is over, or Options.Tries are used up. An *event.UnknownError leaves
// the outcome open: ask Outcome, or append the same again with the request id that it names.
func (c *Client) Append(ctx context.Context, a event.Append) (event.Receipt, error) {
	if err := event.CheckAppend(a, unlimited()); err != nil {
		return event.Receipt{}, err
	}
	ours := a.RequestID == ""
	if ours {
		a.RequestID = ulid.Make().String()
	}
	if a.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.Timeout)
		defer cancel()
	}
	ctx, cancel := c.bounded(ctx, 0)
	defer cancel()
	var receipt event.Receipt
	err := c.append(ctx, a.RequestID, func(ctx context.Context) (err error) {
		receipt, err = c.appendOnce(ctx, a)
		return err
	})
	if ours { // then nobody else can have appended it: what we repeated is not news to our caller
		receipt.Duplicate = false
		if conflict, ok := errors.AsType[*event.ConflictError](err); ok {
			conflict.Duplicate = false
		}
		if exists, ok := errors.AsType[*event.ExistsError](err); ok {
			exists.Duplicate = false
		}
	}
	return receipt, err
}

// appendOnce makes one try. The node gets a little less time than there is, so that its answer arrives.
func (c *Client) appendOnce(ctx context.Context, a event.Append) (event.Receipt, error) {
	if err := unsent(ctx); err != nil {
		return event.Receipt{}, err
	}
	deadline, _ := ctx.Deadline()
	a.Timeout = max(time.Until(deadline)*9/10, time.Millisecond)
	at, found := c.homes.find(&a)
	if !found {
		at.to = c.appendsTo()
	}
	receipt, err := c.appendAt(ctx, at, a)
	if found && errors.Is(err, nats.ErrNoResponders) { // it is down, and nothing was proposed: what was a hint costs no try
		return c.appendAt(ctx, home{to: c.shared}, a)
	}
	return receipt, err
}

// appendAt asks for an append, and learns what there is to learn about where to ask next.
func (c *Client) appendAt(ctx context.Context, at home, a event.Append) (event.Receipt, error) {
	start := time.Now()
	receipt, err := c.askAppend(ctx, at.to, a)
	took := time.Since(start)
	c.near.learn(at.to.one, took, err)
	c.homes.learn(at.node, took, err)
	return receipt, err
}

// appendsTo returns where to ask now for appends that have no home.
func (c *Client) appendsTo() target {
	if c.near.subject(c.shared.one) != c.shared.one {
		return c.nearby
	}
	return c.shared
}

// askAppend asks for an append, in one message with what else is asked for there at the same time.
func (c *Client) askAppend(ctx context.Context, to target, a event.Append) (event.Receipt, error) {
	body, err := c.encode(to.one, bus.NewTransactionRequest(a))
	if err != nil {
		return event.Receipt{}, err
	}
	reply, err := c.sender.ask(ctx, to, body)
	if err != nil {
		return event.Receipt{}, err
	}
	return receiptOf(to.one, reply)
}

// Write implements event.Executor.
func (c *Client) Write(ctx context.Context, events []event.Event) error {
	_, err := c.Append(ctx, event.Append{Events: events})
	return err
}

// Outcome returns what became of a request, by its request id or TxnID: its receipt, or the error that refused
// it; event.ErrNotFound if nobody knows it.
func (c *Client) Outcome(ctx context.Context, id string) (event.Receipt, error) {
	if err := event.ValidateRequestID(id); err != nil {
		return event.Receipt{}, err
	}
	ctx, cancel := c.bounded(ctx, 0)
	defer cancel()
	var receipt event.Receipt
	err := c.read(ctx, 0, func(ctx context.Context) error {
		var reply bus.AppendReply
		err := c.ask(ctx, query{c.on(c.subjects.Txn(id), "txn."+id), struct{}{}, &reply, &reply.Type, bus.TypeTxnReply})
		if err == nil {
			receipt, err = reply.Receipt()
		}
		return err
	})
	return receipt, err
}
