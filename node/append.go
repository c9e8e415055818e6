package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"natsaccord/accord"
	"natsaccord/accord/quorum"
	"natsaccord/event"
)

// retryAfter is what a client is told that comes when there is no room.
const retryAfter = 50 * time.Millisecond

// Append proposes an append and returns what became of it. Errors are those of package event: a refusal says
// that nothing happened, an *event.UnknownError that the append may still commit.
func (n *Node) Append(ctx context.Context, a event.Append) (event.Receipt, error) {
	if n.cfg.single {
		return n.appendAlone(ctx, a)
	}
	after, err := n.parsePosition("after", a.After)
	if err != nil {
		return event.Receipt{}, err
	}
	cmd, err := event.NewAppend(a, n.cfg.Limits)
	if err != nil {
		return event.Receipt{}, err
	}
	if a.Absent != nil {
		// What was read executes before what was decided on it.
		seen, err := n.parsePosition("absent.after", a.Absent.After)
		if err != nil {
			return event.Receipt{}, err
		}
		if seen.After(after) {
			after = seen
		}
	}
	timeout := a.Timeout
	if timeout == 0 {
		timeout = n.cfg.PreAcceptTimeout + n.cfg.AcceptTimeout
	}
	if deadline, has := ctx.Deadline(); !has || time.Until(deadline) > timeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	leave, err := n.inTurn(ctx, cmd)
	if err != nil {
		return event.Receipt{}, n.withHome(err)
	}
	defer leave()
	outcome, path, err := n.propose(ctx, cmd, after)
	if err != nil {
		return event.Receipt{}, err
	}
	receipt, err := outcome.Result()
	if err == nil && !receipt.Duplicate {
		receipt.Path = path.String()
	}
	return receipt, n.withHome(err)
}

// appendAlone writes straight to the store.
func (n *Node) appendAlone(ctx context.Context, a event.Append) (event.Receipt, error) {
	switch {
	case n.state.is() == stateDraining:
		return event.Receipt{}, event.ErrDraining
	case n.distrusted.Load():
		return event.Receipt{}, event.ErrDiverged
	}
	receipt, err := n.store.Append(ctx, a)
	if err == nil {
		n.changed.signal()
	}
	return receipt, err
}

// parsePosition returns when the event at a position executed, or is to have executed. field is where the
// position stands.
func (n *Node) parsePosition(field string, p event.Position) (accord.Timestamp, error) {
	if p == "" {
		return accord.Timestamp{}, nil
	}
	t, err := accord.ParseTimestamp(p.ExecuteAt())
	if err != nil {
		return accord.Timestamp{}, &event.InvalidError{Field: field, Reason: "is not a position"}
	}
	if t.HLC > uint64(n.cfg.Now().UnixMicro())+accord.Second {
		return accord.Timestamp{}, &event.InvalidError{Field: field, Reason: "lies in the future"}
	}
	return t, nil
}

// errForgotten: the transaction is over, and whether it was applied is known by its request id only. A new
// transaction with the same one finds out.
var errForgotten = errors.New("node: the transaction is over, its outcome is not known here")

// unknown makes of errForgotten what a caller is told. A refusal after it is about the attempt that was to find out, and says
// nothing of the one before.
func unknown(err error, cmd event.Command, forgotten bool) error {
	_, already := errors.AsType[*event.UnknownError](err)
	switch {
	case err == nil || already || !forgotten:
		return err
	case !errors.Is(err, errForgotten):
		err = fmt.Errorf("%w; asking for it: %v", errForgotten, err) // no %w: that refusal says that nothing was proposed
	}
	return &event.UnknownError{RequestID: requestID(cmd), Err: err}
}

// propose takes a command through consensus. An invalidated attempt is repeated with a new transaction for as
// long as ctx allows: its request id keeps it from happening twice.
func (n *Node) propose(ctx context.Context, cmd event.Command, after accord.Timestamp) (event.Outcome, accord.Path, error) {
	body, err := cmd.MarshalBinary()
	if err != nil {
		return event.Outcome{}, 0, err
	}
	p := proposal{body: body, keys: coreKeys(cmd.Keys()), after: after, alone: !cmd.MayBundle()}
	for forgotten := false; ; {
		outcome, path, err := n.attempt(ctx, cmd, p)
		forgotten = forgotten || errors.Is(err, errForgotten)
		again := errors.Is(err, event.ErrAborted) || errors.Is(err, errForgotten) && requestID(cmd) != ""
		if !again || ctx.Err() != nil {
			return outcome, path, unknown(err, cmd, forgotten)
		}
	}
}

// attempt has a command become part of a transaction, and waits for its outcome.
func (n *Node) attempt(ctx context.Context, cmd event.Command, p proposal) (event.Outcome, accord.Path, error) {
	if err := n.admit(); err != nil {
		return event.Outcome{}, 0, err
	}
	c := n.calls.add()
	if c == nil {
		return event.Outcome{}, 0, &event.OverloadedError{RetryAfter: retryAfter}
	}
	p.call = c
	n.proposals.put(p)
	select {
	case <-c.done:
		if c.err != nil && !errors.Is(c.err, event.ErrAborted) && !errors.Is(c.err, errForgotten) {
			return event.Outcome{}, 0, &event.UnknownError{RequestID: requestID(cmd), TxnID: n.calls.txnID(c), Err: c.err}
		}
		return c.outcome, c.path, c.err
	case <-ctx.Done():
		return event.Outcome{}, 0, &event.UnknownError{RequestID: requestID(cmd), TxnID: n.calls.txnID(c), Err: ctx.Err()}
	}
}

// admit refuses work that has no chance, before anything is proposed.
func (n *Node) admit() error {
	switch n.state.is() {
	case stateStarting, stateStopped:
		return event.ErrClosed
	case stateDraining:
		return event.ErrDraining
	}
	if n.distrusted.Load() {
		return event.ErrDiverged
	}
	if n.view.Load().reachable < quorum.Slow(len(n.cfg.Nodes)) {
		return event.ErrNoQuorum
	}
	return nil
}

func requestID(cmd event.Command) string {
	if cmd.Append == nil {
		return ""
	}
	return cmd.Append.RequestID
}

func coreKeys(keys []string) accord.Keys {
	converted := make([]accord.Key, len(keys))
	for i, key := range keys {
		converted[i] = accord.Key(key)
	}
	return accord.NewKeys(converted)
}

// Write implements event.Executor.
func (n *Node) Write(ctx context.Context, events []event.Event) error {
	_, err := n.Append(ctx, event.Append{Events: events})
	return err
}

// PutSnapshot implements event.Executor, on all nodes.
func (n *Node) PutSnapshot(ctx context.Context, snapshot event.Snapshot) error {
	if n.cfg.single {
		return n.store.PutSnapshot(ctx, snapshot)
	}
	cmd, err := event.NewPutSnapshot(snapshot, n.cfg.Limits)
	return n.run(ctx, cmd, err)
}

// DropSnapshot implements event.Executor, on all nodes.
func (n *Node) DropSnapshot(ctx context.Context, stream event.Stream, name string) error {
	if n.cfg.single {
		return n.store.DropSnapshot(ctx, stream, name)
	}
	cmd, err := event.NewDropSnapshot(stream, name)
	return n.run(ctx, cmd, err)
}

// run takes a command through consensus whose outcome is yes or no. invalid is what making it came to.
func (n *Node) run(ctx context.Context, cmd event.Command, invalid error) error {
	if invalid != nil {
		return invalid
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.PreAcceptTimeout+n.cfg.AcceptTimeout)
	defer cancel()
	outcome, _, err := n.propose(ctx, cmd, accord.Timestamp{})
	if err == nil {
		_, err = outcome.Result()
	}
	return err
}
