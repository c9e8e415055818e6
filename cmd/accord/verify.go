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
	"natsaccord/digest"
	"natsaccord/event"
)

// errDiffer is what verify ends with when two logs differ, or one is not what it was.
var errDiffer = errors.New("the logs differ")

func (m Main) verifyCommand() *cobra.Command {
	var wait time.Duration
	var quick bool
	c := m.clientCommand("verify", "Compare the logs of all nodes", cobra.NoArgs,
		func(ctx context.Context, r *remote, c *client.Client, _ []string) error {
			seen, err := c.Status(ctx, r.node)
			if err != nil {
				return err
			}
			events, err := settle(ctx, c, seen.Nodes, wait)
			if err != nil {
				return err
			}
			v, err := newVerification(c, seen.Nodes)
			if err != nil {
				return err
			}
			if err := v.compare(ctx, events, quick); err != nil {
				return err
			}
			fmt.Fprintf(m.Stdout, "%d nodes agree on %d events\n", len(seen.Nodes), events)
			return nil
		})
	c.Flags().DurationVar(&wait, "wait", 10*time.Second, "how long the nodes may take to come to the same end")
	c.Flags().BoolVar(&quick, "quick", false, "compare what the nodes noted of their logs, without reading the logs again")
	return c
}

// settle waits until all nodes have equally many events and the same last one, and have hashed them all. It
// returns how many.
func settle(ctx context.Context, c *client.Client, nodes []string, wait time.Duration) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		ends, hashed, events := make(map[string]bool), true, uint64(0)
		for _, name := range nodes {
			s, err := c.Status(ctx, name)
			if err != nil {
				return 0, fmt.Errorf("node %s: %w", name, err)
			}
			if s.Alarm != "" {
				return 0, fmt.Errorf("%w: node %s: %s", errDiffer, name, s.Alarm)
			}
			ends[fmt.Sprintf("%d events up to %s", s.Events, s.Last)] = true
			events, hashed = s.Events, hashed && s.Digest.To == s.Events
		}
		if len(ends) == 1 && hashed {
			return events, nil
		}
		timer := time.NewTimer(50 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return 0, fmt.Errorf("%w: after %s the nodes have %v, hashed: %v", errDiffer, wait, slices.Sorted(maps.Keys(ends)), hashed)
		}
	}
}

// verification compares the logs of nodes with that of the first of them.
type verification struct {
	nodes []string
	logs  []*client.Client
}

func newVerification(c *client.Client, nodes []string) (*verification, error) {
	v := &verification{nodes: nodes}
	for _, name := range nodes {
		log, err := c.At(name)
		if err != nil {
			return nil, err
		}
		v.logs = append(v.logs, log)
	}
	return v, nil
}

// compare compares digests: first those that the nodes noted, then those of what their databases hold, unless it is to
// be quick.
func (v *verification) compare(ctx context.Context, events uint64, quick bool) error {
	if events == 0 {
		return nil
	}
	err := v.each(ctx, event.DigestQuery{To: events, Stored: true}, func(i int) error {
		place, found, err := digest.Locate(ctx, v.logs[0], v.logs[i], 0, events, digest.DefaultMarkEvery)
		return v.differ(ctx, i, place, found, err)
	})
	for from := uint64(0); err == nil && from < events && !quick; from += digest.LongestRun {
		q := event.DigestQuery{From: from, To: min(events, from+digest.LongestRun)}
		err = v.each(ctx, q, func(i int) error {
			place, found, err := digest.LocateRows(ctx, v.logs[0], v.logs[i], q.From, q.To)
			return v.differ(ctx, i, place, found, err)
		})
	}
	return err
}

// each asks all nodes the same, and has every one whose answer is not that of the first looked at.
func (v *verification) each(ctx context.Context, q event.DigestQuery, look func(i int) error) error {
	first, err := v.logs[0].Digest(ctx, q)
	if err != nil {
		return fmt.Errorf("node %s: %w", v.nodes[0], err)
	}
	var errs []error
	for i, log := range v.logs[1:] {
		d, err := log.Digest(ctx, q)
		if err != nil {
			return fmt.Errorf("node %s: %w", v.nodes[i+1], err)
		}
		if d != first {
			errs = append(errs, look(i+1))
		}
	}
	return errors.Join(errs...)
}

// differ says where a node's log differs from the first one's, and how.
func (v *verification) differ(ctx context.Context, i int, place digest.Place, found bool, err error) error {
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("%w: nodes %s and %s noted different digests, and hold the same events", errDiffer, v.nodes[0], v.nodes[i])
	}
	return fmt.Errorf("%w at %s: node %s has %s, node %s has %s (found by %d questions to each)", errDiffer, place.Position,
		v.nodes[0], v.describe(ctx, v.logs[0], place.Position), v.nodes[i], v.describe(ctx, v.logs[i], place.Position), place.Exchanges)
}

// describe says what a node has at a position.
func (v *verification) describe(ctx context.Context, log *client.Client, p event.Position) string {
	behind := event.PositionAt(p.ExecuteAt(), event.MaxIndex) // its transaction
	for e, err := range log.Events(ctx, event.ReadArgs{Before: behind, Backward: true, Limit: 10, Consistency: event.Local}) {
		switch {
		case err != nil:
			return fmt.Sprintf("an event that cannot be read (%v)", err)
		case e.Position < p:
			return "none there"
		case e.Position > p:
			continue
		}
		data := fmt.Sprintf("%q", e.Data)
		if len(data) > 60 {
			data = data[:60] + "…"
		}
		return fmt.Sprintf("%s version %d (%s, %s) with %s", e.Stream, e.Version, e.ID, e.Type, data)
	}
	return "none there"
}
