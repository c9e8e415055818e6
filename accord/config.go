package accord

import (
	"fmt"
	"slices"

	"natsaccord/accord/quorum"
)

// Units of the core's times, which are microseconds since the Unix epoch and spans of microseconds.
const (
	Millisecond uint64 = 1000
	Second      uint64 = 1000 * Millisecond
)

// Config describes a Machine. Self and Nodes are required; elsewhere zero means the default.
type Config struct {
	Self  NodeID   // this replica
	Nodes []NodeID // all replicas, sorted, this one included; 1 to 63
	Seed  uint64   // for jitter

	// FastQuorum is how many fast votes decide in one round, the same at all nodes for ever. Default: as few as is
	// legal, quorum.FastMinOf. With that, 5 and 7 nodes keep one round trip while one of them is down (mode G,
	// docs/protocol.md §0.1), and pay with a third round off the fast path. With quorum.Fast or more, the votes of any
	// recovery quorum tell whether the fast path was taken (mode VS): of an odd number that is all nodes.
	FastQuorum int

	// Electorate are the nodes whose votes alone can decide in one round, the same at all nodes for ever: sorted, some of
	// Nodes, quorum.ElectorateMin of them at least. Default: all. If they are fewer, mode G's rules are followed.
	Electorate []NodeID

	MaxSkew      uint64 // a TxnID further ahead of this node's clock is refused; default 1 s
	HLCReserve   uint64 // how far the clock is reserved ahead; below MaxSkew; default 500 ms
	RetryAfter   uint64 // first retransmission; doubles up to RetryMax; default 50 ms
	RetryMax     uint64 // default 1 s
	FastWaitMin  uint64 // wait at least so long for a fast quorum once a slow one has answered, and twice as long as that took; default 3 ms
	FastWaitMax  uint64 // and at most so long; default 100 ms
	SuspectAfter uint64 // a node that owes an answer for so long is suspected, while little is known of its link; default 1 s
	SuspectMin   uint64 // and afterwards not before so long, however quick it was so far; default 200 ms, at most SuspectAfter
	FetchAfter   uint64 // ask for an unknown dependency after; default 30 ms
	RecoverAfter uint64 // look after an undecided transaction after; default 500 ms
	Stagger      uint64 // added per rank, so that nodes do not all recover at once; default 150 ms
	BackoffMax   uint64 // largest pause between attempts to recover one transaction; default 5 s
	ExpireAfter  uint64 // a transaction first heard of so late is rejected; default 30 s
	FenceEvery   uint64 // between fences while there is something to fence; default 30 ms
	FenceDelay   uint64 // a fence is at least so far in the past; default 10 ms
	EraseEvery   uint64 // between exclusive fences while there is something to erase; default 5 s
	EraseDelay   uint64 // an exclusive fence is so far in the past, and rejects what is heard of only then; default 10 s
	Retain       uint64 // what was applied so long ago is told no more to nodes that lag: they get the log; default 1 h
	KeptMax      int    // nor what lies more than so many transactions back; default 65,536
	RecoverMax   int    // recoveries at a time; default 64
	UnackedMax   int    // decisions kept for resending to one node; default 16,384
	LagBytes     int    // of bodies on their way to a node that lags: sent to one again, or asked of one for the first time, about; default 1 MiB

	Mutation Mutation // planted bugs, for tests only
}

// Mutation is a set of planted bugs. The simulator must find each of them; nothing else may set any.
type Mutation uint64

func (c Config) withDefaults() Config {
	defaults := []struct {
		field *uint64
		value uint64
	}{
		{&c.MaxSkew, Second},
		{&c.HLCReserve, 500 * Millisecond},
		{&c.RetryAfter, 50 * Millisecond},
		{&c.RetryMax, Second},
		{&c.FastWaitMin, 3 * Millisecond},
		{&c.FastWaitMax, 100 * Millisecond},
		{&c.SuspectAfter, Second},
		{&c.FetchAfter, 30 * Millisecond},
		{&c.RecoverAfter, 500 * Millisecond},
		{&c.Stagger, 150 * Millisecond},
		{&c.BackoffMax, 5 * Second},
		{&c.ExpireAfter, 30 * Second},
		{&c.FenceEvery, 30 * Millisecond},
		{&c.FenceDelay, 10 * Millisecond},
		{&c.EraseEvery, 5 * Second},
		{&c.EraseDelay, 10 * Second},
		{&c.Retain, 3600 * Second},
	}
	for _, d := range defaults {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.SuspectMin == 0 {
		c.SuspectMin = min(200*Millisecond, c.SuspectAfter)
	}
	if len(c.Electorate) == 0 {
		c.Electorate = c.Nodes
	}
	if c.FastQuorum == 0 {
		c.FastQuorum = quorum.FastMinOf(len(c.Nodes), len(c.Electorate))
	}
	if c.RecoverMax == 0 {
		c.RecoverMax = 64
	}
	if c.KeptMax == 0 {
		c.KeptMax = 65536
	}
	if c.UnackedMax == 0 {
		c.UnackedMax = 16384
	}
	if c.LagBytes == 0 {
		c.LagBytes = 1 << 20
	}
	return c
}

func (c Config) validate() error {
	n, electors := len(c.Nodes), len(c.Electorate)
	switch {
	case n < 1 || n > 63:
		return fmt.Errorf("accord: Config.Nodes has %d nodes, want 1 to 63", n)
	case !sortedIDs(c.Nodes):
		return fmt.Errorf("accord: Config.Nodes is %v, want sorted distinct ids above 0", c.Nodes)
	case !slices.Contains(c.Nodes, c.Self):
		return fmt.Errorf("accord: Config.Self %d is not among Config.Nodes %v", c.Self, c.Nodes)
	case !sortedIDs(c.Electorate) || slices.ContainsFunc(c.Electorate, func(id NodeID) bool { return !slices.Contains(c.Nodes, id) }):
		return fmt.Errorf("accord: Config.Electorate is %v, want some of Config.Nodes %v, sorted", c.Electorate, c.Nodes)
	case electors < quorum.ElectorateMin(n):
		return fmt.Errorf("accord: Config.Electorate has %d nodes, want %d to %d", electors, quorum.ElectorateMin(n), n)
	case c.FastQuorum < quorum.FastMinOf(n, electors) || c.FastQuorum > electors:
		return fmt.Errorf("accord: Config.FastQuorum is %d, want %d to %d", c.FastQuorum, quorum.FastMinOf(n, electors), electors)
	case c.HLCReserve >= c.MaxSkew:
		return fmt.Errorf("accord: Config.HLCReserve is %d, want below MaxSkew %d: a restarted node starts that far ahead", c.HLCReserve, c.MaxSkew)
	}
	return nil
}

// sortedIDs tells whether ids are sorted, distinct and above 0.
func sortedIDs(ids []NodeID) bool {
	return slices.IsSorted(ids) && len(slices.Compact(slices.Clone(ids))) == len(ids) && !slices.Contains(ids, 0)
}

// elects tells whether only some of the nodes can decide in one round.
func (c Config) elects() bool { return len(c.Electorate) < len(c.Nodes) }

// general tells whether a recovery's votes may not say whether the fast path was taken, so that mode G's rules are
// needed. Slow quorums may meet outside an electorate.
func (c Config) general() bool {
	return c.elects() || !quorum.VotesSuffice(len(c.Nodes), c.FastQuorum)
}

// electors returns the electorate as a set.
func (c Config) electors() (s nodeSet) {
	for i, id := range c.Nodes {
		if slices.Contains(c.Electorate, id) {
			s.add(i)
		}
	}
	return s
}
