package accordtest

import (
	"slices"

	"natsaccord/accord"
)

// committed is what one ballot's Commit proposes to execute with.
type committed struct {
	deps accord.Deps
	by   []accord.NodeID // who sent an OK
}

// commit notes the dependencies of a ballot's Commit. A ballot has one set, and if a set was chosen below it, that
// one: the Commit round is a Paxos round too (I1).
func (l *ledger) commit(id accord.TxnID, c accord.Commit) error {
	if err := l.propose(id, c.Ballot, proposal{executeAt: c.ExecuteAt}); err != nil {
		return err
	}
	x := l.entry(id)
	if old := x.commits[c.Ballot]; old == nil {
		x.commits[c.Ballot] = &committed{deps: c.Deps}
	} else if !sameDeps(&old.deps, &c.Deps) {
		return violation("I13", "%s is committed with two sets at ballot %s", name(id.Timestamp), name(c.Ballot.Timestamp))
	}
	return l.chosenDeps(x)
}

// commitOK notes a CommitOK.
func (l *ledger) commitOK(from accord.NodeID, id accord.TxnID, b accord.Ballot) error {
	x := l.entry(id)
	c := x.commits[b]
	if c == nil {
		return violation("I14", "node %d commits %s at ballot %s, which was never proposed", from, name(id.Timestamp), name(b.Timestamp))
	}
	if !slices.Contains(c.by, from) {
		c.by = append(c.by, from)
	}
	return l.chosenDeps(x)
}

// chosenDeps checks that what a slow quorum committed at one ballot is what all higher ones commit.
func (l *ledger) chosenDeps(x *entryOf) error {
	for low, c := range x.commits {
		if len(c.by) < l.slow || l.blind {
			continue
		}
		for high, d := range x.commits {
			if high.After(low.Timestamp) && !sameDeps(&c.deps, &d.deps) {
				return violation("I1", "%s: its deps were chosen at ballot %s, and others are committed at %s", name(x.id.Timestamp), name(low.Timestamp), name(high.Timestamp))
			}
		}
	}
	return nil
}

// evidence is what is known about whether a transaction may have been decided fast.
type evidence struct {
	fast   []accord.NodeID // whose fast votes are on the wire
	denied accord.NodeID   // who has told that the fast path is ruled out; 0: nobody
}

// evidences checks that nobody ever has evidence against a fast path for which a fast quorum has voted, whether
// or not anybody took it (I23), unless it has been decided otherwise since: then nobody names it any more if it is
// invalidated, and watermarks may have passed it if it executes later. And that recoveries wait for earlier transactions only (I24).
type evidences struct{ ledger *ledger }

func newEvidences(l *ledger) *evidences { return &evidences{l} }

func (v *evidences) observe(e event) error {
	s, ok := e.(sent)
	if !ok {
		return nil
	}
	id := s.msg.TxnID
	entry := v.ledger.entry(id)
	x := &entry.evidence
	switch b := s.msg.Body.(type) {
	case accord.PreAcceptOK:
		if b.Fast && v.ledger.elects(s.node.id) && !slices.Contains(x.fast, s.node.id) {
			x.fast = append(x.fast, s.node.id)
		}
	case accord.RecoverOK:
		if b.RuledOut {
			x.denied = s.node.id
		}
		for _, wait := range b.Wait {
			if !wait.Before(id.Timestamp) {
				return violation("I24", "node %d has %s wait for %s", s.node.id, name(id.Timestamp), name(wait.Timestamp))
			}
		}
	default:
		return nil
	}
	if x.denied != 0 && len(x.fast) >= v.ledger.fast && !(entry.decided && entry.executeAt != id.Timestamp) {
		return violation("I23", "node %d rules the fast path of %s out, for which %v have voted", x.denied, name(id.Timestamp), x.fast)
	}
	return nil
}

// commit notes what a node asks others to commit. Of what it committed for another, it counts no answers.
func (x *ballotBox) commit(b accord.Ballot, d accord.Deps) {
	if x.commits[b] == nil {
		x.commits[b] = &committed{deps: d}
	}
}

// chosen tells whether a slow quorum has committed just these dependencies.
func (x *ballotBox) chosen(slow int, d accord.Deps) bool {
	for _, c := range x.commits {
		if len(c.by) >= slow && sameDeps(&c.deps, &d) {
			return true
		}
	}
	return false
}

// learn notes that a node was told a decision.
func (x *ballotBox) learn(d *accord.Deps) {
	x.learnt = true
	if d != nil {
		x.told = append(x.told, *d)
	}
}

// wasTold tells whether a node was told a decision as it has recorded it.
func (x *ballotBox) wasTold(r accord.Record) bool {
	return r.Deps == nil || r.Status == accord.StatusInvalidated ||
		slices.ContainsFunc(x.told, func(d accord.Deps) bool { return sameDeps(&d, r.Deps) })
}

// commits checks that who asks to commit dependencies has a quorum that accepted, and all that it named, or found
// them committed (I14).
func (a *answers) commits(node accord.NodeID, id accord.TxnID, c accord.Commit) error {
	x := a.box(node, id)
	if accepts := x.accepts[c.Ballot]; a.blind || len(accepts) >= a.slow && covers(c.Deps, x.deps[c.Ballot]) && a.coversQuorum(c.Deps, accepts) {
		return nil
	}
	for b, other := range a.ledger.entry(id).commits {
		if c.Ballot.After(b.Timestamp) && sameDeps(&other.deps, &c.Deps) {
			return nil
		}
	}
	return violation("I14", "node %d commits %s with deps that no quorum has named", node, name(id.Timestamp))
}
