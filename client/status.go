package client

import (
	"context"

	"natsaccord/bus"
	"natsaccord/event"
)

// Status returns the status of a node, or, with an empty name, of whichever answers first. It tries once: a node
// that does not answer is an answer too.
func (c *Client) Status(ctx context.Context, node string) (event.NodeStatus, error) {
	ctx, cancel := c.bounded(ctx, 0)
	defer cancel()
	subject, want := c.subjects.ClusterInfo(), bus.TypeClusterReply
	if node != "" {
		if err := bus.ValidateName("node", node); err != nil {
			return event.NodeStatus{}, err
		}
		subject, want = c.subjects.Node(node, "info"), bus.TypeNodeReply
	}
	var reply bus.NodeReply
	err := c.ask(ctx, query{subject, struct{}{}, &reply, &reply.Type, want, nil})
	if err != nil {
		return event.NodeStatus{}, err
	}
	return reply.Status(), nil
}

// Nodes returns the names of the cluster's nodes, those that are down included.
func (c *Client) Nodes(ctx context.Context) ([]string, error) {
	status, err := c.Status(ctx, c.options.Node)
	return status.Nodes, err
}

// Drain has a node refuse new appends, and returns its status when none is under way any more. The node stays
// like that until it is started again.
func (c *Client) Drain(ctx context.Context, node string) (event.NodeStatus, error) {
	if err := bus.ValidateName("node", node); err != nil {
		return event.NodeStatus{}, err
	}
	ctx, cancel := c.bounded(ctx, 2*c.options.Timeout)
	defer cancel()
	var reply bus.NodeReply
	err := c.ask(ctx, query{c.subjects.Node(node, "drain"), struct{}{}, &reply, &reply.Type, bus.TypeNodeReply, nil})
	if err != nil {
		return event.NodeStatus{}, err
	}
	return reply.Status(), nil
}
