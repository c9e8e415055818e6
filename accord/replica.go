package accord

// command returns the command of a transaction, a new one if there is none.
func (m *Machine) command(id TxnID) *command {
	c := m.commands[id]
	if c == nil {
		c = &command{rec: Record{ID: id}}
		m.commands[id] = c
	}
	return c
}

// refusal answers a message about a transaction whose outcome is known here, or was and is forgotten.
// docs/protocol.md §3.1.
func (m *Machine) refusal(id TxnID, ballot Ballot) (Nack, bool) {
	c := m.commands[id]
	if c == nil {
		executeAt, forgotten := m.tombstones[id]
		switch {
		case forgotten && executeAt.IsZero():
			return Nack{Ballot: ballot, Reason: NackInvalidated}, true
		case forgotten:
			return Nack{Ballot: ballot, Reason: NackStable, Stable: m.truncated(executeAt)}, true
		case id.Before(m.scalars.RedundantBefore):
			return Nack{Ballot: ballot, Reason: NackTruncated}, true
		}
		return Nack{}, false
	}
	switch c.rec.Status {
	case StatusInvalidated:
		return Nack{Ballot: ballot, Reason: NackInvalidated}, true
	case StatusStable, StatusApplied:
		if c.rec.Deps == nil || c.rec.Txn == nil {
			return Nack{Ballot: ballot, Reason: NackStable, Stable: m.truncated(c.rec.ExecuteAt)}, true
		}
		s := c.stable(true)
		return Nack{Ballot: ballot, Reason: NackStable, Stable: &s}, true
	}
	return Nack{}, false
}

// truncated tells a decision whose dependencies and body are no longer kept.
func (m *Machine) truncated(executeAt Timestamp) *Stable {
	return &Stable{ExecuteAt: executeAt, Deps: Deps{Floor: m.scalars.Watermark}, Truncated: true}
}

// register gives this replica's vote on a transaction and makes later ones see it. It happens once; the vote
// never changes. docs/protocol.md §3.1.
func (m *Machine) register(c *command, txn *Txn, ballot Ballot) {
	id := c.rec.ID
	conflict := maxTimestamp(m.scalars.ConflictFloor, m.index.max(id.Kind, txn.Keys))
	late := id.HLC+m.cfg.ExpireAfter < m.now
	rejected := id.Before(m.scalars.RejectFloor) || late
	if ballot == (Ballot{}) && !rejected && id.After(conflict) {
		c.rec.Vote, c.rec.VoteFast = id.Timestamp, true
	} else {
		c.rec.Vote = m.timestampAfter(maxTimestamp(id.Timestamp, conflict))
		c.rec.VoteFast, c.rec.VoteRejected = false, rejected
	}
	m.include(c, txn)
}

// include makes later transactions see c.
func (m *Machine) include(c *command, txn *Txn) {
	c.rec.Txn = txn
	m.index.add(c)
	m.watchFences()
}

// deps returns what a transaction must wait for if it executes before bound.
func (m *Machine) deps(c *command, bound Timestamp) Deps {
	return m.index.deps(c.rec.ID, c.rec.Txn.Keys, bound, m.scalars.Watermark)
}

// onPreAccept votes. docs/protocol.md §3.2.
func (m *Machine) onPreAccept(from NodeID, id TxnID, msg PreAccept) {
	if from != id.Node || msg.Txn == nil {
		m.counters.Refused++
		return
	}
	if id.HLC > m.now+m.cfg.MaxSkew {
		m.counters.ClockSkews++
		m.owe(from, id, Nack{Reason: NackClockSkew})
		return
	}
	if nack, final := m.refusal(id, Ballot{}); final {
		m.owe(from, id, nack)
		return
	}
	c := m.command(id)
	switch {
	case c.rec.Promised != Ballot{}:
		m.owe(from, id, Nack{Reason: NackPromised, Promised: c.rec.Promised})
		return
	case c.rec.Status > StatusPreAccepted:
		m.owe(from, id, Nack{Reason: NackRedundant})
		return
	case !c.registered():
		m.register(c, msg.Txn, Ballot{})
		c.advance(StatusPreAccepted)
		m.record(c)
		m.attend(c, m.cfg.RecoverAfter)
	}
	m.mutateVote(c)
	m.owe(from, id, PreAcceptOK{Vote: c.rec.Vote, Fast: c.rec.VoteFast, Rejected: c.rec.VoteRejected, Deps: m.deps(c, id.Timestamp)})
}

// onAccept accepts a proposed executeAt, unless a higher ballot was promised. It answers with all it knows up
// to executeAt, not just up to the TxnID. docs/protocol.md §3.3.
func (m *Machine) onAccept(from NodeID, id TxnID, msg Accept) {
	if nack, final := m.refusal(id, msg.Ballot); final {
		m.owe(from, id, nack)
		return
	}
	c := m.command(id)
	switch {
	case c.rec.Promised.After(msg.Ballot.Timestamp) && !m.mutated(MutateIgnorePromise):
		m.owe(from, id, Nack{Ballot: msg.Ballot, Reason: NackPromised, Promised: c.rec.Promised})
		return
	case c.rec.Status == StatusCommitted:
		m.owe(from, id, Nack{Ballot: msg.Ballot, Reason: NackRedundant, Promised: c.rec.Promised})
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
	c.rec.Promised, c.rec.AcceptedBallot = msg.Ballot, msg.Ballot
	c.rec.ExecuteAt, c.rec.AcceptedDeps = msg.ExecuteAt, &msg.Deps
	c.advance(StatusAccepted)
	m.index.raise(c)
	m.record(c)
	m.attend(c, m.cfg.RecoverAfter)
	m.owe(from, id, AcceptOK{Ballot: msg.Ballot, Deps: m.deps(c, m.mutateBound(id, msg.ExecuteAt))})
}

// onAcceptInvalidate accepts that a transaction never happens, unless a higher ballot was promised. Its vote,
// if there is one, goes on protecting others. docs/protocol.md §3.4.
func (m *Machine) onAcceptInvalidate(from NodeID, id TxnID, msg AcceptInvalidate) {
	if nack, final := m.refusal(id, msg.Ballot); final && nack.Reason != NackInvalidated {
		m.owe(from, id, nack)
		return
	} else if final {
		m.owe(from, id, AcceptInvalidateOK(msg))
		return
	}
	c := m.command(id)
	if !c.promise(msg.Ballot) {
		m.owe(from, id, Nack{Ballot: msg.Ballot, Reason: NackPromised, Promised: c.rec.Promised})
		return
	}
	c.rec.AcceptedBallot, c.rec.ExecuteAt, c.rec.AcceptedDeps = msg.Ballot, Timestamp{}, nil
	c.advance(StatusAcceptedInvalidate)
	m.record(c)
	m.attend(c, m.cfg.RecoverAfter)
	m.owe(from, id, AcceptInvalidateOK(msg))
}

// onStable takes a decision. docs/protocol.md §3.6.
func (m *Machine) onStable(from NodeID, id TxnID, msg Stable) {
	c := m.commands[id]
	known := c != nil && c.rec.Status.Decided()
	if t, forgotten := m.tombstones[id]; forgotten {
		invariant(t == msg.ExecuteAt, "transaction %s: told it executes at %s, had %s", id, msg.ExecuteAt, t)
		known = true
	} else if c == nil && id.Before(m.scalars.RedundantBefore) {
		known = true
	}
	switch {
	case known:
		invariant(c == nil || c.rec.Status != StatusInvalidated && c.rec.ExecuteAt == msg.ExecuteAt,
			"transaction %s: told it executes at %s, is %s", id, msg.ExecuteAt, m.describe(c))
	case msg.Truncated:
		m.lag()
		return
	case msg.Txn == nil && (c == nil || !c.registered()):
		m.send(from, id, Fetch{}) // a decision without a body is of no use yet
		return
	default:
		c = m.command(id)
		m.drop(id)
		m.stabilise(c, msg.Txn, msg.ExecuteAt, msg.Deps)
	}
	m.owe(from, id, StableOK{})
}

func (m *Machine) describe(c *command) string {
	if c == nil {
		return "forgotten"
	}
	return c.rec.Status.String() + " at " + c.rec.ExecuteAt.String()
}

// stabilise makes the decision (executeAt, deps) about c known here. What was accepted for it stays on record.
func (m *Machine) stabilise(c *command, txn *Txn, executeAt Timestamp, deps Deps) {
	if c.rec.Status.Decided() {
		invariant(c.rec.Status != StatusInvalidated && c.rec.ExecuteAt == executeAt,
			"transaction %s: decided at %s, is %s", c.rec.ID, executeAt, m.describe(c))
		return
	}
	if !executeAt.After(m.scalars.Watermark) {
		broken("transaction %s: decided at %s, at or below the watermark %s", c.rec.ID, executeAt, m.scalars.Watermark)
	}
	if c.rec.Status == StatusCommitted && c.rec.ExecuteAt != executeAt {
		broken("transaction %s: committed at %s, stable at %s", c.rec.ID, c.rec.ExecuteAt, executeAt)
	}
	m.endInquiry(c.rec.ID)
	c.advance(StatusStable)
	c.rec.ExecuteAt, c.rec.Deps = executeAt, &deps
	m.mutateProposal(c)
	if !c.registered() {
		m.include(c, txn)
	}
	m.index.raise(c)
	m.record(c)
	m.schedule(c)
}

// onInvalidated takes the decision that a transaction never happens. docs/protocol.md §3.7.
func (m *Machine) onInvalidated(from NodeID, id TxnID) {
	t, forgotten := m.tombstones[id]
	invariant(t.IsZero(), "transaction %s: told it is invalidated, had %s", id, t)
	if !forgotten && (m.commands[id] != nil || !id.Before(m.scalars.RedundantBefore)) {
		m.invalidated(m.command(id))
	}
	m.owe(from, id, InvalidatedOK{})
}

// invalidated makes it known here that c never happens.
func (m *Machine) invalidated(c *command) {
	m.drop(c.rec.ID)
	if c.rec.Status == StatusInvalidated {
		return
	}
	m.endInquiry(c.rec.ID)
	c.advance(StatusInvalidated)
	m.record(c)
	if c.rec.ID.Node == m.cfg.Self {
		m.ready.Aborted = append(m.ready.Aborted, c.rec.ID)
	}
	m.satisfy(c)
}

// onFetch tells all this replica knows about a transaction. docs/protocol.md §3.10.
func (m *Machine) onFetch(from NodeID, id TxnID) {
	rec := Record{ID: id}
	if c := m.commands[id]; c != nil {
		rec = c.rec
	} else if executeAt, forgotten := m.tombstones[id]; forgotten && executeAt.IsZero() {
		rec.Status = StatusInvalidated
	} else if forgotten {
		rec.Status, rec.ExecuteAt = StatusApplied, executeAt
	} else if id.Before(m.scalars.RedundantBefore) {
		m.owe(from, id, Nack{Reason: NackTruncated}) // which is not to say that it never was
		return
	}
	m.owe(from, id, FetchOK{Record: rec, Active: m.coords[id] != nil})
}
