package accord

// report is what a node told when it promised a recovery's ballot.
type report struct {
	from NodeID
	RecoverOK
}

// recover tries to decide a transaction in place of its coordinator. docs/protocol.md §5.2.
func (m *Machine) recover(c *command, txn *Txn) {
	m.retry(c, txn, promising)
}

// recoverUnknown tries to make sure that a transaction whose body nobody here can tell never happens.
// docs/protocol.md §5.5.
func (m *Machine) recoverUnknown(c *command) {
	m.retry(c, nil, promisingUnknown)
}

// retry starts an attempt at a new ballot, above all that were seen here for the transaction.
func (m *Machine) retry(c *command, txn *Txn, p phase) {
	m.counters.Recoveries++
	m.recovering++
	c.attempts++
	ballot := Ballot{m.timestampAfter(c.rec.Promised.Timestamp)}
	attempt := m.coordinate(c.rec.ID, txn, ballot, p)
	attempt.path = PathRecovered
	m.ask(attempt)
	m.lookAt(c, m.now+m.cfg.RecoverAfter)
}

// onRecover promises a ballot and reports. It registers the transaction, so that whatever is accepted here
// later knows it; that vote is never a fast one. docs/protocol.md §3.8.
func (m *Machine) onRecover(from NodeID, id TxnID, msg Recover) {
	if !m.believable(from, msg.Ballot) || msg.Txn == nil {
		return
	}
	if nack, final := m.refusal(id, msg.Ballot); final {
		m.owe(from, id, nack)
		return
	}
	c := m.command(id)
	if !c.promise(msg.Ballot) {
		m.owe(from, id, Nack{Ballot: msg.Ballot, Reason: NackPromised, Promised: c.rec.Promised})
		return
	}
	if !c.registered() && !m.mutated(MutateNoRegister) {
		m.register(c, msg.Txn, msg.Ballot)
		if c.rec.Status == StatusNone {
			c.advance(StatusPreAccepted)
		}
	}
	m.record(c)
	m.attend(c, m.cfg.RecoverAfter)
	m.owe(from, id, m.report(c, msg))
}

// report tells what c's record holds.
func (m *Machine) report(c *command, msg Recover) RecoverOK {
	ok := RecoverOK{
		Ballot: msg.Ballot, Status: c.rec.Status, AcceptedBallot: c.rec.AcceptedBallot, ExecuteAt: c.rec.ExecuteAt,
		Vote: c.rec.Vote, Fast: c.rec.VoteFast, Rejected: c.rec.VoteRejected,
		LocalDeps: m.index.deps(c.rec.ID, msg.Txn.Keys, c.rec.ID.Timestamp, m.scalars.Watermark),
	}
	switch {
	case c.rec.Status == StatusCommitted:
		ok.AcceptedDeps = *c.rec.Deps
	case c.rec.AcceptedDeps != nil:
		ok.AcceptedDeps = *c.rec.AcceptedDeps
	}
	if m.general {
		ok.RuledOut, ok.Wait = m.evidence(c.rec.ID, msg.Txn.Keys)
	}
	if m.mutated(MutatePromisedAsAccept) {
		ok.AcceptedBallot = c.rec.Promised
	}
	return ok
}

// believable tells whether a ballot is one its sender may use.
func (m *Machine) believable(from NodeID, b Ballot) bool {
	if b.Node == from && b.Kind == KindVote && b.HLC <= m.now+m.cfg.MaxSkew {
		return true
	}
	m.counters.Refused++
	return false
}

// onRecoverOK collects reports, and acts when a slow quorum has promised.
func (m *Machine) onRecoverOK(from NodeID, id TxnID, ok RecoverOK) {
	c := m.answer(from, id, promising, ok.Ballot)
	if c == nil {
		return
	}
	c.hasBody.add(m.rank(from))
	c.reports = append(c.reports, report{from, ok})
	if c.answered.len() == m.slow {
		m.choose(c)
	}
}

// choose proposes what the reports of a slow quorum demand. A decision would have ended the attempt already;
// the cases are those of docs/protocol.md §5.2, in their order.
func (m *Machine) choose(c *coordination) {
	if best := m.highest(c.reports); best != nil {
		switch best.Status {
		case StatusCommitted:
			m.commit(c, best.ExecuteAt, best.AcceptedDeps)
		case StatusAcceptedInvalidate:
			m.invalidate(c)
		default:
			m.propose(c, best.ExecuteAt, best.AcceptedDeps)
		}
		return
	}
	rejects := 0
	for _, r := range c.reports {
		c.vote = maxTimestamp(c.vote, r.Vote)
		c.deps = c.deps.Union(r.LocalDeps)
		c.rejected = c.rejected || r.Rejected
		if !r.Fast && m.mutateRejects(r.from) {
			rejects++
		}
	}
	ruledOut := rejects >= m.rejects && !m.mutated(MutateIgnoreVotes)
	if m.general && !ruledOut {
		m.weighEvidence(c)
		return
	}
	m.push(c, ruledOut)
}

// push proposes what the votes allow once it is known whether they rule the fast path out.
func (m *Machine) push(c *coordination, ruledOut bool) {
	switch {
	case ruledOut && c.rejected || m.mutated(MutateAlwaysInvalidate):
		m.invalidate(c)
	case ruledOut: // the fast path was not taken: any value may be proposed
		m.propose(c, c.vote, c.deps)
	default: // it may have been: only t0 may be
		m.propose(c, c.id.Timestamp, c.deps)
	}
}

// highest returns the report of the highest accepted ballot, whatever was accepted there; nil if nothing was.
// The ballot decides, never the timestamp. What is committed goes before what is accepted at any ballot: its
// executeAt was chosen, and perhaps its deps.
func (m *Machine) highest(reports []report) *report {
	var best *report
	for i := range reports {
		r := &reports[i]
		if r.Status < StatusAccepted || r.Status > StatusCommitted {
			continue
		}
		higher := best == nil || r.AcceptedBallot.After(best.AcceptedBallot.Timestamp)
		if m.mutated(MutateLargestT) {
			higher = best == nil || r.ExecuteAt.After(best.ExecuteAt)
		}
		if best != nil && (r.Status == StatusCommitted) != (best.Status == StatusCommitted) {
			higher = r.Status == StatusCommitted
		}
		if higher {
			best = r
		}
	}
	return best
}

// onBeginInvalidation promises a ballot to a node that has no body. docs/protocol.md §3.9.
func (m *Machine) onBeginInvalidation(from NodeID, id TxnID, msg BeginInvalidation) {
	if !m.believable(from, msg.Ballot) {
		return
	}
	if nack, final := m.refusal(id, msg.Ballot); final {
		m.owe(from, id, nack)
		return
	}
	c := m.command(id)
	if !c.promise(msg.Ballot) {
		m.owe(from, id, Nack{Ballot: msg.Ballot, Reason: NackPromised, Promised: c.rec.Promised})
		return
	}
	m.record(c)
	m.attend(c, m.cfg.RecoverAfter)
	m.owe(from, id, InvalidateOK{Ballot: msg.Ballot, Status: c.rec.Status, AcceptedBallot: c.rec.AcceptedBallot, Txn: c.rec.Txn})
}

// onInvalidateOK invalidates what a slow quorum knows nothing of, or hands over to a recovery with the body
// that turned up.
func (m *Machine) onInvalidateOK(from NodeID, id TxnID, ok InvalidateOK) {
	c := m.answer(from, id, promisingUnknown, ok.Ballot)
	if c == nil {
		return
	}
	if ok.Txn != nil {
		c.txn = ok.Txn
	}
	if c.answered.len() < m.slow {
		return
	}
	if c.txn == nil {
		m.invalidate(c)
		return
	}
	m.drop(id)
	m.recover(m.command(id), c.txn)
}
