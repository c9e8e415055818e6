package accord

import "natsaccord/accord/quorum"

// Planted bugs of mode G, as in mutation.go. docs/protocol.md §10.4, last column.
const (
	MutateIgnoreEvidence     Mutation = 1 << (iota + 32) // recovery: go by the votes alone
	MutateInvertEvidence                                 // recovery: take what is named for what is lacking
	MutateIgnoreWait                                     // recovery: do not wait for others to be decided
	MutateDropProposed                                   // leave the voters' deps out of a slow decision
	MutateNoCommit                                       // decide with a slow quorum of acceptances
	MutateAcceptStable                                   // decide with so many acceptances that votes rule others out
	MutateStableIsCommitOK                               // take a decision told in answer to a Commit for a CommitOK
	MutateOverwriteProposed                              // let a decision's deps replace those proposed
	MutateMediumPath                                     // fix the deps at a slow quorum of votes for t0
	MutateFenceOneRound                                  // decide a fence when it is collected
	MutateFenceNoCollect                                 // propose a fence without collecting it
	MutateOutsiderVotes                                  // count fast votes of nodes outside the electorate
	MutateOutsiderRejects                                // recovery: count rejections of nodes outside the electorate
	MutateElectorateSuffices                             // with an electorate: follow mode VS's rules where as many of all nodes would do
)

func (m *Machine) mutateLacks(d Deps, r TxnID) bool {
	if m.mutated(MutateInvertEvidence) {
		return d.Has(r)
	}
	return d.Lacks(r)
}

func (m *Machine) mutateProposed(c *coordination) Deps {
	if m.mutated(MutateDropProposed) {
		return Deps{}
	}
	return c.proposed
}

// mutateStable tells whether acceptances decide without a Commit round.
func (m *Machine) mutateStable(c *coordination) bool {
	return m.mutated(MutateNoCommit) || c.medium
}

// mutateLateAccept counts acceptances also when Commit is out.
func (m *Machine) mutateLateAccept(from NodeID, id TxnID, ok AcceptOK) {
	c := m.coords[id]
	if !m.mutated(MutateAcceptStable) || c == nil || c.phase != committing || c.ballot != ok.Ballot || c.accepts == 0 {
		return
	}
	c.accepts.add(m.rank(from))
	c.proposed = c.proposed.Union(ok.Deps)
	if c.accepts.len() >= quorum.AcceptStable(len(m.peers), m.fast) {
		m.decide(c, c.executeAt, c.proposed)
	}
}

func (m *Machine) mutateGoSlow(c *coordination) {
	c.medium = m.mutated(MutateMediumPath) && c.fast >= m.slow
	if c.medium {
		c.vote, c.rejected = c.id.Timestamp, false
	}
}

// mutateNackStable tells whether a decision told in answer to a Commit is counted, and so not taken over.
func (m *Machine) mutateNackStable(from NodeID, id TxnID, n Nack) bool {
	c := m.coords[id]
	if !m.mutated(MutateStableIsCommitOK) || c == nil || c.phase != committing {
		return false
	}
	m.onCommitOK(from, id, CommitOK{Ballot: n.Ballot})
	return true
}

func (m *Machine) mutateProposal(c *command) {
	if m.mutated(MutateOverwriteProposed) {
		c.rec.AcceptedDeps = nil
	}
}

// mutateCollect proposes the fence just begun at once.
func (m *Machine) mutateCollect() bool {
	if !m.general || !m.mutated(MutateFenceNoCollect) {
		return false
	}
	m.proposeFence(m.fences.current)
	return true
}

// mutateVotes tells whether a node's fast vote counts.
func (m *Machine) mutateVotes(node NodeID) bool {
	return m.electors.has(m.rank(node)) || m.mutated(MutateOutsiderVotes)
}

// mutateRejects tells whether it counts that a node has not voted fast.
func (m *Machine) mutateRejects(node NodeID) bool {
	return m.electors.has(m.rank(node)) || m.mutated(MutateOutsiderRejects)
}

// mutateGeneral tells whether mode G's rules are followed.
func mutateGeneral(cfg Config) bool {
	if cfg.Mutation&MutateElectorateSuffices != 0 {
		n := len(cfg.Nodes)
		return 2*quorum.Slow(n)-n < quorum.Rejects(len(cfg.Electorate), cfg.FastQuorum)
	}
	return cfg.general()
}
