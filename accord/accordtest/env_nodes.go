package accordtest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/cockroachdb/datadriven"

	"natsaccord/accord"
)

// anonymous are the requests that scripts give no number.
const anonymous = 1000

// never is later than any script goes, microseconds.
const never = 1 << 40

// start starts all nodes. Unless they are to be cold, each has used its clock before and has it reserved, so
// that what it starts need not wait for a sync.
func (e *Env) start(d *datadriven.TestData) error {
	count, _ := number(d, "n")
	if count < 1 || e.nodes != nil {
		return errors.New("nodes: want n, and only once")
	}
	fast, _ := number(d, "fast")
	electorate, err := electorateOf(d)
	if err != nil {
		return err
	}
	sizes := sizesOf(int(count), int(fast), electorate)
	sizes.blind = e.bugs != 0
	e.checker = newChecker(sizes)
	var ids []accord.NodeID
	for i := range count {
		ids = append(ids, accord.NodeID(i+1))
	}
	for _, id := range ids {
		cfg := configOf(d)
		cfg.Self, cfg.Nodes, cfg.FastQuorum, cfg.Electorate, cfg.Mutation = id, ids, sizes.fast, electorate, e.bugs
		n := newNode(cfg, e.emit, e.transmit)
		e.nodes = append(e.nodes, n)
		if err := n.start(); err != nil {
			return err
		}
	}
	if !d.HasArg("cold") {
		for _, n := range e.nodes {
			n.read(1, 0, nil)
		}
		if err := e.stabilize(func(accord.NodeID) bool { return false }); err != nil {
			return err
		}
	}
	e.out = nil
	e.out.int(int(count))
	e.out.str(" nodes are up\n")
	return nil
}

// electorateOf returns which nodes a nodes command elects, nil if it does not say.
func electorateOf(d *datadriven.TestData) (ids []accord.NodeID, err error) {
	arg, _ := d.Arg("electorate")
	for _, val := range arg.Vals {
		id, err := strconv.ParseUint(val, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("nodes: electorate has %q, want numbers of nodes", val)
		}
		ids = append(ids, accord.NodeID(id))
	}
	return ids, nil
}

// configOf returns what a nodes command asks for.
func configOf(d *datadriven.TestData) accord.Config {
	var cfg accord.Config
	if d.HasArg("nofence") {
		cfg.FenceEvery = never
	}
	recoveries, _ := number(d, "recoveries")
	cfg.RecoverMax = int(recoveries)
	cfg.EraseEvery, _ = number(d, "erase")
	cfg.EraseDelay = cfg.EraseEvery
	cfg.Retain, _ = number(d, "retain")
	return cfg
}

func (e *Env) request(d *datadriven.TestData) error {
	n, err := e.named(d)
	if err != nil {
		return err
	}
	e.ref++
	if d.Cmd == "read" {
		n.read(e.time(n), e.ref, keysOf(d))
		return nil
	}
	request, given := number(d, "request")
	if !given {
		request = e.ref + anonymous
	}
	in := accord.Submit{Ref: e.ref, Txn: newTxn(request, keysOf(d), d.HasArg("even"), given)}
	if after := word(d, "after"); after != "" {
		if in.After, err = timestamp(after); err != nil {
			return err
		}
	}
	n.submit(e.time(n), in)
	return nil
}

func (e *Env) demand(d *datadriven.TestData) error {
	n, err := e.named(d)
	if err != nil {
		return err
	}
	at, err := timestamp(word(d, "for"))
	if err != nil {
		return err
	}
	n.demand(e.time(n), at)
	return nil
}

func (e *Env) sync(n *Node) error {
	if n.up() && len(n.unwritten)+n.store.Unsynced() > 0 {
		n.persist(len(n.unwritten))
	}
	return nil
}

// apply applies all that is due at a node, in one transaction.
func (e *Env) apply(n *Node) error {
	if !n.up() || len(n.due) == 0 {
		return nil
	}
	for len(n.due) > 0 {
		n.apply(0)
	}
	n.report(e.time(n))
	return nil
}

// catchUp has a node merge the log that it wants.
func (e *Env) catchUp(n *Node) error {
	if n.up() && n.catching != nil {
		n.catchUp(e.time(n), e.nodes[n.catching.From-1])
	}
	return nil
}

// crash stops a node. It keeps what was synced, and of what was recorded since, as many units as the command
// says.
func (e *Env) crash(d *datadriven.TestData, n *Node) error {
	if !n.up() {
		return errors.New("crash: the node is down")
	}
	keep, _ := number(d, "keep")
	write := min(int(keep), len(n.unwritten))
	n.crash(write, min(int(keep), n.store.Unsynced()+write))
	return nil
}

func (e *Env) setClock(d *datadriven.TestData, n *Node) error {
	ahead, _ := number(d, "ahead")
	behind, _ := number(d, "behind")
	e.behind[n.id] = int64(behind) - int64(ahead)
	return nil
}

// tick lets time pass at once, or in the steps in which timers are due, with all coming to rest after each.
func (e *Env) tick(d *datadriven.TestData) error {
	span, steps := number(d, "for")
	for end := e.now + span; ; {
		next := end
		err := e.each(d, func(n *Node) error {
			if n.up() && e.timed(n) {
				e.tickNode(n)
			}
			return nil
		})
		if err != nil || !steps {
			return err
		}
		if err := e.stabilize(skipped(d)); err != nil {
			return err
		}
		if err := e.each(d, func(n *Node) error { next = min(next, e.timer(n)); return nil }); err != nil {
			return err
		}
		e.now = max(next, e.now+1)
		if e.now >= end {
			return nil
		}
	}
}

// tickNode ticks a node, and says so if anything comes of it.
func (e *Env) tickNode(n *Node) {
	var seen text
	before := len(e.out)
	ticked{n, e.time(n)}.lines(&seen)
	n.tick(e.time(n))
	if string(e.out[before:]) == string(seen) {
		e.out = e.out[:before]
	}
}

// timed tells whether a timer of the node is due.
func (e *Env) timed(n *Node) bool {
	due, ok := n.machine.Deadline()
	return ok && due <= e.time(n)
}

// timer returns when a node's next timer is due, if ever.
func (e *Env) timer(n *Node) uint64 {
	if n.up() {
		if due, ok := n.machine.Deadline(); ok {
			return uint64(int64(due) + e.behind[n.id])
		}
	}
	return ^uint64(0)
}

// state shows what a node holds.
func (e *Env) state(n *Node) error {
	e.out.node(n.id)
	if !n.up() {
		e.out.str(" is down\n")
		return nil
	}
	e.out.str(" has ")
	e.out.scalars(n.machine.Scalars())
	e.out.str("\n")
	records := slices.SortedFunc(n.machine.Records(), func(a, b accord.Record) int { return compareTxnID(a.ID, b.ID) })
	for _, r := range records {
		e.out.str("  ")
		e.out.record(r)
		e.out.str("\n")
	}
	return nil
}
