package accord

// Input is anything that can happen to a Machine.
//
//sumtype:decl
type Input interface{ isInput() }

// Submit proposes a new transaction with this node as its coordinator. Ref is the caller's own name for
// it, returned in Ready.Started.
type Submit struct {
	Ref   uint64
	Txn   *Txn
	After Timestamp // the transaction executes after it; zero: whenever
}

// Deliver hands over messages from one node, this one included.
type Deliver struct {
	From     NodeID
	Header   Header
	Messages []Message
}

// Executed reports that the effects of transactions handed out in Ready.Execute are in the store.
type Executed struct {
	IDs []TxnID
}

// Tick lets time pass: timers due by now fire.
type Tick struct{}

// Read asks when a linearizable read of Keys may look at the store. Ref comes back in Ready.Readable. A read
// without Keys is one of everything: it may look at all that executed up to the watermark of then.
type Read struct {
	Ref  uint64
	Keys Keys
}

// Demand asks for a watermark at or above At soon, for somebody who waits for it. One too far in the future is
// not heard.
type Demand struct {
	At Timestamp
}

func (Submit) isInput()   {}
func (Deliver) isInput()  {}
func (Executed) isInput() {}
func (Tick) isInput()     {}
func (Read) isInput()     {}
func (Demand) isInput()   {}

// Ready is work for the caller of a Machine. Its fields are ordered as they are handled:
//
//  1. Messages may go at once: they ask, or pass on what a durable quorum has decided.
//  2. Records and Scalars of successive Readys are made durable in order. One Ready's are one unit.
//  3. AfterPersist may go once the Records and Scalars of this and all earlier Readys are durable; those
//     addressed to this node are stepped back in as a Deliver.
//  4. Execute may start at once, in slice order; Executed reports it done. The store marks each Applied in
//     the transaction that writes its effects, and loses no such mark but those behind which every later
//     effect is lost too.
//  5. Started, Aborted, Forgotten and Readable answer callers of this node.
//  6. CatchUp is work for the store, after what was handed out in Execute before.
//
// Several Readys may be in progress. What a Ready holds is never changed afterwards.
type Ready struct {
	Header       Header
	Messages     []Message
	Records      []Record
	Scalars      *Scalars // nil: as they were
	AfterPersist []Message
	Execute      []Execution
	Started      []Started
	Aborted      []TxnID  // coordinated here and invalidated: nothing happened and nothing will
	Forgotten    []TxnID  // coordinated here, and over: applied or not, the store knows, by what the client calls it
	Readable     []uint64 // Refs of Reads that may now look at the store
	CatchUp      *CatchUp // nil: nothing to catch up with
}

// Started says which TxnID a Submit was given.
type Started struct {
	Ref   uint64
	TxnID TxnID
}

// Execution is a transaction whose turn has come. Record is complete, and Stable.
type Execution struct {
	Record Record
	Path   Path
}

// Path tells how a transaction came to its decision, as this node saw it.
type Path uint8

// The ways to a decision.
const (
	PathLearnt    Path = iota // decided elsewhere
	PathFast                  // here, in one round
	PathSlow                  // here, with an Accept round
	PathRecovered             // here, on behalf of another coordinator or of this one before a restart
)

// String returns the path as clients see it.
func (p Path) String() string {
	return [...]string{"learnt", "fast", "slow", "recovered"}[p&3]
}

// Empty tells whether there is nothing to do.
func (r *Ready) Empty() bool {
	return len(r.Messages) == 0 && len(r.Records) == 0 && r.Scalars == nil && len(r.AfterPersist) == 0 &&
		len(r.Execute) == 0 && len(r.Started) == 0 && len(r.Aborted) == 0 && len(r.Forgotten) == 0 && len(r.Readable) == 0 && r.CatchUp == nil
}
