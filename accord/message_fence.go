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

// ReadDeps asks which writes a linearizable read of Keys must see. Nothing is recorded.
type ReadDeps struct {
	Keys Keys
}

// ReadDepsOK answers a ReadDeps.
type ReadDepsOK struct {
	Deps Deps
}

func (FenceCollect) isBody() {}
func (FenceAccept) isBody()  {}
func (FenceOK) isBody()      {}
func (FenceCommit) isBody()  {}
func (ReadDeps) isBody()     {}
func (ReadDepsOK) isBody()   {}
