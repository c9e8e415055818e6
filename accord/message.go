package accord

// Message is one protocol message. To may be the sender itself: a coordinator's own replica is a replica
// like the others. docs/protocol.md §3.
type Message struct {
	From, To NodeID
	TxnID    TxnID
	Body     Body
}

// Header stands in front of every batch of messages from one node: its clock and how far it has come, durably.
type Header struct {
	SentHLC         uint64 // microseconds
	Watermark       Timestamp
	RedundantBefore Timestamp
}

// Body is the content of a Message: one struct per message of the protocol.
//
//sumtype:decl
type Body interface{ isBody() }

// PreAccept asks for a vote on a new transaction, at ballot 0.
type PreAccept struct {
	Txn *Txn
}

// PreAcceptOK is a replica's vote.
type PreAcceptOK struct {
	Vote     Timestamp // equals the TxnID or is above every conflict the replica knows
	Fast     bool      // a vote for the fast path
	Rejected bool      // the transaction came too late to be decided: propose its invalidation
	Deps     Deps      // conflicting transactions with a smaller TxnID that the replica knows
}

// Accept proposes ExecuteAt at Ballot: the slow path, and recovery.
type Accept struct {
	Ballot    Ballot
	Txn       *Txn // nil: the receiver has it
	ExecuteAt Timestamp
	Deps      Deps
}

// AcceptOK accepts a proposal.
type AcceptOK struct {
	Ballot Ballot
	Deps   Deps // conflicting transactions with a TxnID before ExecuteAt that the replica knows
}

// AcceptInvalidate proposes at Ballot that the transaction never happens.
type AcceptInvalidate struct {
	Ballot Ballot
}

// AcceptInvalidateOK accepts an invalidation.
type AcceptInvalidateOK struct {
	Ballot Ballot
}

// Nack refuses a PreAccept, Accept, Commit, Recover or invalidation. It is never a vote.
type Nack struct {
	Ballot   Ballot // of the refused message
	Reason   NackReason
	Promised Ballot  // what the replica has promised instead
	Stable   *Stable // for NackStable: the decision
}

// NackReason says why a message was refused.
type NackReason uint8

// Why a message was refused.
const (
	NackPromised       NackReason = iota + 1 // a higher ballot was promised
	NackRedundant                            // the replica is past this step
	NackStable                               // the outcome is known, and stands in Nack.Stable
	NackInvalidated                          // the transaction was invalidated
	NackTruncated                            // the replica has forgotten the transaction: catch up
	NackBelowWatermark                       // the proposed executeAt can never be chosen
	NackClockSkew                            // the TxnID is too far in the future
	NackNeedBody                             // the replica does not have the transaction's body
	nackEnd
)

// Valid tells whether r is one of the reasons above: for decoders.
func (r NackReason) Valid() bool { return r > 0 && r < nackEnd }

// Stable spreads the decision that a transaction executes at ExecuteAt after Deps. It needs no ballot: a
// decision is a fact whoever tells it.
type Stable struct {
	Txn       *Txn // nil: the receiver has it
	ExecuteAt Timestamp
	Deps      Deps
	Truncated bool // Deps are no longer known at the sender: catch up to Deps.Floor instead
}

// StableOK says that the decision is durable at the sender.
type StableOK struct{}

// Invalidated spreads the decision that a transaction never happens.
type Invalidated struct{}

// InvalidatedOK says that the invalidation is durable at the sender.
type InvalidatedOK struct{}

// Fetch asks for what a replica knows about a transaction. It changes nothing.
type Fetch struct{}

// FetchOK answers a Fetch.
type FetchOK struct {
	Record Record // Txn is included if known
	Active bool   // the sender is coordinating the transaction right now
}

func (PreAccept) isBody()          {}
func (PreAcceptOK) isBody()        {}
func (Accept) isBody()             {}
func (AcceptOK) isBody()           {}
func (AcceptInvalidate) isBody()   {}
func (AcceptInvalidateOK) isBody() {}
func (Nack) isBody()               {}
func (Stable) isBody()             {}
func (StableOK) isBody()           {}
func (Invalidated) isBody()        {}
func (InvalidatedOK) isBody()      {}
func (Fetch) isBody()              {}
func (FetchOK) isBody()            {}
