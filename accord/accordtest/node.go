package accordtest

import (
	"fmt"
	"slices"

	"natsaccord/accord"
)

// Node is one replica: a Machine, its store, and the work that the Machine handed out and that is not done
// yet. It holds the caller's side of the contract on accord.Ready, and decides nothing: when a sync ends, an
// execution is done or a message arrives is up to whoever drives it.
type Node struct {
	id      accord.NodeID
	cfg     accord.Config
	store   *MemStore
	machine *accord.Machine   // nil while the node is down
	life    int               // how often it was started
	spent   []accord.Counters // of the Machines of earlier lives
	emit    func(event)
	send    func(*packet)
	loose   Mutation // planted bugs of the surroundings

	unwritten []Unit // not yet handed to the store
	units     int    // handed out by the Machine in this life
	persisted int    // of these, durable
	debts     []debt
	due       []accord.Execution
	own       []*packet               // to itself
	done      []accord.TxnID          // applied, and the Machine does not know yet
	catching  *accord.CatchUp         // the log it wants
	clients   map[accord.TxnID]uint64 // whom to answer: the Ref of a transaction submitted in this life
}

// debt is messages that wait for the first so many units to be durable.
type debt struct {
	units  int
	header accord.Header
	msgs   []accord.Message
}

// newNode returns a node that is down and has an empty store.
func newNode(cfg accord.Config, emit func(event), send func(*packet)) *Node {
	return &Node{id: cfg.Self, cfg: cfg, store: NewMemStore(), emit: emit, send: send}
}

// up tells whether the node runs.
func (n *Node) up() bool { return n.machine != nil }

// knows tells whether the node has a transaction, or will have it when it restarts.
func (n *Node) knows(id accord.TxnID) bool {
	if !n.up() {
		_, ok := n.store.durable.record(id)
		return ok
	}
	_, ok := n.machine.Record(id)
	return ok
}

// start starts the node from what its store holds.
func (n *Node) start() error {
	machine, err := accord.Restore(n.cfg, n.store.Scalars(), n.store.Records())
	if err != nil {
		return fmt.Errorf("start node %d: %w", n.id, err)
	}
	n.machine = machine
	n.life++
	n.unwritten, n.units, n.persisted = nil, 0, 0
	n.debts, n.due, n.own, n.done, n.catching = nil, nil, nil, nil, nil
	n.clients = make(map[accord.TxnID]uint64)
	n.emit(restarted{n})
	n.collect()
	return nil
}

// crash stops the node. Of what was not durable, the store keeps as much as write and keep allow: the first
// write units that it was not even handed, and then the first keep of all its unsynced entries.
func (n *Node) crash(write, keep int) {
	n.store.Append(n.unwritten[:write]...)
	unsynced := n.store.Unsynced()
	n.store.Crash(keep, n.loose)
	n.spent = append(n.spent, n.machine.Counters())
	n.machine = nil
	n.emit(crashed{n, keep, unsynced - keep + len(n.unwritten) - write})
	n.unwritten, n.debts, n.due, n.own, n.done, n.clients, n.catching = nil, nil, nil, nil, nil, nil, nil
}

// step has the Machine take one input, and leaves what comes of it inside.
func (n *Node) step(now uint64, in accord.Input) { n.machine.Step(now, in) }

// submit gives the node a transaction to coordinate.
func (n *Node) submit(now uint64, in accord.Submit) {
	n.emit(submitted{n, in})
	n.step(now, in)
	n.collect()
}

// read asks the node when keys may be read.
func (n *Node) read(now, ref uint64, keys accord.Keys) {
	n.emit(asked{n, ref, keys})
	n.step(now, accord.Read{Ref: ref, Keys: keys})
	n.collect()
}

// demand tells the node that somebody waits for a watermark.
func (n *Node) demand(now uint64, at accord.Timestamp) {
	n.step(now, accord.Demand{At: at})
	n.collect()
}

// deliver gives the node packets, and then takes what has come of all of them at once.
func (n *Node) deliver(now uint64, packets ...*packet) {
	for _, p := range packets {
		n.emit(delivered{n, p, now})
		n.step(now, accord.Deliver{From: p.from, Header: p.header, Messages: p.messages})
		n.emit(taken{n})
	}
	n.collect()
}

// deliverOwn gives the node what it sent to itself.
func (n *Node) deliverOwn(now uint64) {
	own := n.own
	n.own = nil
	n.deliver(now, own...)
}

// tick lets time pass.
func (n *Node) tick(now uint64) {
	n.emit(ticked{n, now})
	n.step(now, accord.Tick{})
	n.collect()
}

// collect takes the Machine's Ready and starts on it.
func (n *Node) collect() {
	r := n.machine.Ready()
	for _, s := range r.Started {
		n.clients[s.TxnID] = s.Ref
		n.emit(started{n, s.Ref, s.TxnID})
	}
	n.post(r.Header, r.Messages, true)
	if len(r.Records) > 0 || r.Scalars != nil {
		unit := Unit{r.Records, r.Scalars}
		n.units++
		n.unwritten = append(n.unwritten, unit)
		n.emit(recorded{n, unit})
	}
	for _, msg := range r.AfterPersist {
		n.emit(owed{n, msg})
	}
	if len(r.AfterPersist) > 0 {
		n.debts = append(n.debts, debt{n.units, r.Header, r.AfterPersist})
		n.settle()
	}
	for _, e := range r.Execute {
		n.emit(handedOut{n, e})
		n.due = append(n.due, e)
	}
	for _, id := range r.Aborted {
		delete(n.clients, id)
		n.emit(aborted{n, id})
	}
	for _, id := range r.Forgotten {
		delete(n.clients, id)
		n.emit(forgotten{n, id})
	}
	if r.CatchUp != nil {
		n.catching = r.CatchUp
	}
	for _, ref := range r.Readable {
		n.emit(readable{n, ref})
	}
	n.emit(settled{n})
}

// persist makes the first count of the unwritten units durable, and pays the debts that waited for them.
func (n *Node) persist(count int) {
	n.store.Append(n.unwritten[:count]...)
	entries := n.store.Unsynced()
	n.store.Sync()
	n.unwritten = n.unwritten[count:]
	n.persisted += count
	n.emit(synced{n, entries})
	n.settle()
}

// settle sends what is no longer owed.
func (n *Node) settle() {
	for len(n.debts) > 0 && (n.debts[0].units <= n.persisted || n.loose.has(MutateReplyBeforeSync)) {
		d := n.debts[0]
		n.debts = n.debts[1:]
		n.post(d.header, d.msgs, false)
	}
}

// post puts messages on the wire, one packet for each receiver. What the node sends to itself stays inside.
func (n *Node) post(header accord.Header, msgs []accord.Message, free bool) {
	var packets []*packet
	for _, msg := range msgs {
		n.emit(sent{n, header, msg, free})
		i := slices.IndexFunc(packets, func(p *packet) bool { return p.to == msg.To })
		if i < 0 {
			i = len(packets)
			packets = append(packets, &packet{from: n.id, to: msg.To, header: header})
		}
		packets[i].messages = append(packets[i].messages, msg)
	}
	for _, p := range packets {
		if p.to == n.id {
			n.own = append(n.own, p)
		} else {
			n.send(p)
		}
	}
}

// mayApply returns which of the due executions may be applied next: the first, and any that shares no key
// with one before it.
func (n *Node) mayApply() []int {
	var may []int
next:
	for i, e := range n.due {
		if n.loose.has(MutateReorderedApply) {
			may = append(may, i)
			continue
		}
		for _, before := range n.due[:i] {
			if e.Record.Txn.Keys.Intersects(before.Record.Txn.Keys) {
				continue next
			}
		}
		may = append(may, i)
	}
	return may
}

// apply applies the i-th of the due executions and answers its client.
func (n *Node) apply(i int) {
	e := n.due[i]
	n.due = slices.Delete(slices.Clone(n.due), i, i+1)
	id := e.Record.ID
	outcome := n.store.Apply(e)
	n.done = append(n.done, id)
	n.emit(applied{n, e, outcome})
	if ref, ok := n.clients[id]; ok {
		delete(n.clients, id)
		n.emit(acknowledged{n, ref, id, outcome})
	}
}

// report tells the Machine what is applied.
func (n *Node) report(now uint64) {
	ids := n.done
	n.done = nil
	n.step(now, accord.Executed{IDs: ids})
	n.collect()
}

func compareTxnID(a, b accord.TxnID) int { return a.Compare(b.Timestamp) }
