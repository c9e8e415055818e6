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
// is safe and useful: until ctx or a.Timeout is over, or Options.Tries are used up. The first try that tells what became
// of it does, be it the last one or an earlier one. An *event.UnknownError leaves
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
	tries := tries{sender: c.sender}
	defer tries.end()
	err := c.append(ctx, a.RequestID, func(ctx context.Context, wait time.Duration) (err error) {
		receipt, err = c.appendOnce(ctx, &tries, a, wait)
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

// appendOnce makes one try. The node gets a little less time than there is for a try, so that its answer arrives: also if we do not wait for
// so long before the next one.
func (c *Client) appendOnce(ctx context.Context, tries *tries, a event.Append, wait time.Duration) (event.Receipt, error) {
	if err := unsent(ctx); err != nil {
		return event.Receipt{}, err
	}
	deadline, _ := ctx.Deadline()
	a.Timeout = max(min(time.Until(deadline), c.options.TryTimeout)*9/10, time.Millisecond)
	to, way := c.routeAppend(&a)
	receipt, err := c.appendAt(ctx, tries, a, to, way, wait)
	if way.hint && errors.Is(err, nats.ErrNoResponders) { // it is down, and nothing was proposed: what was a hint costs no try
		to, way = c.anywhere()
		return c.appendAt(ctx, tries, a, to, way, wait)
	}
	return receipt, err
}

// appendAt makes a try at a target, in one message with what else is asked for there at the same time, and returns what became of it or of one before.
func (c *Client) appendAt(ctx context.Context, tries *tries, a event.Append, to target, way way, wait time.Duration) (event.Receipt, error) {
	body, err := c.encode(to.one, bus.NewTransactionRequest(a))
	if err != nil {
		return event.Receipt{}, err
	}
	sent := &call{to: to, way: way, body: body}
	tries.ask(sent, min(wait+time.Duration(len(body))*patienceForByte, c.options.TryTimeout))
	for {
		a := tries.next(ctx)
		receipt, err := c.received(a)
		if a.to == sent || isOutcome(err) { // of an earlier try only that counts: what else went wrong with it is why this one was made
			return receipt, err
		}
	}
}

// received returns what an answer says, and learns from it.
func (c *Client) received(a answer) (receipt event.Receipt, err error) {
	subject, way, node := a.to.to.one, a.to.way, ""
	if err = a.err; err == nil {
		c.appends.answered(time.Since(way.at))
		receipt, node, err = receiptOf(subject, a.body)
	} else if ranOut, ok := errors.AsType[*ranOutError](err); ok {
		c.appends.ranOut(ranOut.waited)
	}
	c.learn(subject, way, a.err == nil, node, err)
	c.homes.learn(way.home, time.Since(way.at), err)
	return receipt, err
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
	err := c.lookUp(ctx, 0, func(ctx context.Context) error {
		var reply bus.AppendReply
		err := c.ask(ctx, query{c.on(c.subjects.Txn(id), "txn."+id), struct{}{}, &reply, &reply.Type, bus.TypeTxnReply, nil})
		if err == nil {
			receipt, err = reply.Receipt()
		}
		return err
	})
	return receipt, err
}
