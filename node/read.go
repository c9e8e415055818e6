package node

import (
	"context"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
)

// Read implements event.Executor. Without Consistency a stream is read linearizably, and everything else up
// to the frontier. Consistencies are those of package event; a linearizable read needs a stream.
func (n *Node) Read(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	if n.cfg.single {
		return n.readPatiently(ctx, args, func(args event.ReadArgs) event.ReadArgs { return args })
	}
	if args.Consistency == "" {
		args.Consistency = event.Frontier
		if args.Stream != "" {
			args.Consistency = event.Linearizable
		}
	}
	bound := func(args event.ReadArgs) event.ReadArgs { return args }
	switch args.Consistency {
	case event.Local:
	case event.AtLeast:
		if err := n.reach(ctx, args.MinPosition); err != nil {
			return event.Page{}, err
		}
	case event.Linearizable:
		if args.Stream == "" {
			return event.Page{}, &event.InvalidError{Field: "consistency", Reason: "a linearizable read needs a stream"}
		}
		if err := n.barrier(ctx, "s"+string(args.Stream)); err != nil {
			return event.Page{}, err
		}
	case event.Frontier:
		bound = n.upToFrontier
	default:
		return event.Page{}, &event.InvalidError{Field: "consistency", Reason: fmt.Sprintf("is %q, want local, at_least, linearizable or frontier", args.Consistency)}
	}
	return n.readPatiently(ctx, args, bound)
}

// readPatiently reads, and reads again whenever something changes until there is something to return or
// args.Wait is over.
func (n *Node) readPatiently(ctx context.Context, args event.ReadArgs, bound func(event.ReadArgs) event.ReadArgs) (event.Page, error) {
	var end <-chan time.Time
	if args.Wait > 0 {
		timer := time.NewTimer(args.Wait)
		defer timer.Stop()
		end = timer.C
	}
	for {
		changed := n.changed.wait()
		page, err := n.store.Read(ctx, bound(args))
		if err != nil || len(page.Events) > 0 || end == nil {
			return page, err
		}
		select {
		case <-changed:
		case <-end:
			return page, nil
		case <-ctx.Done():
			return page, nil
		}
	}
}

// upToFrontier bounds a read to what is complete for ever.
func (n *Node) upToFrontier(args event.ReadArgs) event.ReadArgs {
	frontier := event.PositionAt(n.view.Load().watermark.String(), event.MaxIndex)
	if args.Before == "" || frontier < args.Before {
		args.Before = frontier
	}
	return args
}

// reach waits until everything up to a position is applied here.
func (n *Node) reach(ctx context.Context, p event.Position) error {
	if p == "" {
		return nil
	}
	want, err := accord.ParseTimestamp(p.ExecuteAt())
	if err != nil {
		return &event.InvalidError{Field: "min_position", Reason: "is not a position"}
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.DependencyWait)
	defer cancel()
	for {
		changed := n.changed.wait()
		if !n.view.Load().watermark.Before(want) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("node %s: wait for position %s: %w", n.cfg.Name, p, ctx.Err())
		}
	}
}

// barrier waits until everything acknowledged on a key before the call is applied here.
func (n *Node) barrier(ctx context.Context, key string) error {
	if err := n.admit(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.DependencyWait)
	defer cancel()
	ref, readable := n.refs.Add(1), make(chan struct{})
	n.reading.Store(ref, readable)
	defer n.reading.Delete(ref)
	n.inputs.put(input{step: accord.Read{Ref: ref, Keys: accord.NewKeys([]accord.Key{accord.Key(key)})}})
	select {
	case <-readable:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("node %s: linearizable read: %w", n.cfg.Name, ctx.Err())
	}
}

// fresh is a barrier unless the node is alone.
func (n *Node) fresh(ctx context.Context, key string) error {
	if n.cfg.single {
		return nil
	}
	return n.barrier(ctx, key)
}

// Head returns how far a stream has come, linearizably.
func (n *Node) Head(ctx context.Context, stream event.Stream) (event.Head, error) {
	if err := n.fresh(ctx, "s"+string(stream)); err != nil {
		return event.Head{}, err
	}
	return n.store.Head(ctx, stream)
}

// Outcome tells, linearizably for a request id, what became of a request; event.ErrNotFound if nothing of it
// is known. id is a request id or the text of a TxnID.
func (n *Node) Outcome(ctx context.Context, id string) (event.Outcome, error) {
	if err := n.fresh(ctx, "c"+id); err != nil {
		return event.Outcome{}, err
	}
	return n.store.Outcome(ctx, id)
}

// SubscriberCursor implements event.Executor, linearizably.
func (n *Node) SubscriberCursor(ctx context.Context, key string) (event.Position, error) {
	if err := n.fresh(ctx, "u"+key); err != nil {
		return "", err
	}
	return n.store.SubscriberCursor(ctx, key)
}

// IsSubscriberRunning implements event.Executor, linearizably.
func (n *Node) IsSubscriberRunning(ctx context.Context, key string, worker ulid.ULID) (bool, error) {
	if err := n.fresh(ctx, "u"+key); err != nil {
		return false, err
	}
	return n.store.IsSubscriberRunning(ctx, key, worker)
}

// Snapshot implements event.Executor, linearizably.
func (n *Node) Snapshot(ctx context.Context, stream event.Stream, name string) (event.Snapshot, error) {
	if err := n.fresh(ctx, event.SnapshotKey(stream, name)); err != nil {
		return event.Snapshot{}, err
	}
	return n.store.Snapshot(ctx, stream, name)
}
