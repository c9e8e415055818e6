package accord

// FenceCollect asks a replica to let no later vote be below the fence, whose time is the Message's TxnID,
// and to name every undecided or unretired transaction before it. docs/protocol.md §7.3.
type FenceCollect struct{}

// FenceAccept is the second round of a fence in mode G.
type FenceAccept struct {
	Deps Deps
}

// FenceOK answers a FenceCollect, or in Round 2 a FenceAccept.
type FenceOK struct {
	Round uint8
	Deps  Deps
}

// FenceCommit says what a fence waits for: when all of Deps is applied, so is everything before the fence.
type FenceCommit struct {
	Deps Deps
}

// FenceFetch asks a replica whose watermark is higher for a FenceCommit that leads from the sender's
// watermark, as in the Header, up to the time in the Message's TxnID or as far as the replica can. If that time
// is an exclusive fence's, the way there is asked for. A Nack with NackTruncated says that only the log helps.
type FenceFetch struct{}

// ReadDeps asks which writes a linearizable read of Keys must see. Nothing is recorded.
type ReadDeps struct {
	Keys Keys
}

// ReadDepsOK answers a ReadDeps.
type ReadDepsOK struct {
	Deps Deps
}

// Ping asks for a Pong. Sent only to nodes that are suspected.
type Ping struct{}

// Pong says that its sender is alive, and that no timestamp of it at or above HLCLimit was ever used. A node's
// Pong to itself tells it that its clock reservation, the watermark that is the Message's TxnID and
// RedundantBefore are durable.
type Pong struct {
	HLCLimit        uint64
	RedundantBefore Timestamp
}

func (FenceCollect) isBody() {}
func (FenceFetch) isBody()   {}
func (Ping) isBody()         {}
func (Pong) isBody()         {}
func (FenceAccept) isBody()  {}
func (FenceOK) isBody()      {}
func (FenceCommit) isBody()  {}
func (ReadDeps) isBody()     {}
func (ReadDepsOK) isBody()   {}
