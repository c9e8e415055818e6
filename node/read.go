package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
)

// Read implements event.Executor. Without Consistency a stream is read linearizably, and everything else up
// to the frontier. Consistencies are those of package event.
func (n *Node) Read(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	if n.cfg.single {
		if n.distrusted.Load() && args.Consistency != event.Local {
			return event.Page{}, event.ErrDiverged
		}
		return n.readUpTo(ctx, args, n.end, &n.changed)
	}
	if args.Consistency == "" {
		args.Consistency = event.Frontier
		if args.Stream != "" {
			args.Consistency = event.Linearizable
		}
	}
	if err := n.await(ctx, args); err != nil {
		return event.Page{}, err
	}
	if args.Consistency != event.Frontier && (args.Stream != "" || args.Consistency == event.Local) {
		return n.readApplied(ctx, args)
	}
	if args.Wait > 0 {
		n.waiting.Add(1)
		defer n.waiting.Add(-1)
	}
	return n.readUpTo(ctx, args, n.frontier, &n.moved)
}

// await waits until this node has what the read must see.
func (n *Node) await(ctx context.Context, args event.ReadArgs) error {
	if n.distrusted.Load() && args.Consistency != event.Local {
		return event.ErrDiverged
	}
	switch args.Consistency {
	case event.Local, event.Frontier:
		return nil
	case event.AtLeast:
		return n.reach(ctx, args.Stream, args.MinPosition)
	case event.Linearizable:
		if args.Stream == "" {
			return n.barrier(ctx)
		}
		return n.barrier(ctx, "s"+string(args.Stream))
	}
	return &event.InvalidError{Field: "consistency", Reason: fmt.Sprintf("is %q, want local, at_least, linearizable or frontier", args.Consistency)}
}

// readApplied reads what is applied, and reads again whenever more is until there is something to return or
// args.Wait is over.
func (n *Node) readApplied(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	end, stop := after(args.Wait)
	defer stop()
	for {
		changed, frontier := n.changed.wait(), n.frontier()
		page, err := n.store.Read(ctx, args)
		page.Frontier = frontier
		if err != nil || len(page.Events) > 0 || !wait(ctx, changed, end) {
			return page, err
		}
	}
}

// readUpTo reads what lies up to a limit, which moved tells of. Behind the limit nothing is selected, so that a
// reader whose selection is at its end goes on from the limit and not over the same events again.
func (n *Node) readUpTo(ctx context.Context, args event.ReadArgs, limit func() event.Position, moved *broadcast) (event.Page, error) {
	end, stop := after(args.Wait)
	defer stop()
	for {
		woken, upTo := moved.wait(), limit()
		page, err := n.store.Read(ctx, bounded(args, upTo))
		if err != nil {
			return page, err
		}
		page.Frontier = upTo
		if page.End && args.Stream == "" && !args.Backward {
			page.Next = max(page.Next, upTo)
		}
		if len(page.Events) > 0 || end == nil {
			return page, nil
		}
		if !args.Backward {
			args.After = page.Next
		}
		n.hurry()
		if !wait(ctx, woken, end) {
			return page, nil
		}
	}
}

// bounded selects nothing behind a position.
func bounded(args event.ReadArgs, upTo event.Position) event.ReadArgs {
	if args.Before == "" || upTo < args.Before {
		args.Before = upTo // where no event stands
	}
	return args
}

// after returns a channel for the end of a wait, nil if there is to be none.
func after(patience time.Duration) (<-chan time.Time, func() bool) {
	if patience <= 0 {
		return nil, func() bool { return false }
	}
	timer := time.NewTimer(patience)
	return timer.C, timer.Stop
}

// wait tells whether something was woken before the end, or ctx's.
func wait(ctx context.Context, woken <-chan struct{}, end <-chan time.Time) bool {
	if end == nil {
		return false
	}
	select {
	case <-woken:
		return true
	case <-end:
	case <-ctx.Done():
	}
	return false
}

// barrier waits until everything acknowledged on the keys before the call is applied here; without keys, until
// everything acknowledged at all lies up to the frontier.
func (n *Node) barrier(ctx context.Context, keys ...string) error {
	if err := n.admit(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.DependencyWait)
	defer cancel()
	r := &reading{readable: make(chan struct{})}
	again := time.NewTicker(time.Duration(n.cfg.Core.ReadGiveUp()) * time.Microsecond)
	defer again.Stop()
	for {
		ref := n.refs.Add(1)
		n.reading.Store(ref, r)
		defer n.reading.Delete(ref)
		n.inputs.put(input{step: accord.Read{Ref: ref, Keys: coreKeys(keys)}})
		select {
		case <-r.readable:
			return nil
		case <-again.C: // it may have been dropped; if not, the first answer counts
		case <-ctx.Done():
			return fmt.Errorf("node %s: linearizable read: %w", n.cfg.Name, ctx.Err())
		}
	}
}

// reading is a linearizable read, which may have been asked for several times.
type reading struct {
	once     sync.Once
	readable chan struct{}
}

func (r *reading) close() { close(r.readable) }

// fresh is a barrier unless the node is alone.
func (n *Node) fresh(ctx context.Context, keys ...string) error {
	switch {
	case !n.cfg.single:
		return n.barrier(ctx, keys...)
	case n.distrusted.Load():
		return event.ErrDiverged
	}
	return nil
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

// Snapshot implements event.Executor, linearizably.
func (n *Node) Snapshot(ctx context.Context, stream event.Stream, name string) (event.Snapshot, error) {
	if err := n.fresh(ctx, event.SnapshotKey(stream, name)); err != nil {
		return event.Snapshot{}, err
	}
	return n.store.Snapshot(ctx, stream, name)
}
