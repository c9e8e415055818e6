package accord

// hlc is a hybrid logical clock. All timestamps a node ever issues, TxnIDs, votes and ballots, come from it
// and are strictly increasing, also across restarts: it reserves ahead of use, durably.
// docs/protocol.md §2.1.
type hlc struct {
	self    NodeID
	epoch   uint32
	reserve uint64 // microseconds to reserve ahead

	last    uint64 // last value issued or observed
	limit   uint64 // reserved, maybe not yet durably; last < limit whenever something was issued
	durable uint64 // known to be reserved durably
}

// next issues a timestamp after everything issued or observed. It tells whether the reservation was raised,
// and so must be recorded together with whatever reveals the timestamp.
func (c *hlc) next(now uint64, kind Kind) (t Timestamp, raised bool) {
	c.last = max(c.last+1, now)
	// A restart starts at the limit. So that a node that restarts again and again does not run ahead of the
	// time by a whole reservation each time, what is ahead already is reserved in small steps.
	limit := max(now+c.reserve, c.last+c.reserve/16)
	if c.last+c.reserve/32 >= c.limit || limit >= c.limit+c.reserve/2 {
		c.limit = limit
		raised = true
	}
	return Timestamp{HLC: c.last, Epoch: c.epoch, Node: c.self, Kind: kind}, raised
}

// observe makes later timestamps be after hlc.
func (c *hlc) observe(hlc uint64) { c.last = max(c.last, hlc) }
