package accord

// detector tells from how long a node has kept this one waiting for an answer that it may have died. It is an
// accrual failure detector (Hayashibara et al., 2004): what is unusual is measured by what was usual on this link,
// with a mean and a mean deviation (as RFC 6298) in place of a window of samples. Suspicion is a matter of speed
// only, never of safety.
type detector struct {
	owing           uint64 // since when an answer is owed; zero: none is. Anything that is heard clears the debt
	samples         uint64
	mean, deviation uint64 // of how long answers were owed, microseconds
}

const (
	detectorSamples = 8 // with fewer, only the fixed limit counts
	// One in 10^8 of a normal distribution, whose mean deviation is 0.8 of its standard deviation, lies beyond so many
	// mean deviations: phi 8.
	detectorDeviations = 7
	detectorMost       = 4 // times the fixed limit is the longest that may become usual
)

// expect notes that an answer is owed.
func (d *detector) expect(now uint64) {
	if d.owing == 0 {
		d.owing = now
	}
}

// hear notes a sign of life. A node that was away teaches nothing about its link, but one whose link has become
// slower does: a sample counts for twice the limit at most.
func (d *detector) hear(now uint64, limit uint64) {
	if d.owing == 0 {
		return
	}
	took := min(now-min(now, d.owing), 2*limit)
	d.owing = 0
	if d.samples++; d.samples == 1 {
		d.mean, d.deviation = took, took/2
		return
	}
	diff := max(d.mean, took) - min(d.mean, took)
	d.deviation = (3*d.deviation + diff) / 4
	d.mean = (7*d.mean + took) / 8
}

// limit returns how long an answer may be owed before its node is suspected: least at least, and fixed while too
// little is known.
func (d *detector) limit(least, fixed uint64) uint64 {
	if d.samples < detectorSamples {
		return fixed
	}
	return min(max(d.mean+detectorDeviations*d.deviation, least), detectorMost*fixed)
}

// suspects tells whether p has owed an answer for so long that it may have died.
func (m *Machine) suspects(p *peer) bool {
	return p.silence.owing != 0 && p.node != m.cfg.Self && m.now > p.silence.owing+m.silenceLimit(p)
}

func (m *Machine) silenceLimit(p *peer) uint64 {
	return p.silence.limit(m.cfg.SuspectMin, m.cfg.SuspectAfter)
}
