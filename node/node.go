package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"natsaccord/accord"
	"natsaccord/event"
)

// Node is one member of a cluster, or a single node. It implements event.Executor. All methods may be called
// concurrently; between New and Run, and after Run has returned, writes are refused.
type Node struct {
	cfg   Config
	bus   Bus
	store Store

	inputs     *mailbox[input]    // for the loop
	proposals  *mailbox[proposal] // for the loop too
	persists   *mailbox[persist]  // for the journal writer
	executions *mailbox[accord.Execution]
	catchUps   *mailbox[accord.CatchUp] // for the executor too

	calls   calls
	turns   turnstile
	reading sync.Map // uint64 → *reading: linearizable reads that wait for their turn
	refs    atomic.Uint64
	changed broadcast    // something was applied
	moved   broadcast    // the frontier has
	waiting atomic.Int64 // readers that may be waiting for the frontier to move

	view  atomic.Pointer[view] // of the Machine, after its last turn
	state state

	distrusted atomic.Bool   // the log is damaged: clients are sent to other nodes
	dropped    atomic.Uint64 // peer batches there was no room for
	turnedAway atomic.Uint64 // appends refused without a transaction
	groups     atomic.Uint64 // journal groups that held records
	applied    atomic.Uint64 // transactions that the store has applied
}

// view is what other goroutines may know of the Machine.
type view struct {
	reachable int
	watermark accord.Timestamp
	counters  accord.Counters
	sizes     accord.Sizes
}

var (
	_ event.Executor      = (*Node)(nil)
	_ event.Subscriptions = (*Node)(nil)
)

// New returns a node that is not running yet. bus may be nil for a single node.
func New(cfg Config, bus Bus, store Store) (*Node, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, bus: bus, store: store,
		inputs: newMailbox[input](), proposals: newMailbox[proposal](), persists: newMailbox[persist](), executions: newMailbox[accord.Execution](),
		catchUps: newMailbox[accord.CatchUp](),
	}
	n.calls.init(cfg.MaxInFlight)
	n.turns = turnstile{patience: turnWait, relay: turnRelay, taken: make(map[place]bool), lines: make(map[event.Stream]*line)}
	n.state.init()
	n.view.Store(&view{reachable: len(cfg.Nodes)})
	return n, nil
}

// Run runs the node until ctx ends or the node cannot go on, and returns why; nil if it was ctx. When it
// returns all of the node's goroutines are gone, and appends still waiting have been told that their outcome
// is unknown. Drain first for a graceful stop.
func (n *Node) Run(ctx context.Context) error {
	defer n.calls.closeAll()
	defer n.state.set(stateStopped)
	if n.cfg.single {
		n.state.set(StateReady)
		return n.watchStore(ctx)
	}
	machine, err := n.restore(ctx)
	if err != nil {
		return fmt.Errorf("node %s: restore: %w", n.cfg.Name, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	n.state.set(StateCatchingUp)
	for _, part := range []func(context.Context) error{n.write, n.execute, n.prune, n.becomeReady, n.watchStore, func(ctx context.Context) error { return n.loop(ctx, machine) }} {
		running.Go(func() {
			if err := part(ctx); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("node %s: %w", n.cfg.Name, err)
	}
	return nil
}

// watchStore ends when the store has failed, though nothing may be about to be written: a node that can promise nothing is of no use, and who
// runs it has to see that.
func (n *Node) watchStore(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-n.store.Failed():
		return fmt.Errorf("node %s: %w", n.cfg.Name, n.store.Failure())
	}
}

// restore makes the Machine from the journal.
func (n *Node) restore(ctx context.Context) (*accord.Machine, error) {
	scalars, records, err := n.store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the journal: %w", err)
	}
	n.cfg.Core.Seed = uint64(n.cfg.Core.Self)<<32 ^ n.store.Incarnation()
	return accord.Restore(n.cfg.Core, scalars, records)
}

// Deliver takes messages from another node. It never blocks; when too much waits already it drops them, and
// the protocol sends them again.
func (n *Node) Deliver(from accord.NodeID, h accord.Header, msgs []accord.Message) {
	if n.inputs.len() > n.cfg.MaxWaiting {
		n.dropped.Add(1)
		return
	}
	n.inputs.put(input{step: accord.Deliver{From: from, Header: h, Messages: msgs}})
}

// Distrust has the node refuse clients, because its log is damaged, or serve them again. What they ask for with
// event.Local it still tells, for whoever wants to look, and it goes on answering its peers: what they have agreed on
// does not depend on a node's log.
func (n *Node) Distrust(damaged bool) { n.distrusted.Store(damaged) }
