package client

import (
	"context"
	"iter"
	"time"

	"natsaccord/bus"
	"natsaccord/event"
)

// followWait is how long one request of Follow waits for events, and followPause how long Follow pauses after it
// could not read.
const (
	followWait  = 10 * time.Second
	followPause = 500 * time.Millisecond
)

// Read implements event.Executor.
func (c *Client) Read(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	if err := checkRead(args); err != nil {
		return event.Page{}, err
	}
	ctx, cancel := c.bounded(ctx, args.Wait)
	defer cancel()
	subject, request := c.readRequest(args)
	var page event.Page
	err := c.lookUp(ctx, args.Wait, func(ctx context.Context) error {
		var reply bus.ReadReply
		err := c.ask(ctx, query{subject, request, &reply, &reply.Type, bus.TypeReadReply, &reply.Node})
		if err == nil {
			page, err = reply.Page()
		}
		return err
	})
	return page, err
}

// checkRead checks the names that are to stand in a subject.
func checkRead(args event.ReadArgs) error {
	if args.Stream != "" {
		return args.Stream.Validate()
	}
	if args.Category != "" {
		return event.StreamOf(args.Category, "x").Validate()
	}
	return nil
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
			if !yieldAll(page, yield) || page.End || len(page.Events) == 0 {
				return
			}
			advance(&args, page)
		}
	}
}

// Follow reads on from args.After, and waits for more whenever there is nothing left, until ctx ends or the loop
// over it does. Every event is yielded once and in order, whichever nodes answer. An error that may pass is yielded and leaves a gap in time only: if the loop goes on, so does
// Follow, from where it was. args.Limit is a page's, and args.Wait that of one request.
func (c *Client) Follow(ctx context.Context, args event.ReadArgs) iter.Seq2[event.Event, error] {
	if args.Wait == 0 {
		args.Wait = followWait
	}
	return func(yield func(event.Event, error) bool) {
		if err := checkFollow(args); err != nil {
			yield(event.Event{}, err)
			return
		}
		for {
			page, err := c.Read(ctx, args)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				if !yield(event.Event{}, err) || isRefusal(err) || !sleep(ctx, followPause) {
					return
				}
				continue
			}
			if !yieldAll(page, yield) {
				return
			}
			advance(&args, page)
		}
	}
}

// checkFollow refuses what cannot be followed without a gap.
func checkFollow(args event.ReadArgs) error {
	switch {
	case args.Backward:
		return &event.InvalidError{Field: "direction", Reason: "is backward: the newest events cannot be followed"}
	case args.Consistency == event.Local && args.Stream == "":
		return &event.InvalidError{Field: "consistency", Reason: "is local: more than one stream is followed up to the frontier, or events would be missed"}
	}
	return nil
}

// yieldAll tells whether the loop wants more than this page.
func yieldAll(page event.Page, yield func(event.Event, error) bool) bool {
	for _, e := range page.Events {
		if !yield(e, nil) {
			return false
		}
	}
	return true
}

// advance makes args read on behind a page.
func advance(args *event.ReadArgs, page event.Page) {
	if args.Backward {
		args.Before = page.Next
	} else {
		args.After = page.Next
	}
}

// Head returns how far a stream has come.
func (c *Client) Head(ctx context.Context, stream event.Stream) (event.Head, error) {
	if err := stream.Validate(); err != nil {
		return event.Head{}, err
	}
	subject, request := c.on(c.subjects.HeadOf(), "head"), bus.HeadRequest{}
	if stream.IsSubject() {
		subject += "." + string(stream)
	} else {
		request.Stream = string(stream)
	}
	ctx, cancel := c.bounded(ctx, 0)
	defer cancel()
	var reply bus.HeadReply
	err := c.lookUp(ctx, 0, func(ctx context.Context) error {
		return c.ask(ctx, query{subject, request, &reply, &reply.Type, bus.TypeHeadReply, &reply.Node})
	})
	return event.Head{Version: reply.Version, Position: event.Position(reply.Position)}, err
}
