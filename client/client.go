package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/event"
)

// Options say how to reach a cluster. Zero fields mean their defaults.
//
// A try of an append, a read or a look-up that is not answered for some times as long as answers have taken lately, 0.3 s at least, is followed by
// another before TryTimeout. If that was on the subject that any node answers, nodes that do answer are asked on their own for a while: so
// one that is stopped costs each call under way one such wait.
type Options struct {
	Prefix     string        // of the cluster's subjects; default "accord"
	Node       string        // ask this node and no other; default: NATS chooses any, or the client one that answers while another does not
	Near       string        // ask this node first, for contested streams too, and others while it does not answer; default: none, of no use with Node
	Timeout    time.Duration // of a call whose context has no deadline; default 10 s
	TryTimeout time.Duration // the longest that one try of a call may take, and the last one does; default 3 s
	Tries      int           // of one call, the first included; default 5
}

func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = bus.DefaultPrefix
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.TryTimeout == 0 {
		o.TryTimeout = 3 * time.Second
	}
	if o.Tries == 0 {
		o.Tries = 5
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Timeout < 0 || o.TryTimeout < 0:
		return fmt.Errorf("client: Options.Timeout and TryTimeout are %s and %s, want more than 0", o.Timeout, o.TryTimeout)
	case o.Tries < 0:
		return fmt.Errorf("client: Options.Tries is %d, want at least 1", o.Tries)
	}
	for _, node := range []string{o.Node, o.Near} {
		if node == "" {
			continue
		}
		if err := bus.ValidateName("node", node); err != nil {
			return err
		}
	}
	return nil
}

// Client talks to a cluster. Its methods may be called concurrently.
type Client struct {
	nc       *nats.Conn
	options  Options
	subjects bus.Subjects
	near     near
	homes    *homes
	roster   roster
	sender   *sender

	appends, reads patience // of reads only what is answered soon

	shared, nearby target // of appends: where any node answers, or Options.Node, and where Options.Near does
}

var (
	_ event.Executor      = (*Client)(nil)
	_ event.Subscriptions = (*Client)(nil)
)

// New returns a client over a connection that stays its caller's. When that is closed the client is, too; one that
// is not to last as long as its connection is to be closed itself.
func New(nc *nats.Conn, options Options) (*Client, error) {
	options = options.withDefaults()
	if nc == nil {
		return nil, errors.New("client: there is no connection")
	}
	if err := options.validate(); err != nil {
		return nil, err
	}
	// Clients ask on subjects in which no cluster stands; any name will do.
	c := &Client{nc: nc, options: options, subjects: bus.Subjects{Prefix: options.Prefix, Cluster: "any"}, sender: newSender(nc)}
	c.appends = patience{least: leastPatience, first: firstPatience, most: options.TryTimeout}
	c.reads = patience{least: leastReadPatience, first: firstPatience, most: options.TryTimeout}
	c.shared = target{c.on(c.subjects.Transaction(), "append"), c.on(c.subjects.Appends(), "appends")}
	if options.Near != "" && options.Node == "" {
		c.near.shared, c.near.own = options.Prefix+".v1.", c.subjects.Node(options.Near, "")
		c.nearby = c.targetAt(options.Near)
	}
	c.homes = newHomes(c)
	return c, c.subjects.Validate()
}

// Close gives back what the client has on its connection. Appends that are under way end: with event.ErrClosed if they
// were not sent, and else with an *event.UnknownError. It may be called more than once.
func (c *Client) Close() error { return c.sender.close() }

// At returns a client that asks one node and no other.
func (c *Client) At(node string) (*Client, error) {
	options := c.options
	options.Node = node
	return New(c.nc, options)
}

// targetAt returns where a node is asked for appends that has to be this one.
func (c *Client) targetAt(node string) target {
	return target{c.subjects.Node(node, "append"), c.subjects.Node(node, "appends")}
}

// on returns the subject of a verb: the shared one, or that of the node that is asked alone.
func (c *Client) on(shared, verb string) string {
	if c.options.Node == "" {
		return shared
	}
	return c.subjects.Node(c.options.Node, verb)
}

// bounded gives ctx the default timeout and more if it has no deadline.
func (c *Client) bounded(ctx context.Context, more time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.options.Timeout+more)
}
