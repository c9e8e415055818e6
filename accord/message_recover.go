package accord

// Commit makes a slow path's dependencies stable before anyone executes with them. Mode G only.
type Commit struct {
	Ballot    Ballot
	Txn       *Txn // nil: the receiver has it
	ExecuteAt Timestamp
	Deps      Deps
}

// CommitOK takes a Commit. A replica that is Stable already refuses with NackStable instead, because it
// vouches for its own dependencies and not for these.
type CommitOK struct {
	Ballot Ballot
}

// Recover asks for a promise and for all the replica knows, on behalf of a coordinator that may be dead.
// It carries the transaction, so that whoever answers can register it.
type Recover struct {
	Ballot Ballot
	Txn    *Txn
}

// RecoverOK promises Ballot and reports.
type RecoverOK struct {
	Ballot         Ballot
	Status         Status
	AcceptedBallot Ballot
	ExecuteAt      Timestamp // if Accepted or Committed
	AcceptedDeps   Deps      // if Accepted or Committed: as proposed, or as committed
	Vote           Timestamp // zero: the replica has no vote
	Fast, Rejected bool
	LocalDeps      Deps    // conflicting transactions with a smaller TxnID that the replica knows
	RuledOut       bool    // mode G: evidence that the fast path was not taken
	Wait           []TxnID // mode G: decide these first, then look at the evidence again
}

// BeginInvalidation asks for a promise by a sender that does not know the transaction's body.
type BeginInvalidation struct {
	Ballot Ballot
}

// InvalidateOK promises Ballot, and hands over the body if the replica has it.
type InvalidateOK struct {
	Ballot         Ballot
	Status         Status
	AcceptedBallot Ballot
	Txn            *Txn
}

func (Commit) isBody()            {}
func (CommitOK) isBody()          {}
func (Recover) isBody()           {}
func (RecoverOK) isBody()         {}
func (BeginInvalidation) isBody() {}
func (InvalidateOK) isBody()      {}
