package accordtest

import (
	"slices"

	"natsaccord/accord"
)

// recoveries checks in mode G that who recovers a transaction goes by the evidence it was given: it keeps the
// transaction's own time only if nobody of its quorum rules the fast path out and all are decided that it has to
// wait for. docs/protocol.md §5.2, §5.4.
type recoveries struct {
	sizes
	reports map[attempt][]accord.Message // of a slow quorum, one of each node
}

// attempt is a node's attempt to recover a transaction.
type attempt struct {
	node   accord.NodeID
	id     accord.TxnID
	ballot accord.Ballot
}

func newRecoveries(s sizes) *recoveries {
	return &recoveries{s, map[attempt][]accord.Message{}}
}

func (r *recoveries) observe(e event) error {
	if !r.general || r.blind {
		return nil
	}
	switch e := e.(type) {
	case delivered:
		for _, m := range e.packet.messages {
			if ok, isReport := m.Body.(accord.RecoverOK); isReport {
				r.report(attempt{e.node.id, m.TxnID, ok.Ballot}, m)
			}
		}
	case sent:
		if b, ok := e.msg.Body.(accord.Accept); ok && !b.Ballot.IsZero() && b.ExecuteAt == e.msg.TxnID.Timestamp {
			return r.keeps(e.node, attempt{e.node.id, e.msg.TxnID, b.Ballot})
		}
	}
	return nil
}

// report notes the reports of the first slow quorum: those an attempt goes by.
func (r *recoveries) report(at attempt, m accord.Message) {
	told := r.reports[at]
	if len(told) < r.slow && !slices.ContainsFunc(told, func(old accord.Message) bool { return old.From == m.From }) {
		r.reports[at] = append(told, m)
	}
}

// keeps checks an attempt that proposes the transaction's own time.
func (r *recoveries) keeps(n *Node, at attempt) error {
	told := r.reports[at]
	if slices.ContainsFunc(told, func(m accord.Message) bool { return m.Body.(accord.RecoverOK).Status >= accord.StatusAccepted }) {
		return nil // what is accepted goes before
	}
	var wait []accord.TxnID
	for _, m := range told {
		ok := m.Body.(accord.RecoverOK)
		if ok.RuledOut {
			return violation("I14", "node %d keeps the time of %s, whose fast path node %d rules out", at.node, name(at.id.Timestamp), m.From)
		}
		wait = append(wait, ok.Wait...)
	}
	for _, x := range wait {
		if held, ok := n.machine.Record(x); ok && !held.Status.Decided() {
			return violation("I14", "node %d keeps the time of %s without waiting for %s", at.node, name(at.id.Timestamp), name(x.Timestamp))
		}
	}
	return nil
}

// fenceRounds checks in mode G that a fence is proposed when a slow quorum has been asked for what it must name, and
// committed when one has accepted it, with all that they named (I14).
type fenceRounds struct {
	sizes
	answers map[fenceRound]map[accord.NodeID][]accord.Deps
}

// fenceRound is one round of a fence at who collects it.
type fenceRound struct {
	node  accord.NodeID
	id    accord.TxnID
	round uint8
}

func newFenceRounds(s sizes) *fenceRounds {
	return &fenceRounds{s, map[fenceRound]map[accord.NodeID][]accord.Deps{}}
}

func (f *fenceRounds) observe(e event) error {
	if !f.general || f.blind {
		return nil
	}
	switch e := e.(type) {
	case delivered:
		for _, m := range e.packet.messages {
			if ok, isOK := m.Body.(accord.FenceOK); isOK {
				f.answer(fenceRound{e.node.id, m.TxnID, ok.Round}, m.From, ok.Deps)
			}
		}
	case sent:
		switch b := e.msg.Body.(type) {
		case accord.FenceAccept:
			return f.covered(fenceRound{e.node.id, e.msg.TxnID, 1}, b.Deps)
		case accord.FenceCommit:
			if e.free { // else it is the answer to a FenceFetch
				return f.covered(fenceRound{e.node.id, e.msg.TxnID, 2}, b.Deps)
			}
		}
	}
	return nil
}

func (f *fenceRounds) answer(at fenceRound, from accord.NodeID, d accord.Deps) {
	if f.answers[at] == nil {
		f.answers[at] = map[accord.NodeID][]accord.Deps{}
	}
	f.answers[at][from] = append(f.answers[at][from], d)
}

func (f *fenceRounds) covered(at fenceRound, d accord.Deps) error {
	if (&answers{sizes: f.sizes}).coversQuorum(d, f.answers[at]) {
		return nil
	}
	return violation("I14", "node %d goes on with fence %s after round %d without a quorum, or without what that named", at.node, name(at.id.Timestamp), at.round)
}
