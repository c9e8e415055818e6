package accordtest

import (
	"slices"

	"natsaccord/accord"
)

// ledger knows every transaction and what became of it, over all nodes. It checks that each has one outcome
// (I1), that a chosen value stays chosen (I1), that executeAt is a value somebody voted for (I10), and that
// no decision waits for its own future (I9). A floor that is high enough is the completeSets' business.
type ledger struct {
	sizes
	refs map[uint64]*accord.Txn // of what was submitted
	txns map[accord.TxnID]*entryOf
	live []*entryOf // those decided to execute, in the order of their decisions; fences and reads excepted
}

// entryOf is what the ledger knows of one transaction.
type entryOf struct {
	id        accord.TxnID
	txn       *accord.Txn // nil for a fence or a read
	ref       uint64
	told      bool // some other node may know of it
	decided   bool
	invalid   bool
	executeAt accord.Timestamp
	fast      bool          // decided by a fast quorum
	sets      []accord.Deps // distinct Deps it was ever Stable with
	votes     []accord.Timestamp
	proposals map[accord.Ballot]*proposal
	ballots   int // attempts seen
	commits   map[accord.Ballot]*committed
	evidence  evidence
}

// proposal is the value of one ballot.
type proposal struct {
	invalid   bool
	executeAt accord.Timestamp
	accepted  []accord.NodeID // who sent an OK
}

func (p *proposal) same(q *proposal) bool {
	return p.invalid == q.invalid && p.executeAt == q.executeAt
}

func (p *proposal) String() string {
	if p.invalid {
		return "invalid"
	}
	return name(p.executeAt)
}

func newLedger(s sizes) *ledger {
	return &ledger{sizes: s, refs: map[uint64]*accord.Txn{}, txns: map[accord.TxnID]*entryOf{}}
}

func (l *ledger) entry(id accord.TxnID) *entryOf {
	x := l.txns[id]
	if x == nil {
		x = newEntry(id)
		l.txns[id] = x
	}
	return x
}

func newEntry(id accord.TxnID) *entryOf {
	return &entryOf{id: id, proposals: map[accord.Ballot]*proposal{}, commits: map[accord.Ballot]*committed{}}
}

func (l *ledger) observe(e event) error {
	switch e := e.(type) {
	case submitted:
		l.refs[e.in.Ref] = e.in.Txn
	case started:
		return l.start(e)
	case recorded:
		for _, r := range e.unit.Records {
			if err := l.record(r); err != nil {
				return err
			}
		}
	case handedOut:
		return l.record(e.exec.Record)
	case sent:
		if e.msg.To != e.msg.From {
			l.entry(e.msg.TxnID).told = true
		}
		return l.message(e.msg)
	}
	return nil
}

// start notes a new transaction. A TxnID that a crash has wiped out before anybody could know of it may be
// issued again.
func (l *ledger) start(e started) error {
	x := l.entry(e.id)
	if x.txn != nil {
		if _, kept := e.node.store.durable.record(e.id); kept || x.told {
			return violation("I8", "TxnID %s is issued twice", name(e.id.Timestamp))
		}
		*x = *newEntry(e.id)
	}
	x.txn, x.ref = l.refs[e.ref], e.ref
	return nil
}

func (l *ledger) message(m accord.Message) error {
	switch b := m.Body.(type) {
	case accord.PreAcceptOK:
		l.vote(m.TxnID, b.Vote)
	case accord.RecoverOK:
		l.vote(m.TxnID, b.Vote)
	case accord.Accept:
		return l.propose(m.TxnID, b.Ballot, proposal{executeAt: b.ExecuteAt})
	case accord.AcceptInvalidate:
		return l.propose(m.TxnID, b.Ballot, proposal{invalid: true})
	case accord.AcceptOK:
		return l.accept(m.From, m.TxnID, b.Ballot)
	case accord.AcceptInvalidateOK:
		return l.accept(m.From, m.TxnID, b.Ballot)
	case accord.Commit:
		return l.commit(m.TxnID, b)
	case accord.CommitOK:
		return l.commitOK(m.From, m.TxnID, b.Ballot)
	case accord.Stable:
		return l.stable(m.TxnID, b)
	case accord.Nack:
		if b.Stable != nil {
			return l.stable(m.TxnID, *b.Stable)
		}
	case accord.Invalidated:
		return l.decide(m.TxnID, proposal{invalid: true})
	case accord.FetchOK:
		return l.record(b.Record)
	}
	return nil
}

func (l *ledger) vote(id accord.TxnID, vote accord.Timestamp) {
	x := l.entry(id)
	if !vote.IsZero() && !slices.Contains(x.votes, vote) {
		x.votes = append(x.votes, vote)
	}
}

// propose notes a ballot's value. A ballot has one, and if a value was chosen below it, that one.
func (l *ledger) propose(id accord.TxnID, b accord.Ballot, p proposal) error {
	x := l.entry(id)
	if old := x.proposals[b]; old != nil {
		if !old.same(&p) {
			return violation("I13", "%s proposes both %v and %v at ballot %s", name(id.Timestamp), old, &p, name(b.Timestamp))
		}
		return nil
	}
	x.ballots++
	x.proposals[b] = &p
	if x.fast && (p.invalid || p.executeAt != id.Timestamp) {
		return violation("I22", "%s was decided fast, now %v is proposed at ballot %s", name(id.Timestamp), &p, name(b.Timestamp))
	}
	return l.chosen(x)
}

func (l *ledger) accept(from accord.NodeID, id accord.TxnID, b accord.Ballot) error {
	x := l.entry(id)
	p := x.proposals[b]
	if p == nil {
		return violation("I14", "node %d accepts %s at ballot %s, which was never proposed", from, name(id.Timestamp), name(b.Timestamp))
	}
	if !slices.Contains(p.accepted, from) {
		p.accepted = append(p.accepted, from)
	}
	return l.chosen(x)
}

// chosen checks that what a slow quorum accepted at one ballot is what all higher ones propose.
func (l *ledger) chosen(x *entryOf) error {
	for low, p := range x.proposals {
		if len(p.accepted) < l.slow {
			continue
		}
		for high, q := range x.proposals {
			if high.After(low.Timestamp) && !q.same(p) {
				return violation("I1", "%s: %v was chosen, and another value is proposed above", name(x.id.Timestamp), p)
			}
		}
	}
	return nil
}

func (l *ledger) stable(id accord.TxnID, s accord.Stable) error {
	if err := l.decide(id, proposal{executeAt: s.ExecuteAt}); err != nil || s.Truncated {
		return err
	}
	return l.set(id, s.Deps)
}

func (l *ledger) record(r accord.Record) error {
	switch {
	case r.Status == accord.StatusInvalidated:
		return l.decide(r.ID, proposal{invalid: true})
	case r.ID.Kind == accord.KindFence || r.ID.Kind == accord.KindFenceX:
		return nil
	case r.Status == accord.StatusAccepted:
		return l.propose(r.ID, r.AcceptedBallot, proposal{executeAt: r.ExecuteAt})
	case r.Status == accord.StatusCommitted:
		// Its coordinator may be the only one that has it: what it owed the others is lost with its disk.
		return l.commit(r.ID, accord.Commit{Ballot: r.AcceptedBallot, ExecuteAt: r.ExecuteAt, Deps: *r.Deps})
	case r.Status == accord.StatusAcceptedInvalidate:
		return l.propose(r.ID, r.AcceptedBallot, proposal{invalid: true})
	case r.Status.Decided():
		if err := l.decide(r.ID, proposal{executeAt: r.ExecuteAt}); err != nil || r.Deps == nil {
			return err
		}
		return l.set(r.ID, *r.Deps)
	}
	return nil
}

// decide notes an outcome.
func (l *ledger) decide(id accord.TxnID, p proposal) error {
	x := l.entry(id)
	if x.decided {
		if old := (proposal{invalid: x.invalid, executeAt: x.executeAt}); !old.same(&p) {
			return violation("I1", "%s is decided as %v and as %v", name(id.Timestamp), &old, &p)
		}
		return nil
	}
	x.decided, x.invalid, x.executeAt = true, p.invalid, p.executeAt
	if p.invalid {
		return nil
	}
	if x.txn != nil {
		l.live = append(l.live, x)
	}
	if p.executeAt.Before(id.Timestamp) || p.executeAt != id.Timestamp && !slices.Contains(x.votes, p.executeAt) {
		return violation("I10", "%s is decided at %s, which nobody voted for", name(id.Timestamp), name(p.executeAt))
	}
	return nil
}

// set notes dependencies that a transaction is stable with. There may be several such sets.
func (l *ledger) set(id accord.TxnID, d accord.Deps) error {
	x := l.entry(id)
	if !d.Floor.Before(x.executeAt) {
		return violation("I9", "%s executes at %s and waits for everything up to %s", name(id.Timestamp), name(x.executeAt), name(d.Floor))
	}
	for _, old := range x.sets {
		if old.Floor == d.Floor && slices.Equal(old.IDs, d.IDs) {
			return nil
		}
	}
	x.sets = append(x.sets, d)
	return nil
}

// completeSets checks at the end that every set a transaction was ever stable with names all that conflicts
// and executes before it, or has it below its floor (I2).
type completeSets struct{ ledger *ledger }

func newCompleteSets(l *ledger) *completeSets { return &completeSets{l} }

func (c *completeSets) observe(e event) error {
	if _, ok := e.(finished); !ok {
		return nil
	}
	live := c.ledger.live
	for _, x := range live {
		for _, d := range x.sets {
			for _, y := range live {
				if y.executeAt.Before(x.executeAt) && y.executeAt.After(d.Floor) && !d.Has(y.id) && x.txn.Keys.Intersects(y.txn.Keys) {
					return violation("I2", "%s at %s is stable without %s at %s", name(x.id.Timestamp), name(x.executeAt), name(y.id.Timestamp), name(y.executeAt))
				}
			}
		}
	}
	return nil
}
