package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"natsaccord/client"
	"natsaccord/event"
)

// errDiffer is what verify ends with when two logs differ.
var errDiffer = errors.New("the logs differ")

func (m Main) verifyCommand() *cobra.Command {
	var wait time.Duration
	c := m.clientCommand("verify", "Compare the logs of all nodes, event for event", cobra.NoArgs,
		func(ctx context.Context, r *remote, c *client.Client, _ []string) error {
			seen, err := c.Status(ctx, r.node)
			if err != nil {
				return err
			}
			if err := settle(ctx, c, seen.Nodes, wait); err != nil {
				return err
			}
			count, err := compare(ctx, c, seen.Nodes)
			if err != nil {
				return err
			}
			fmt.Fprintf(m.Stdout, "%d nodes agree on %d events\n", len(seen.Nodes), count)
			return nil
		})
	c.Flags().DurationVar(&wait, "wait", 10*time.Second, "how long the nodes may take to come to the same end")
	return c
}

// settle waits until all nodes have equally many events and the same last one.
func settle(ctx context.Context, c *client.Client, nodes []string, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		ends := make(map[string]bool)
		for _, name := range nodes {
			s, err := c.Status(ctx, name)
			if err != nil {
				return fmt.Errorf("node %s: %w", name, err)
			}
			ends[fmt.Sprintf("%d events up to %s", s.Events, s.Last)] = true
		}
		if len(ends) == 1 {
			return nil
		}
		timer := time.NewTimer(50 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: after %s the nodes have %v", errDiffer, wait, slices.Sorted(maps.Keys(ends)))
		}
	}
}

// compare reads all logs side by side, page by page, and returns how many events they have.
func compare(ctx context.Context, c *client.Client, nodes []string) (count int, err error) {
	clients := make([]*client.Client, len(nodes))
	for i, name := range nodes {
		if clients[i], err = c.At(name); err != nil {
			return 0, err
		}
	}
	var after event.Position
	for {
		args := event.ReadArgs{After: after, Limit: 500, Consistency: event.Local}
		first, err := clients[0].Read(ctx, args)
		if err != nil {
			return count, fmt.Errorf("node %s: %w", nodes[0], err)
		}
		for i := range clients[1:] {
			if err := compareRun(ctx, clients[i+1], args, first.Events, nodes[0], nodes[i+1]); err != nil {
				return count, err
			}
		}
		count += len(first.Events)
		if first.End {
			return count, nil
		}
		after = first.Next
	}
}

// compareRun reads as many events from another node as want has, whatever the size of its pages.
func compareRun(ctx context.Context, c *client.Client, args event.ReadArgs, want []event.Event, name, other string) error {
	last := len(want) < args.Limit
	for len(want) > 0 || last {
		page, err := c.Read(ctx, args)
		if err != nil {
			return fmt.Errorf("node %s: %w", other, err)
		}
		for i := range page.Events {
			if i >= len(want) {
				if last && page.Events[i].Position != "" {
					return fmt.Errorf("%w: node %s has an event at %s, node %s has none there", errDiffer, other, page.Events[i].Position, name)
				}
				return nil
			}
			if !same(want[i], page.Events[i]) {
				return fmt.Errorf("%w at %s: node %s has %s, node %s has %s", errDiffer, min(want[i].Position, page.Events[i].Position),
					name, describe(want[i]), other, describe(page.Events[i]))
			}
		}
		if len(page.Events) == 0 && len(want) > 0 {
			return fmt.Errorf("%w: node %s has an event at %s, node %s has none there", errDiffer, name, want[0].Position, other)
		}
		want = want[len(page.Events):]
		if page.End {
			last = false
		}
		args.After = page.Next
	}
	return nil
}

// same tells whether two nodes hold the same event, byte for byte.
func same(a, b event.Event) bool {
	return a.Position == b.Position && a.TxnID == b.TxnID && a.Stream == b.Stream && a.Version == b.Version && a.ID == b.ID && a.Type == b.Type &&
		a.Binary == b.Binary && string(a.Data) == string(b.Data) && maps.Equal(a.Metadata, b.Metadata) &&
		a.RoutingKey == b.RoutingKey && slices.Equal(a.Tags, b.Tags) && a.RecordedAt.Equal(b.RecordedAt)
}

func describe(e event.Event) string {
	return fmt.Sprintf("%s version %d (%s) at %s", e.Stream, e.Version, e.ID, e.Position)
}
