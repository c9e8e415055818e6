package accord

// In mode G a slow quorum of acceptances chooses executeAt, but not the dependencies: a recovery that finds
// other acceptors may come to others, and another transaction's recovery may have to know which are executed
// with. The Commit round chooses them too, as Paxos does, before anybody executes. docs/protocol.md §3.5, §4.4.

// commit proposes dependencies for a chosen executeAt, at the coordination's ballot. Acceptances that come from
// here on count no more.
func (m *Machine) commit(c *coordination, executeAt Timestamp, deps Deps) {
	c.executeAt, c.proposed = executeAt, deps
	m.enter(c, committing)
	m.counters.Commits++
	m.ask(c)
}

// onCommit takes dependencies as those to execute with, unless a higher ballot was promised or a decision is
// known. What was accepted before stays on record: it is evidence. docs/protocol.md §6.4.
func (m *Machine) onCommit(from NodeID, id TxnID, msg Commit) {
	if !m.general {
		m.counters.Refused++
		return
	}
	if nack, final := m.refusal(id, msg.Ballot); final {
		invariant(nack.Reason != NackInvalidated, "transaction %s: told it is committed at %s, is invalidated", id, msg.ExecuteAt)
		m.owe(from, id, nack)
		return
	}
	c := m.command(id)
	switch {
	case c.rec.Promised.After(msg.Ballot.Timestamp):
		m.owe(from, id, Nack{Ballot: msg.Ballot, Reason: NackPromised, Promised: c.rec.Promised})
		return
	case !msg.ExecuteAt.After(m.scalars.Watermark):
		m.owe(from, id, Nack{Ballot: msg.Ballot, Reason: NackBelowWatermark})
		return
	case !c.registered() && msg.Txn == nil:
		m.owe(from, id, Nack{Ballot: msg.Ballot, Reason: NackNeedBody})
		return
	case !c.registered():
		m.include(c, msg.Txn) // without a vote
	}
	invariant(c.rec.Status != StatusCommitted || c.rec.ExecuteAt == msg.ExecuteAt, "transaction %s: committed at %s and at %s", id, c.rec.ExecuteAt, msg.ExecuteAt)
	c.rec.Promised, c.rec.AcceptedBallot = msg.Ballot, msg.Ballot
	c.rec.ExecuteAt, c.rec.Deps = msg.ExecuteAt, &msg.Deps
	c.advance(StatusCommitted)
	m.index.raise(c)
	m.record(c)
	m.attend(c, m.cfg.RecoverAfter)
	m.owe(from, id, CommitOK{Ballot: msg.Ballot})
}

// onCommitOK collects commits. A node that has a decision refuses instead, and what it tells is taken over.
func (m *Machine) onCommitOK(from NodeID, id TxnID, ok CommitOK) {
	c := m.answer(from, id, committing, ok.Ballot)
	if c == nil {
		return
	}
	c.hasBody.add(m.rank(from))
	if c.answered.len() >= m.slow {
		m.decide(c, c.executeAt, c.proposed)
	}
}
