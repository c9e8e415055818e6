package accord

// Planted bugs, for tests: each is a plausible mistake, and the simulator must find every one of them. They
// are compiled in, and off; what they change goes through the functions below so that the protocol's own
// code stays readable.
const (
	MutateFastMajority     Mutation = 1 << iota // decide fast with a slow quorum of fast votes
	MutateIgnorePromise                         // accept although a higher ballot was promised
	MutateRecomputeVote                         // vote anew on a duplicate PreAccept
	MutateAcceptDepsAtT0                        // bound AcceptOK's deps by the TxnID instead of executeAt
	MutateDropAcceptDeps                        // leave the acceptors' deps out of the decision
	MutateLateFastVote                          // count fast votes after the slow path was chosen
	MutateSkipUndecided                         // do not wait for a dependency that is undecided
	MutateDropDep                               // do not wait for the lowest dependency
	MutateForgetClock                           // start the clock anew after a restart
	MutateLargestT                              // recovery: prefer the highest executeAt to the highest ballot
	MutateNoRegister                            // recovery: promise without registering
	MutateIgnoreVotes                           // recovery: keep t0 whatever the votes say
	MutateAlwaysInvalidate                      // recovery: invalidate what nobody accepted
	MutatePromisedAsAccept                      // recovery: report the promised ballot as the accepted one
	MutateForgetPromise                         // lose promises at a restart
	MutateForgetVote                            // lose undecided registrations at a restart
	MutateEarlyWatermark                        // complete a fence without waiting for its deps
	MutateNoFloor                               // a fence does not raise the conflict floor
	MutateIgnoreFloor                           // execute without waiting for Deps.Floor
	MutateEarlyRead                             // read everything without waiting for the watermark
	MutateNoRejectFloor                         // an exclusive fence does not raise the reject floor
	MutateEraseEarly                            // erase as soon as the watermark is passed, without an exclusive fence
	MutateNoCarry                               // catch up without the decisions beyond the other's watermark
)

func (m *Machine) mutated(bug Mutation) bool { return m.cfg.Mutation&bug != 0 }

func (m *Machine) mutateFast(fast int) int {
	if m.mutated(MutateFastMajority) {
		return m.slow
	}
	return fast
}

func (m *Machine) mutateVote(c *command) {
	if m.mutated(MutateRecomputeVote) && !c.dirty {
		c.rec.Vote = m.timestampAfter(m.index.max(c.rec.ID.Kind, c.rec.Txn.Keys))
		c.rec.VoteFast = false
	}
}

func (m *Machine) mutateBound(id TxnID, executeAt Timestamp) Timestamp {
	if m.mutated(MutateAcceptDepsAtT0) {
		return id.Timestamp
	}
	return executeAt
}

func (m *Machine) mutateAcceptDeps(c *coordination, deps Deps) Deps {
	if m.mutated(MutateDropAcceptDeps) || c.medium {
		return Deps{}
	}
	return deps
}

func (m *Machine) mutateLateVote(from NodeID, id TxnID, ok PreAcceptOK) {
	c := m.coords[id]
	if !m.mutated(MutateLateFastVote) || c == nil || c.phase != accepting || c.ballot != (Ballot{}) || !ok.Fast || !m.electors.has(m.rank(from)) {
		return
	}
	c.lateFast.add(m.rank(from))
	if c.lateFast.len() >= m.fast {
		m.decide(c, id.Timestamp, c.proposed)
	}
}

func (m *Machine) mutateWaits(ids []TxnID) []TxnID {
	if m.mutated(MutateDropDep) && len(ids) > 0 {
		return ids[1:]
	}
	return ids
}

func (m *Machine) mutateSatisfied(dep, x *command) bool {
	return satisfied(dep, x) || m.mutated(MutateSkipUndecided) && !dep.rec.Status.Decided()
}

func (m *Machine) mutateRestore(scalars *Scalars) {
	if m.mutated(MutateForgetClock) {
		scalars.HLCLimit = 0
	}
}

// mutateLoad tells whether a record is forgotten at a restart, or forgets a part of it.
func (m *Machine) mutateLoad(rec *Record) (forget bool) {
	if m.mutated(MutateForgetPromise) && !rec.Status.Decided() {
		rec.Promised, rec.AcceptedBallot = Ballot{}, Ballot{}
	}
	return m.mutated(MutateForgetVote) && rec.Status == StatusPreAccepted
}
