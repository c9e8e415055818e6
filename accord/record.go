package accord

// Record is everything durable about one transaction at one replica. A later Record of the same TxnID
// replaces an earlier one, but for two fields: a nil Txn means "as recorded before", and once a store has
// marked a transaction Applied no Record takes that mark away. docs/protocol.md §2.4.
type Record struct {
	ID     TxnID
	Txn    *Txn // nil: unknown, or recorded before
	Status Status

	Promised     Ballot    // highest ballot promised; never decreases
	Vote         Timestamp // set once, at registration, and never changed; zero: this replica has no vote
	VoteFast     bool      // Vote equals ID and was given at ballot 0
	VoteRejected bool      // given below the reject floor, or too late

	AcceptedBallot Ballot    // of the Accepted, AcceptInvalidate or Committed value; never above Promised
	ExecuteAt      Timestamp // from Accepted on
	AcceptedDeps   *Deps     // as proposed by the highest Accept taken; survives Commit and Stable
	Deps           *Deps     // from Committed on
}

// Scalars are the durable facts about a replica that belong to no transaction. They only grow.
type Scalars struct {
	HLCLimit        uint64    // microseconds; no timestamp at or above it was ever issued
	Epoch           uint32    // topology epoch
	ConflictFloor   Timestamp // highest fence seen: votes go above it
	RejectFloor     Timestamp // highest exclusive fence seen: registrations below it are rejected
	Watermark       Timestamp // everything that executes at or before it is applied here
	RedundantBefore Timestamp // last exclusive fence applied
}
