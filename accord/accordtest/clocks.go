package accordtest

// epochStart is the virtual time a run begins at, microseconds: late enough for clocks that are behind.
const epochStart = 1_000_000_000

// clock is what a node takes for the time. It may be off, drift and jump, backwards too.
type clock struct {
	offset int64
	drift  float64
	since  uint64 // when drifting began
}

// read returns the node's time at a true time.
func (c clock) read(now uint64) uint64 {
	return uint64(int64(now) + c.offset + int64(c.drift*float64(now-c.since)))
}

// reach returns the true time, from now on, at which the node's time will be at least t.
func (c clock) reach(now, t uint64) uint64 {
	local := c.read(now)
	if local >= t {
		return now
	}
	return now + uint64(float64(t-local)/(1+c.drift)) + 1
}
