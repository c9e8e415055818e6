package accordtest

import (
	"slices"

	"github.com/cockroachdb/datadriven"

	"natsaccord/accord"
)

// transmit takes a packet that a node sends, one message at a time.
func (e *Env) transmit(p *packet) {
	for _, m := range p.messages {
		e.wire = append(e.wire, &packet{from: p.from, to: p.to, header: p.header, messages: []accord.Message{m}})
	}
}

// gather puts what nodes have sent to themselves on the wire too, for scripts to see.
func (e *Env) gather() {
	for _, n := range e.nodes {
		own := n.own
		n.own = nil
		for _, p := range own {
			e.transmit(p)
		}
	}
}

// carry delivers, loses or doubles the messages that a command chooses, in the order they were sent.
func (e *Env) carry(d *datadriven.TestData) error {
	e.gather()
	var chosen []*packet
	for _, p := range e.wire {
		if matches(d, p) && !(d.HasArg("first") && len(chosen) > 0) {
			chosen = append(chosen, p)
		}
	}
	if d.Cmd != "dup" {
		e.wire = slices.DeleteFunc(e.wire, func(p *packet) bool { return slices.Contains(chosen, p) })
	}
	for _, p := range chosen {
		if n := e.nodes[p.to-1]; d.Cmd != "drop" && n.up() {
			n.deliver(e.time(n), p)
		} else {
			e.emit(lost{p})
		}
	}
	return nil
}

// matches tells whether a command chooses a message.
func matches(d *datadriven.TestData, p *packet) bool {
	from, byFrom := number(d, "from")
	to, byTo := number(d, "to")
	kind, txn := word(d, "kind"), word(d, "txn")
	m := p.messages[0]
	return (!byFrom || p.from == accord.NodeID(from)) && (!byTo || p.to == accord.NodeID(to)) &&
		(kind == "" || kindOf(m.Body) == kind) && (txn == "" || name(m.TxnID.Timestamp) == txn)
}

// stabilize delivers, syncs and applies until nothing is left to do, leaving some nodes out. What is sent to
// those stays on the wire.
func (e *Env) stabilize(skip func(accord.NodeID) bool) error {
	for e.busy(skip) {
		e.deliverAll(skip)
		for _, n := range e.nodes {
			if skip(n.id) {
				continue
			}
			if err := e.sync(n); err != nil {
				return err
			}
			if err := e.apply(n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Env) busy(skip func(accord.NodeID) bool) bool {
	e.gather()
	if slices.ContainsFunc(e.wire, func(p *packet) bool { return !skip(p.to) && !skip(p.from) }) {
		return true
	}
	return slices.ContainsFunc(e.nodes, func(n *Node) bool {
		return n.up() && !skip(n.id) && len(n.unwritten)+n.store.Unsynced()+len(n.due) > 0
	})
}

func (e *Env) deliverAll(skip func(accord.NodeID) bool) {
	wire := e.wire
	e.wire = nil
	for _, p := range wire {
		n := e.nodes[p.to-1]
		switch {
		case skip(p.to) || skip(p.from):
			e.wire = append(e.wire, p)
		case n.up():
			n.deliver(e.time(n), p)
		default:
			e.emit(lost{p})
		}
	}
}

// pending shows what is on the wire.
func (e *Env) pending() {
	e.gather()
	if len(e.wire) == 0 {
		e.out.str("nothing is on its way\n")
	}
	for _, p := range e.wire {
		e.out.str("  ")
		e.out.message(p.messages[0])
		if w := p.header.Watermark; !w.IsZero() {
			e.out.str(", and its sender's watermark is ")
			e.out.time(w)
		}
		e.out.str("\n")
	}
}
