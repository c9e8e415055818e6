package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/oklog/ulid/v2"

	"natsaccord/bus"
	"natsaccord/event"
)

// Options say how to reach a cluster. Zero fields mean their defaults.
type Options struct {
	Prefix  string        // of the cluster's subjects; default "accord"
	Node    string        // ask this node and no other; default: NATS chooses a near one
	Timeout time.Duration // of a call whose context has no deadline; default 10 s
	Tries   int           // of one call, the first included; default 5
}

// Client talks to a cluster. Its methods may be called concurrently.
type Client struct {
	nc       *nats.Conn
	options  Options
	subjects bus.Subjects
}

var _ event.Executor = (*Client)(nil)

// New returns a client over a connection that stays its caller's.
func New(nc *nats.Conn, options Options) (*Client, error) {
	if options.Prefix == "" {
		options.Prefix = bus.DefaultPrefix
	}
	if options.Timeout == 0 {
		options.Timeout = 10 * time.Second
	}
	if options.Tries == 0 {
		options.Tries = 5
	}
	c := &Client{nc: nc, options: options, subjects: bus.Subjects{Prefix: options.Prefix, Cluster: bus.DefaultPrefix}}
	if err := c.subjects.Validate(); err != nil {
		return nil, err
	}
	if options.Node != "" {
		return c, bus.ValidateName("node", options.Node)
	}
	return c, nil
}

// At returns a client that asks one node and no other.
func (c *Client) At(node string) (*Client, error) {
	options := c.options
	options.Node = node
	return New(c.nc, options)
}

// errUnreachable is why nothing could be asked: nobody listens. Nothing was proposed.
func errUnreachable(subject string) error {
	return fmt.Errorf("client: nobody answers on %s: %w: %w", subject, event.ErrNoQuorum, nats.ErrNoResponders)
}

// ask sends one request and decodes the reply into reply. It returns the errors of package event, and
// event.ErrNoQuorum if there is nobody to ask; a timeout is the context's error.
func (c *Client) ask(ctx context.Context, subject string, request, reply any) error {
	body, err := bus.Encode(request)
	if err != nil {
		return fmt.Errorf("client: encode a request: %w", err)
	}
	if limit := c.nc.MaxPayload(); int64(len(body)) > limit {
		return &event.TooLargeError{What: "the request in bytes", Size: len(body), Limit: int(limit)}
	}
	msg, err := c.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: subject, Data: body})
	if errors.Is(err, nats.ErrNoResponders) {
		return errUnreachable(subject)
	}
	if err != nil {
		return fmt.Errorf("client: ask %s: %w", subject, err)
	}
	return decode(msg.Data, reply)
}

// decode decodes a reply, or returns the error that it is.
func decode(data []byte, reply any) error {
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return fmt.Errorf("client: decode a reply: %w", err)
	}
	if kind.Type == bus.TypeError {
		var failure bus.ErrorReply
		if err := json.Unmarshal(data, &failure); err != nil {
			return fmt.Errorf("client: decode an error: %w", err)
		}
		return failure.Err()
	}
	if err := json.Unmarshal(data, reply); err != nil {
		return fmt.Errorf("client: decode a reply: %w", err)
	}
	return nil
}

// deadline gives ctx the default timeout if it has none.
func (c *Client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.options.Timeout)
}

// retry repeats a call that can be repeated safely, with growing, jittered pauses, until it has an answer.
func (c *Client) retry(ctx context.Context, call func(context.Context) error) error {
	for try := 1; ; try++ {
		err := call(ctx)
		if err == nil || try >= c.options.Tries || ctx.Err() != nil || !event.SafeToRetry(err) {
			return err
		}
		pause := time.Duration(rand.Int64N(int64(20 * time.Millisecond << min(try, 6))))
		if overloaded, ok := errors.AsType[*event.OverloadedError](err); ok {
			pause += overloaded.RetryAfter
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// on returns the subject of a verb: shared, or of the node that is pinned.
func (c *Client) on(shared, verb string) string {
	if c.options.Node == "" {
		return shared
	}
	return c.subjects.Node(c.options.Node, verb)
}

// Append asks for an append and returns what became of it. It is repeated, with one request id, for as long as
// that is safe and useful. An *event.UnknownError leaves the outcome open: ask Outcome, or append again with the
// request id that it names.
func (c *Client) Append(ctx context.Context, a event.Append) (event.Receipt, error) {
	if a.RequestID == "" {
		a.RequestID = ulid.Make().String()
	}
	for i := range a.Events {
		if e := &a.Events[i]; !e.Binary && !json.Valid(e.Data) {
			return event.Receipt{}, &event.InvalidError{Field: fmt.Sprintf("events[%d].data", i), Reason: "is not JSON"}
		}
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	if a.Timeout == 0 {
		deadline, _ := ctx.Deadline()
		a.Timeout = max(time.Until(deadline), time.Millisecond)
	}
	request := bus.NewTransactionRequest(a)
	subject := c.on(c.subjects.Transaction(), "append")
	var receipt event.Receipt
	var unknown *event.UnknownError // of an earlier try, which a later refusal to propose does not settle
	err := c.retry(ctx, func(ctx context.Context) error {
		var reply bus.AppendReply
		if err := c.ask(ctx, subject, request, &reply); err != nil {
			err = maybeUnknown(a.RequestID, err)
			if u, ok := errors.AsType[*event.UnknownError](err); ok {
				unknown = u
			} else if unknown != nil && event.SafeToRetry(err) {
				return &event.UnknownError{RequestID: a.RequestID, TxnID: unknown.TxnID, Err: err}
			}
			return err
		}
		var err error
		receipt, err = reply.Receipt()
		return err
	})
	return receipt, err
}

// maybeUnknown says what a failure to get an answer means for a write: it may have been proposed.
func maybeUnknown(requestID string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, nats.ErrTimeout) {
		return &event.UnknownError{RequestID: requestID, Err: err}
	}
	if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrDisconnected) {
		return &event.UnknownError{RequestID: requestID, Err: err}
	}
	return err
}

// Write implements event.Executor.
func (c *Client) Write(ctx context.Context, events []event.Event) error {
	_, err := c.Append(ctx, event.Append{Events: events})
	return err
}

// Outcome returns what became of a request, by its request id or TxnID; event.ErrNotFound if nobody knows it.
func (c *Client) Outcome(ctx context.Context, id string) (event.Receipt, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	var receipt event.Receipt
	err := c.retry(ctx, func(ctx context.Context) error {
		var reply bus.AppendReply
		if err := c.ask(ctx, c.subjects.Txn(id), struct{}{}, &reply); err != nil {
			return err
		}
		var err error
		receipt, err = reply.Receipt()
		return err
	})
	return receipt, err
}

// Read implements event.Executor.
func (c *Client) Read(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	if args.Stream != "" {
		if err := args.Stream.Validate(); err != nil {
			return event.Page{}, err
		}
	} else if args.Category != "" {
		if err := event.StreamOf(args.Category, "x").Validate(); err != nil {
			return event.Page{}, err
		}
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	var page event.Page
	err := c.retry(ctx, func(ctx context.Context) error {
		var reply bus.ReadReply
		subject, request := c.readRequest(args)
		if err := c.ask(ctx, subject, request, &reply); err != nil {
			return err
		}
		var err error
		page, err = reply.Page()
		return err
	})
	return page, err
}

// readRequest returns where a read goes, and its body: what is read stands in the subject if it can.
func (c *Client) readRequest(args event.ReadArgs) (string, bus.ReadRequest) {
	request := bus.NewReadRequest(args)
	subject := c.on(c.subjects.Read(), "read")
	switch {
	case args.Stream != "" && !args.Stream.IsSubject():
		request.Stream = string(args.Stream)
	case args.Stream != "":
		subject += "." + string(args.Stream)
	case args.Category != "":
		subject += "." + args.Category
	}
	return subject, request
}

// Events reads on, page by page, until there is nothing left to read now. It stops after the first error.
func (c *Client) Events(ctx context.Context, args event.ReadArgs) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for {
			page, err := c.Read(ctx, args)
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			for _, e := range page.Events {
				if !yield(e, nil) {
					return
				}
			}
			if page.End || len(page.Events) == 0 {
				return
			}
			if args.Backward {
				args.Before = page.Next
			} else {
				args.After = page.Next
			}
		}
	}
}

// Head returns how far a stream has come.
func (c *Client) Head(ctx context.Context, stream event.Stream) (event.Head, error) {
	if err := stream.Validate(); err != nil {
		return event.Head{}, err
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	subject, request := c.on(c.subjects.HeadOf(), "head"), bus.HeadRequest{}
	if stream.IsSubject() {
		subject += "." + string(stream)
	} else {
		request.Stream = string(stream)
	}
	var reply bus.HeadReply
	err := c.retry(ctx, func(ctx context.Context) error { return c.ask(ctx, subject, request, &reply) })
	return event.Head{Version: reply.Version, Position: event.Position(reply.Position)}, err
}

// Status returns the status of a node, or, with an empty name, of whichever answers first.
func (c *Client) Status(ctx context.Context, node string) (event.NodeStatus, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	subject := c.subjects.ClusterInfo()
	if node != "" {
		subject = c.subjects.Node(node, "info")
	}
	var reply bus.NodeReply
	err := c.ask(ctx, subject, struct{}{}, &reply)
	return reply.Status(), err
}
