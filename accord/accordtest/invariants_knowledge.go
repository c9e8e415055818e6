package accordtest

import "natsaccord/accord"

// knowledge checks that whoever answers with dependencies names all it has registered that conflicts and comes
// before the bound, or has it applied below its floor (L0 of docs/protocol.md §13), and so that its conflict index
// survives a restart (I12).
type knowledge struct {
	ledger *ledger
	nodes  map[accord.NodeID]*knownHere
	reads  map[accord.TxnID]accord.Keys
}

// knownHere is what a node has registered in this life.
type knownHere struct {
	keys map[accord.Key][]accord.TxnID
	all  []accord.TxnID
	new  []accord.Record // not known yet when the answers were given that go with them
	seen map[accord.TxnID]bool
}

func newKnowledge(l *ledger) *knowledge {
	return &knowledge{l, map[accord.NodeID]*knownHere{}, map[accord.TxnID]accord.Keys{}}
}

func (k *knowledge) observe(e event) error {
	switch e := e.(type) {
	case restarted:
		here := &knownHere{keys: map[accord.Key][]accord.TxnID{}, seen: map[accord.TxnID]bool{}}
		k.nodes[e.node.id] = here
		for r := range e.node.store.Records() {
			here.add(r)
		}
	case recorded:
		here := k.nodes[e.node.id]
		here.new = append(here.new, e.unit.Records...)
	case settled:
		here := k.nodes[e.node.id]
		for _, r := range here.new {
			here.add(r)
		}
		here.new = here.new[:0]
	case delivered:
		for _, m := range e.packet.messages {
			if b, ok := m.Body.(accord.ReadDeps); ok {
				k.reads[m.TxnID] = b.Keys
			}
		}
	case owed:
		return k.answer(e.node, e.msg)
	}
	return nil
}

func (h *knownHere) add(r accord.Record) {
	if r.Txn == nil || h.seen[r.ID] {
		return
	}
	h.seen[r.ID] = true
	h.all = append(h.all, r.ID)
	for _, key := range r.Txn.Keys {
		h.keys[key] = append(h.keys[key], r.ID)
	}
}

// answer checks the dependencies that a message names.
func (k *knowledge) answer(n *Node, m accord.Message) error {
	x := k.ledger.entry(m.TxnID)
	id := m.TxnID.Timestamp
	switch b := m.Body.(type) {
	case accord.PreAcceptOK:
		return k.complete(n, m, x.keys(), id, b.Deps)
	case accord.RecoverOK:
		return k.complete(n, m, x.keys(), id, b.LocalDeps)
	case accord.AcceptOK:
		if p := x.proposals[b.Ballot]; p != nil { // else it is the node's own, and not on the wire yet
			return k.complete(n, m, x.keys(), p.executeAt, b.Deps)
		}
	case accord.ReadDepsOK:
		return k.complete(n, m, k.reads[m.TxnID], latest(), b.Deps)
	case accord.FenceOK:
		return k.named(n, m, k.nodes[n.id].all, id, b.Deps)
	}
	return nil
}

func latest() accord.Timestamp { return accord.Timestamp{Epoch: 1<<32 - 1} }

func (x *entryOf) keys() accord.Keys {
	if x.txn == nil {
		return nil
	}
	return x.txn.Keys
}

func (k *knowledge) complete(n *Node, m accord.Message, keys accord.Keys, bound accord.Timestamp, deps accord.Deps) error {
	for _, key := range keys {
		if err := k.named(n, m, k.nodes[n.id].keys[key], bound, deps); err != nil {
			return err
		}
	}
	return nil
}

// named checks that dependencies name those of ids that they must.
func (k *knowledge) named(n *Node, m accord.Message, ids []accord.TxnID, bound accord.Timestamp, deps accord.Deps) error {
	for _, id := range ids {
		if id == m.TxnID || !id.Before(bound) || deps.Has(id) || id.Kind == accord.KindRead && m.TxnID.Kind == accord.KindRead {
			continue
		}
		r, kept := n.machine.Record(id)
		if !kept || r.Status == accord.StatusInvalidated || r.Status == accord.StatusApplied && !r.ExecuteAt.After(deps.Floor) {
			continue
		}
		return violation("L0", "node %d answers %s about %s without %s", n.id, kindOf(m.Body), name(m.TxnID.Timestamp), show(r))
	}
	return nil
}
