package accord

// coordination is one attempt of this node to decide one transaction: as its first coordinator at ballot 0,
// or as a recovering one above. It lives in memory only; a restarted node never goes on with one.
// docs/protocol.md §4.
type coordination struct {
	id     TxnID
	txn    *Txn // nil while an invalidation is attempted by a node without the body
	ballot Ballot
	phase  phase
	path   Path

	// Answers of the current phase. A node counts once.
	answered nodeSet
	fast     int  // of those, electors' votes for the fast path
	rejected bool // some vote came too late
	hasBody  nodeSet
	lateFast nodeSet // fast votes that came after the slow path was chosen; for MutateLateFastVote only
	accepts  nodeSet // who accepted before Commit was sent, or after; for MutateAcceptStable only
	medium   bool    // for MutateMediumPath only

	vote      Timestamp // highest vote
	deps      Deps      // union of what was answered; while accepting, on top of proposed
	proposed  Deps      // as sent in Accept or Commit
	executeAt Timestamp // as sent in Accept and Commit
	reports   []report  // recovery: what the promising nodes told
	wait      []TxnID   // recovery in mode G: to be decided first

	started uint64 // when the phase's messages were first sent
	until   uint64 // while preaccepting with a slow quorum: when to give up on a fast one
	due     uint64 // next retransmission
	pause   uint64
	resent  bool // so that an answer may be to the first message or to a later one
}

type phase uint8

const (
	preaccepting phase = iota
	accepting
	invalidating     // AcceptInvalidate is out
	committing       // Commit is out (mode G)
	promising        // Recover is out
	awaiting         // a slow quorum has promised, and others have to be decided first (mode G)
	promisingUnknown // BeginInvalidation is out
)

// submit starts a new transaction. docs/protocol.md §4.1.
func (m *Machine) submit(in Submit) {
	m.clock.observe(in.After.HLC)
	id := TxnID{m.timestamp(KindWrite)}
	m.ready.Started = append(m.ready.Started, Started{Ref: in.Ref, TxnID: id})
	m.counters.Submitted++
	c := m.coordinate(id, in.Txn, Ballot{}, preaccepting)
	c.path = PathFast
	m.ask(c)
}

// coordinate starts a coordination.
func (m *Machine) coordinate(id TxnID, txn *Txn, ballot Ballot, p phase) *coordination {
	c := &coordination{id: id, txn: txn, ballot: ballot}
	m.coords[id] = c
	m.enter(c, p)
	return c
}

// drop ends an attempt, if there is one.
func (m *Machine) drop(id TxnID) {
	c := m.coords[id]
	delete(m.coords, id)
	switch {
	case c == nil || c.ballot == (Ballot{}):
	case c.phase == awaiting:
		m.stopAwaiting(id)
	default:
		m.recovering--
		m.next()
	}
}

// enter begins a phase: no answers yet.
func (m *Machine) enter(c *coordination, p phase) {
	c.phase = p
	c.answered, c.fast, c.rejected, c.reports = 0, 0, false, nil
	c.vote, c.deps = Timestamp{}, Deps{}
	c.started, c.pause, c.until, c.resent = m.now, m.firstPause(), 0, false
	m.rearm(c, m.now+c.pause)
}

func (m *Machine) rearm(c *coordination, due uint64) {
	c.due = due
	m.wake(due, timerCoordination, c.id)
}

// ask sends the phase's message to every node that has not answered, this one included.
func (m *Machine) ask(c *coordination) {
	for i := range m.peers {
		p := &m.peers[i]
		if c.answered.has(i) {
			continue
		}
		if p.node != m.cfg.Self {
			m.expect(p)
		}
		if c.phase == preaccepting && !c.resent {
			m.probe(p, c.id)
		}
		if body := c.question(c.hasBody.has(i)); m.unreserved(c) && p.node != m.cfg.Self {
			m.owe(p.node, c.id, body)
		} else {
			m.send(p.node, c.id, body)
		}
	}
}

// unreserved tells whether the attempt's name is not durably reserved yet. Until it is, nobody may see it: a
// restart could issue it again.
func (m *Machine) unreserved(c *coordination) bool {
	return c.id.Node == m.cfg.Self && c.id.HLC >= m.clock.durable || c.ballot.HLC >= m.clock.durable
}

// question is what the phase asks.
func (c *coordination) question(hasBody bool) Body {
	txn := c.txn
	if hasBody {
		txn = nil
	}
	switch c.phase {
	case preaccepting:
		return PreAccept{Txn: c.txn}
	case accepting:
		return Accept{Ballot: c.ballot, Txn: txn, ExecuteAt: c.executeAt, Deps: c.proposed}
	case invalidating:
		return AcceptInvalidate{Ballot: c.ballot}
	case committing:
		return Commit{Ballot: c.ballot, Txn: txn, ExecuteAt: c.executeAt, Deps: c.proposed}
	case awaiting:
		return Fetch{} // it may have been decided without this node
	case promising:
		return Recover{Ballot: c.ballot, Txn: c.txn}
	default:
		return BeginInvalidation{Ballot: c.ballot}
	}
}

// answer counts an answer of a phase, and returns the coordination it is for: nil if it is late, doubled or
// of another ballot.
func (m *Machine) answer(from NodeID, id TxnID, p phase, ballot Ballot) *coordination {
	c := m.coords[id]
	if c == nil || c.phase != p || c.ballot != ballot {
		m.counters.Late++
		return nil
	}
	rank := m.rank(from)
	if c.answered.has(rank) {
		m.counters.Doubled++
		return nil
	}
	c.answered.add(rank)
	if p := &m.peers[rank]; !c.resent || p.latency == 0 || p.latency > m.cfg.RetryAfter {
		p.timed(m.now - min(m.now, c.started))
	}
	return c
}

// onPreAcceptOK collects votes.
func (m *Machine) onPreAcceptOK(from NodeID, id TxnID, ok PreAcceptOK) {
	c := m.answer(from, id, preaccepting, Ballot{})
	m.probed(from, id, c == nil)
	if c == nil {
		m.mutateLateVote(from, id, ok)
		return
	}
	c.hasBody.add(m.rank(from))
	c.vote = maxTimestamp(c.vote, ok.Vote)
	c.deps = c.deps.Union(ok.Deps)
	c.rejected = c.rejected || ok.Rejected
	if ok.Fast && m.mutateVotes(from) {
		c.fast++
	}
	m.weigh(c)
}

// weigh decides, once, between the fast path and the slow one. docs/protocol.md §4.2.
func (m *Machine) weigh(c *coordination) {
	against := (c.answered & m.electors).len() - c.fast
	switch {
	case c.fast >= m.mutateFast(m.fast):
		m.decide(c, c.id.Timestamp, c.deps)
	case c.answered.len() < m.slow:
	case against >= m.rejects || m.now >= m.patienceEnd(c):
		m.goSlow(c)
	default:
		m.rearm(c, min(c.due, c.until))
	}
}

// goSlow proposes the highest vote with everything the voters know. From here on late votes count no more.
// docs/protocol.md §4.4.
func (m *Machine) goSlow(c *coordination) {
	m.mutateGoSlow(c)
	c.path = max(c.path, PathSlow)
	if c.rejected {
		m.invalidate(c)
		return
	}
	m.propose(c, c.vote, c.deps)
}

// propose sends Accept at the coordination's ballot.
func (m *Machine) propose(c *coordination, executeAt Timestamp, deps Deps) {
	c.executeAt, c.proposed = executeAt, deps
	m.enter(c, accepting)
	m.counters.Accepts++
	m.ask(c)
}

// onAcceptOK collects acceptances. The transactions the acceptors name belong to the decision as much as
// those proposed: they are what was registered between the vote and executeAt.
func (m *Machine) onAcceptOK(from NodeID, id TxnID, ok AcceptOK) {
	c := m.answer(from, id, accepting, ok.Ballot)
	if c == nil {
		m.mutateLateAccept(from, id, ok)
		return
	}
	c.hasBody.add(m.rank(from))
	c.deps = c.deps.Union(m.mutateAcceptDeps(c, ok.Deps))
	if c.answered.len() < m.slow {
		return
	}
	deps := m.mutateProposed(c).Union(c.deps)
	if m.general && !m.mutateStable(c) {
		c.accepts = c.answered
		m.commit(c, c.executeAt, deps)
		return
	}
	m.decide(c, c.executeAt, deps)
}

// invalidate proposes, at the coordination's ballot, that the transaction never happens.
func (m *Machine) invalidate(c *coordination) {
	m.enter(c, invalidating)
	m.ask(c)
}

func (m *Machine) onAcceptInvalidateOK(from NodeID, id TxnID, ok AcceptInvalidateOK) {
	c := m.answer(from, id, invalidating, ok.Ballot)
	if c == nil || c.answered.len() < m.slow {
		return
	}
	m.drop(id)
	m.counters.Invalidated++
	cmd := m.command(id)
	m.invalidated(cmd)
	m.spread(cmd, 0)
}

// decide makes the transaction Stable here, and tells everybody. docs/protocol.md §4.3.
func (m *Machine) decide(c *coordination, executeAt Timestamp, deps Deps) {
	m.drop(c.id)
	switch c.path {
	case PathFast:
		m.counters.Fast++
	case PathSlow:
		m.counters.Slow++
	case PathRecovered:
		m.counters.Recovered++
	}
	cmd := m.command(c.id)
	cmd.path = c.path
	m.stabilise(cmd, c.txn, executeAt, deps)
	m.spread(cmd, c.hasBody)
}

// onNack ends an attempt whose right to decide is lost, or takes over the decision it was told.
// docs/protocol.md §4.5.
func (m *Machine) onNack(from NodeID, id TxnID, n Nack) {
	switch n.Reason {
	case NackStable:
		if n.Stable != nil && !m.mutateNackStable(from, id, n) {
			m.onStable(from, id, *n.Stable)
		}
		return
	case NackInvalidated:
		m.onInvalidated(from, id)
		return
	case NackTruncated:
		m.outdated(from, id)
		return
	}
	c := m.coords[id]
	if c == nil || c.ballot != n.Ballot {
		m.counters.Late++
		return
	}
	switch n.Reason {
	case NackPromised, NackBelowWatermark:
		m.preempted(c, n.Promised)
	case NackRedundant:
		if c.phase == accepting && c.ballot != (Ballot{}) {
			m.preempted(c, n.Promised) // committed there at a lower ballot: the next attempt may see that
		}
	case NackNeedBody:
		m.send(from, id, c.question(false))
	case NackClockSkew:
		m.counters.ClockSkews++
	}
}

// preempted gives the attempt up: somebody else may have decided the transaction, or will. It is looked after
// later, at a ballot above the one that got in the way.
func (m *Machine) preempted(c *coordination, by Ballot) {
	m.drop(c.id)
	m.counters.Preempted++
	m.clock.observe(min(by.HLC, m.now+m.cfg.MaxSkew))
	cmd := m.command(c.id)
	cmd.attempts++
	m.attend(cmd, m.backoff(cmd))
}

// tickCoordination resends the phase's question, or goes slow where waiting for a fast quorum ends.
func (m *Machine) tickCoordination(id TxnID) {
	c := m.coords[id]
	if c == nil || m.now < c.due {
		return
	}
	if c.phase == preaccepting && c.answered.len() >= m.slow && m.now >= m.patienceEnd(c) {
		m.goSlow(c)
		return
	}
	c.pause, c.resent = min(2*c.pause, m.cfg.RetryMax), true
	next := m.now + c.pause
	if c.until > m.now {
		next = min(next, c.until)
	}
	m.rearm(c, next)
	m.counters.Resent++
	m.ask(c)
}
