package accord

import "fmt"

// command is one transaction at this replica.
type command struct {
	rec      Record // complete: Txn stays set once known
	recorded bool   // Txn has been handed out in a Record
	dirty    bool   // is in Machine.dirty

	// Execution. waiting counts the dependencies that are not satisfied yet, plus one while the floor is
	// above the watermark; waiters are the commands that count this one.
	waiting int
	waiters []*command
	handed  bool // handed out in Ready.Execute; never before Stable
	over    bool // abandoned: applied or never to happen, and nobody need wait
	path    Path // how it was decided, if here

	// Progress. due is when to look after the transaction next; zero when nobody needs to.
	due       uint64
	recoverAt uint64 // not before then is it recovered
	attempts  int    // attempts to recover so far
	blocking  bool   // something here waits for it
}

// advance is the only code that changes a Status. docs/protocol.md §2.5.
func (c *command) advance(to Status) {
	if !legal(c.rec.Status, to) {
		broken("transaction %s: %s must not follow %s", c.rec.ID, to, c.rec.Status)
	}
	c.rec.Status = to
}

// registered tells whether later transactions can see this one.
func (c *command) registered() bool { return c.rec.Txn != nil }

// binds tells whether others must name this transaction as a dependency, given the floor they name.
func (c *command) binds(watermark Timestamp) bool {
	switch c.rec.Status {
	case StatusInvalidated:
		return false
	case StatusApplied:
		return c.rec.ExecuteAt.After(watermark)
	}
	return true
}

// promise raises the promised ballot and tells whether it could.
func (c *command) promise(b Ballot) bool {
	if c.rec.Promised.After(b.Timestamp) {
		return false
	}
	c.rec.Promised = b
	return true
}

// invariant panics if the core contradicts itself. It is on in production: a replica that is wrong must stop
// before it tells anybody.
func invariant(ok bool, format string, args ...any) {
	if !ok {
		broken(format, args...)
	}
}

// broken is for what is checked with every transaction: a call of invariant allocates its arguments even if all is well.
func broken(format string, args ...any) {
	panic("accord: invariant broken: " + fmt.Sprintf(format, args...))
}
