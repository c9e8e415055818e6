package node

import (
	"context"
	"fmt"

	"natsaccord/accord"
	"natsaccord/event"
)

// frontier returns the position up to which the log is complete for ever: the protocol's watermark.
func (n *Node) frontier() event.Position {
	return event.PositionAt(n.view.Load().watermark.String(), event.MaxIndex)
}

// end returns the position that nothing in the store lies behind: the frontier of a node without consensus.
func (n *Node) end() event.Position { return event.PositionAt(n.lastApplied(), event.MaxIndex) }

// lastApplied returns when the last event in the store executed, empty if there is none.
func (n *Node) lastApplied() string {
	_, last, err := n.store.Stats(context.Background())
	if err != nil {
		return ""
	}
	return last.ExecuteAt()
}

// Frontier returns the frontier, at which no event stands, once it lies behind a position, or else ctx's error. An eager caller has it moved
// as soon as there is an event to move it over; another one waits until it moves by itself, at no cost.
func (n *Node) Frontier(ctx context.Context, behind event.Position, eager bool) (event.Position, error) {
	limit, moved := n.frontier, &n.moved
	if n.cfg.single {
		limit, moved = n.end, &n.changed
	}
	if eager {
		n.waiting.Add(1)
		defer n.waiting.Add(-1)
	}
	for {
		woken := moved.wait()
		if reached := limit(); reached > behind {
			return reached, nil
		}
		if eager {
			n.hurry()
		}
		select {
		case <-woken:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// hurry has the frontier moved over all that is applied. Whoever waits for it counts in n.waiting, so that the
// loop hurries too whenever more is applied.
func (n *Node) hurry() {
	if n.cfg.single {
		return
	}
	if last, ok := n.unpublished(); ok {
		n.inputs.put(input{step: accord.Demand{At: last}})
	}
}

// unpublished returns when the last event executed that lies behind the frontier.
func (n *Node) unpublished() (accord.Timestamp, bool) {
	last, err := accord.ParseTimestamp(n.lastApplied())
	return last, err == nil && last.After(n.view.Load().watermark)
}

// reach waits until everything up to a position is applied here; of one stream if one is named.
func (n *Node) reach(ctx context.Context, stream event.Stream, p event.Position) error {
	if p == "" {
		return nil
	}
	want, err := n.parsePosition("min_position", p)
	if err != nil {
		return err
	}
	if stream != "" {
		// A stream's events are applied in order.
		if head, err := n.store.Head(ctx, stream); err != nil || head.Position >= p {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.DependencyWait)
	defer cancel()
	for demanded := false; ; demanded = true {
		moved := n.moved.wait()
		if !n.view.Load().watermark.Before(want) {
			return nil
		}
		if !demanded {
			n.inputs.put(input{step: accord.Demand{At: want}})
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("node %s: wait for position %s: %w", n.cfg.Name, p, ctx.Err())
		}
	}
}
