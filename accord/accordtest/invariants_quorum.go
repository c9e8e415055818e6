package accordtest

import (
	"slices"

	"natsaccord/accord"
)

// proposals checks that nobody proposes what is not his to propose: ballot 0 belongs to the life in which the
// TxnID was issued (I13), any other to the node it names; and that only questions and decisions go out at
// once (I11).
type proposals struct {
	lives  map[accord.TxnID]int // the life of the node that issued it
	ledger *ledger
}

func newProposals(l *ledger) *proposals { return &proposals{map[accord.TxnID]int{}, l} }

func (p *proposals) observe(e event) error {
	switch e := e.(type) {
	case started:
		p.lives[e.id] = e.node.life
	case sent:
		if e.free && vouches(e.msg.Body) {
			return violation("I11", "node %d sends %s without waiting for a sync", e.node.id, kindOf(e.msg.Body))
		}
		if b, asks := ballotOf(e.msg.Body); asks {
			return p.ask(e, b)
		}
	}
	return nil
}

func (p *proposals) ask(e sent, b accord.Ballot) error {
	id, n := e.msg.TxnID, e.node
	switch {
	case !b.IsZero() && b.Node != n.id:
		return violation("I13", "node %d uses ballot %s for %s", n.id, name(b.Timestamp), name(id.Timestamp))
	case b.IsZero() && (id.Node != n.id || p.lives[id] != n.life):
		return violation("I13", "node %d goes on with %s at ballot 0 in another life", n.id, name(id.Timestamp))
	}
	return nil
}

// ballotOf returns the ballot of a message that asks for votes, promises or acceptances.
func ballotOf(body accord.Body) (accord.Ballot, bool) {
	switch b := body.(type) {
	case accord.PreAccept:
		return accord.Ballot{}, true
	case accord.Accept:
		return b.Ballot, true
	case accord.AcceptInvalidate:
		return b.Ballot, true
	case accord.Commit:
		return b.Ballot, true
	case accord.Recover:
		return b.Ballot, true
	case accord.BeginInvalidation:
		return b.Ballot, true
	}
	return accord.Ballot{}, false
}

// vouches tells whether a message promises or reveals anything about its sender's state.
func vouches(body accord.Body) bool {
	switch body.(type) {
	case accord.PreAccept, accord.Accept, accord.AcceptInvalidate, accord.Commit, accord.Stable, accord.Invalidated,
		accord.Recover, accord.BeginInvalidation, accord.Fetch, accord.FenceCollect, accord.FenceAccept,
		accord.FenceCommit, accord.FenceFetch, accord.ReadDeps, accord.Ping:
		return false
	}
	return true
}

// answers follows what each node was answered in its life, and checks that every decision it makes has a
// quorum behind it, with all that the quorum named (I14).
type answers struct {
	sizes
	ledger *ledger
	nodes  map[accord.NodeID]map[accord.TxnID]*ballotBox
}

// ballotBox is what one node was answered about one transaction.
type ballotBox struct {
	learnt  bool                                   // a decision
	told    []accord.Deps                          // with these, in mode G
	known   bool                                   // the decision, here
	slowed  bool                                   // has proposed at ballot 0
	votes   map[accord.NodeID][]accord.PreAcceptOK // a node may answer again, and know more then
	accepts map[accord.Ballot]map[accord.NodeID][]accord.Deps
	refused map[accord.Ballot]map[accord.NodeID]bool // AcceptInvalidateOK
	deps    map[accord.Ballot]accord.Deps            // as proposed
	commits map[accord.Ballot]*committed             // mode G
}

func newAnswers(l *ledger, s sizes) *answers {
	return &answers{s, l, map[accord.NodeID]map[accord.TxnID]*ballotBox{}}
}

func (a *answers) box(node accord.NodeID, id accord.TxnID) *ballotBox {
	b := a.nodes[node][id]
	if b == nil {
		b = &ballotBox{
			votes:   map[accord.NodeID][]accord.PreAcceptOK{},
			accepts: map[accord.Ballot]map[accord.NodeID][]accord.Deps{},
			refused: map[accord.Ballot]map[accord.NodeID]bool{},
			deps:    map[accord.Ballot]accord.Deps{},
			commits: map[accord.Ballot]*committed{},
		}
		a.nodes[node][id] = b
	}
	return b
}

func (a *answers) observe(e event) error {
	switch e := e.(type) {
	case restarted:
		a.nodes[e.node.id] = map[accord.TxnID]*ballotBox{}
		for r := range e.node.store.Records() {
			a.box(e.node.id, r.ID).known = r.Status.Decided()
		}
	case sent:
		return a.asked(e.node.id, e.msg)
	case delivered:
		for _, m := range e.packet.messages {
			a.answered(e.node.id, m)
		}
	case caughtUp:
		for _, r := range e.report.Records {
			a.box(e.node.id, r.ID).learn(r.Deps)
		}
	case recorded:
		for _, r := range e.unit.Records {
			if r.Status == accord.StatusAccepted { // here or, with nobody else to ask, for itself
				a.box(e.node.id, r.ID).deps[r.AcceptedBallot] = *r.AcceptedDeps
			}
			if r.Status == accord.StatusCommitted {
				a.box(e.node.id, r.ID).commit(r.AcceptedBallot, *r.Deps)
			}
			if err := a.decided(e.node.id, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// asked notes what a node proposes.
func (a *answers) asked(node accord.NodeID, m accord.Message) error {
	switch b := m.Body.(type) {
	case accord.Accept:
		a.box(node, m.TxnID).deps[b.Ballot] = b.Deps
	case accord.Commit:
		a.box(node, m.TxnID).commit(b.Ballot, b.Deps)
		if err := a.commits(node, m.TxnID, b); err != nil {
			return err
		}
	}
	if b, ok := ballotOf(m.Body); ok && b.IsZero() {
		if _, preaccept := m.Body.(accord.PreAccept); !preaccept {
			a.box(node, m.TxnID).slowed = true
		}
	}
	return nil
}

// answered notes what a node is answered, or told.
func (a *answers) answered(node accord.NodeID, m accord.Message) {
	x := a.box(node, m.TxnID)
	switch b := m.Body.(type) {
	case accord.PreAcceptOK:
		x.votes[m.From] = append(x.votes[m.From], b)
	case accord.AcceptOK:
		if x.accepts[b.Ballot] == nil {
			x.accepts[b.Ballot] = map[accord.NodeID][]accord.Deps{}
		}
		x.accepts[b.Ballot][m.From] = append(x.accepts[b.Ballot][m.From], b.Deps)
	case accord.CommitOK:
		if c := x.commits[b.Ballot]; c != nil && !slices.Contains(c.by, m.From) {
			c.by = append(c.by, m.From)
		}
	case accord.AcceptInvalidateOK:
		if x.refused[b.Ballot] == nil {
			x.refused[b.Ballot] = map[accord.NodeID]bool{}
		}
		x.refused[b.Ballot][m.From] = true
	case accord.Stable:
		x.learn(&b.Deps)
	case accord.Invalidated:
		x.learnt = true
	case accord.Nack:
		if b.Stable != nil {
			x.learn(&b.Stable.Deps)
		}
		x.learnt = x.learnt || b.Reason == accord.NackInvalidated
	case accord.FetchOK:
		if b.Record.Status.Decided() {
			x.learn(b.Record.Deps)
		}
	}
}

// decided judges the first record of a decision in a node's life.
func (a *answers) decided(node accord.NodeID, r accord.Record) error {
	if !r.Status.Decided() {
		return nil
	}
	x := a.box(node, r.ID)
	if x.known || x.learnt && (!a.general || x.wasTold(r)) {
		x.known = true
		return nil
	}
	x.known = true
	if a.blind {
		return nil
	}
	if r.Status == accord.StatusInvalidated {
		for _, ok := range x.refused {
			if len(ok) >= a.slow {
				return nil
			}
		}
		return violation("I14", "node %d invalidates %s without a quorum", node, name(r.ID.Timestamp))
	}
	if a.general && x.chosen(a.slow, *r.Deps) {
		return nil
	}
	for b, accepts := range x.accepts {
		if !a.general && len(accepts) >= a.slow && covers(*r.Deps, x.deps[b]) && a.coversQuorum(*r.Deps, accepts) {
			return nil
		}
	}
	if a.fastQuorum(x, r) {
		return a.decidedFast(node, x, r)
	}
	return violation("I14", "node %d decides %s without a quorum that knew no more", node, show(r))
}

func (a *answers) decidedFast(node accord.NodeID, x *ballotBox, r accord.Record) error {
	if x.slowed {
		return violation("I13", "node %d decides %s fast after taking the slow path", node, name(r.ID.Timestamp))
	}
	entry := a.ledger.entry(r.ID)
	entry.fast = true
	for _, p := range entry.proposals {
		if p.invalid || p.executeAt != r.ID.Timestamp {
			return violation("I22", "node %d decides %s fast, and %v is proposed", node, name(r.ID.Timestamp), p)
		}
	}
	return nil
}

// fastQuorum tells whether so many electors have voted for r as it was decided, with all they knew in its deps.
func (a *answers) fastQuorum(x *ballotBox, r accord.Record) bool {
	votes := 0
	for from, answers := range x.votes {
		if a.elects(from) && slices.ContainsFunc(answers, func(v accord.PreAcceptOK) bool { return v.Fast && covers(*r.Deps, v.Deps) }) {
			votes++
		}
	}
	return votes >= a.fast && r.ExecuteAt == r.ID.Timestamp
}

// coversQuorum tells whether d has all that some slow quorum named.
func (a *answers) coversQuorum(d accord.Deps, accepts map[accord.NodeID][]accord.Deps) bool {
	covered := 0
	for _, answers := range accepts {
		if slices.ContainsFunc(answers, func(named accord.Deps) bool { return covers(d, named) }) {
			covered++
		}
	}
	return covered >= a.slow
}

// covers tells whether d names all that e does, or has it below its floor.
func covers(d, e accord.Deps) bool {
	if e.Floor.After(d.Floor) {
		return false
	}
	for _, id := range e.IDs {
		if !d.Has(id) {
			return false
		}
	}
	return true
}
