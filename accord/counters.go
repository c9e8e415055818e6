package accord

// Counters count what a Machine has done since it was made.
type Counters struct {
	Submitted, Applied                        uint64 // transactions
	Fast, Slow, Recovered, Invalidated        uint64 // decisions made here, by path
	Accepts                                   uint64 // Accept rounds
	Commits, FenceAccepts                     uint64 // mode G: Commit rounds, second rounds of fences
	RuledOut, Waits                           uint64 // mode G: fast paths ruled out by evidence alone; recoveries that waited for others
	Preempted, Recoveries, Inquiries          uint64 // attempts lost to others, attempts on behalf of others
	Fences, Watermarks, FenceFetches, Forgets uint64
	ExclusiveFences, Erasures, CatchUps       uint64
	Forgotten                                 uint64 // coordinated here, and settled elsewhere without this node
	Sent, Resent                              uint64 // messages to others, and rounds of those sent again
	Late, Doubled                             uint64 // answers that came too late or twice
	Strangers, ClockSkews, Refused, Unspread  uint64 // what was not believed or not done
}

// Counters returns what the Machine has counted.
func (m *Machine) Counters() Counters { return m.counters }

// Map returns the counters by name, for status pages and metrics.
func (c Counters) Map() map[string]uint64 {
	return map[string]uint64{
		"submitted": c.Submitted, "applied": c.Applied,
		"fast": c.Fast, "slow": c.Slow, "recovered": c.Recovered, "invalidated": c.Invalidated,
		"accepts": c.Accepts, "commits": c.Commits, "fence_accepts": c.FenceAccepts, "ruled_out": c.RuledOut, "waits": c.Waits,
		"preempted": c.Preempted, "recoveries": c.Recoveries, "inquiries": c.Inquiries,
		"fences": c.Fences, "watermarks": c.Watermarks, "fence_fetches": c.FenceFetches, "forgets": c.Forgets,
		"exclusive_fences": c.ExclusiveFences, "erasures": c.Erasures, "catch_ups": c.CatchUps, "forgotten": c.Forgotten,
		"messages_sent": c.Sent, "resent": c.Resent, "late": c.Late, "doubled": c.Doubled,
		"strangers": c.Strangers, "clock_skews": c.ClockSkews, "refused": c.Refused, "unspread": c.Unspread,
	}
}
