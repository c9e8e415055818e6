package node

import (
	"context"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// Subscriber implements event.Subscriptions, linearizably.
func (n *Node) Subscriber(ctx context.Context, key string) (event.Subscriber, error) {
	if err := n.fresh(ctx, "u"+key); err != nil {
		return event.Subscriber{}, err
	}
	return n.store.Subscriber(ctx, key)
}

// Subscribers implements event.Subscriptions, linearizably: pages that different nodes answer fit together.
func (n *Node) Subscribers(ctx context.Context, after string, limit int) ([]event.Subscriber, error) {
	if err := n.fresh(ctx); err != nil {
		return nil, err
	}
	return n.store.Subscribers(ctx, after, limit)
}

// Count implements event.Subscriptions: it counts what is complete for ever.
func (n *Node) Count(ctx context.Context, args event.ReadArgs) (uint64, error) {
	if n.distrusted.Load() && args.Consistency != event.Local {
		return 0, event.ErrDiverged
	}
	if !n.cfg.single {
		args = bounded(args, n.frontier())
	}
	return n.store.Count(ctx, args)
}

// SubscriberCursor implements event.Executor, linearizably.
func (n *Node) SubscriberCursor(ctx context.Context, key string) (event.Position, error) {
	subscriber, err := n.Subscriber(ctx, key)
	return subscriber.Cursor, err
}

// IsSubscriberRunning implements event.Executor, linearizably.
func (n *Node) IsSubscriberRunning(ctx context.Context, key string, worker ulid.ULID) (bool, error) {
	subscriber, err := n.Subscriber(ctx, key)
	return subscriber.IsRunning(worker), err
}

// UpsertSubscriber implements event.Executor, on all nodes.
func (n *Node) UpsertSubscriber(ctx context.Context, key string, worker ulid.ULID) error {
	if n.cfg.single {
		return n.store.UpsertSubscriber(ctx, key, worker)
	}
	cmd, err := event.NewClaim(key, worker)
	return n.run(ctx, cmd, err)
}

// Acknowledge implements event.Executor, on all nodes.
func (n *Node) Acknowledge(ctx context.Context, key string, worker ulid.ULID, position event.Position, lag uint64) error {
	if n.cfg.single {
		return n.store.Acknowledge(ctx, key, worker, position, lag)
	}
	cmd, err := event.NewAck(key, worker, position, lag)
	return n.run(ctx, cmd, err)
}

// TakeOver implements event.Subscriptions, on all nodes.
func (n *Node) TakeOver(ctx context.Context, key string, worker, previous ulid.ULID) error {
	if n.cfg.single {
		return n.store.TakeOver(ctx, key, worker, previous)
	}
	cmd, err := event.NewTakeOver(key, worker, previous)
	return n.run(ctx, cmd, err)
}

// ResetSubscriber implements event.Subscriptions, on all nodes.
func (n *Node) ResetSubscriber(ctx context.Context, key string, position event.Position) error {
	if n.cfg.single {
		return n.store.ResetSubscriber(ctx, key, position)
	}
	cmd, err := event.NewReset(key, position)
	return n.run(ctx, cmd, err)
}
