package accordtest

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/datadriven"

	"natsaccord/accord"
)

// recoversMax is how often a node may look after a transaction until it has to begin an attempt.
const recoversMax = 200

// recovers lets time pass at one node, and has the others answer its questions, until it begins an attempt to
// decide a transaction. Of all that only the beginning is told. The others do not say that they are at it already.
func (e *Env) recovers(d *datadriven.TestData, n *Node) error {
	skip := skipped(d)
	txn := word(d, "txn")
	for range recoversMax {
		e.out = nil
		due := e.timer(n)
		if due == ^uint64(0) {
			break
		}
		e.now = max(e.now, due)
		e.tickNode(n)
		if err := e.sync(n); err != nil {
			return err
		}
		if e.begun(n, txn) {
			return nil
		}
		for _, peer := range e.nodes {
			if peer == n || skip(peer.id) {
				continue
			}
			if err := e.exchange(n, peer); err != nil {
				return err
			}
			if e.begun(n, txn) {
				return nil
			}
		}
	}
	return fmt.Errorf("node %d does not recover %s", n.id, txn)
}

// exchange carries a node's inquiries to another, and the answers back.
func (e *Env) exchange(n, peer *Node) error {
	e.pass(n, peer, func(body accord.Body) bool { _, ok := body.(accord.Fetch); return ok })
	if err := e.sync(peer); err != nil {
		return err
	}
	e.out = nil
	e.pass(peer, n, func(body accord.Body) bool { _, ok := body.(accord.FetchOK); return ok })
	return nil
}

// pass delivers messages of a kind.
func (e *Env) pass(from, to *Node, kind func(accord.Body) bool) {
	var chosen []*packet
	e.wire = slices.DeleteFunc(e.wire, func(p *packet) bool {
		if p.from != from.id || p.to != to.id || !kind(p.messages[0].Body) {
			return false
		}
		chosen = append(chosen, p)
		return true
	})
	for _, p := range chosen {
		if ok, told := p.messages[0].Body.(accord.FetchOK); told {
			ok.Active = false // only progress may depend on it
			p.messages[0].Body = ok
		}
		if to.up() {
			to.deliver(e.time(to), p)
		}
	}
}

// begun tells whether a node has an attempt at a transaction on the wire.
func (e *Env) begun(n *Node, txn string) bool {
	return slices.ContainsFunc(e.wire, func(p *packet) bool {
		m := p.messages[0]
		switch m.Body.(type) {
		case accord.Recover, accord.BeginInvalidation:
			return p.from == n.id && name(m.TxnID.Timestamp) == txn
		}
		return false
	})
}

// fences has a node issue fences, one after another, with all coming to rest after each.
func (e *Env) fences(d *datadriven.TestData, n *Node) error {
	count, _ := number(d, "count")
	for range count {
		e.now += fencePause
		n.demand(e.time(n), accord.Timestamp{HLC: e.time(n), Node: n.id})
		if err := e.stabilize(skipped(d)); err != nil {
			return err
		}
	}
	return nil
}

// fencePause is longer than a node waits for the next fence before it issues one on demand.
const fencePause = 40 * accord.Millisecond
