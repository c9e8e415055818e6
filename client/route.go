package client

import (
	"context"
	"errors"
	"strings"
	"time"

	"natsaccord/event"
)

// route returns on which subject to ask now what any node answers on a subject, and which way that is.
func (c *Client) route(subject string) (string, way) {
	verb, shared := strings.CutPrefix(subject, c.options.Prefix+".v1.")
	if !shared || isSpecial(verb) || c.options.Node != "" {
		return subject, way{at: time.Now(), fixed: true}
	}
	if near := c.near.subject(subject); near != subject {
		return near, way{at: time.Now(), node: c.options.Near}
	}
	w := c.roster.choose(time.Now())
	if w.node != "" {
		subject = c.subjects.Node(w.node, verb)
	}
	return subject, w
}

// routeAppend returns where to ask for an append now, and which way that is.
func (c *Client) routeAppend(a *event.Append) (target, way) {
	if at, found := c.homes.find(a); found {
		return at.to, way{at: time.Now(), node: at.node, home: at.node, hint: true}
	}
	switch _, w := c.route(c.shared.one); {
	case w.node == "":
		return c.shared, w
	case w.node == c.options.Near:
		return c.nearby, w
	default:
		return c.targetAt(w.node), w
	}
}

// anywhere is where to ask for an append that is not to wait.
func (c *Client) anywhere() (target, way) { return c.shared, way{at: time.Now()} }

// learn takes note of what became of a request: that it was answered, by whom if that is known, or that it was not, and why.
func (c *Client) learn(subject string, w way, answered bool, node string, err error) {
	now := time.Now()
	c.near.learn(subject, now.Sub(w.at), err)
	switch {
	case w.fixed:
	case w.node != "" && isOfNode(err):
		c.roster.refused(w)
	case answered:
		c.roster.answered(w, node, now)
	case errors.Is(err, context.DeadlineExceeded):
		c.roster.unanswered(w, now)
	}
}

// waitOf is how long a try waits for its answer. The last one has all the time there is for one, and so has each while there is no connection:
// then none can come, and what is asked once more is sent as often when the connection is back.
func (c *Client) waitOf(p *patience, try int) time.Duration {
	if try >= c.options.Tries || !c.nc.IsConnected() {
		return c.options.TryTimeout
	}
	return p.of(try)
}
