package client

import (
	"sync"
	"time"
)

// patience says how long to wait for an answer before asking once more: a multiple of what answers have taken lately.
// Waiting for a node that is stopped takes as long as one waits, and asking a cluster again that is only slow makes it
// slower. So it grows with what answers take and how much that differs, as the retransmission timeout of TCP does (RFC
// 6298), and is doubled while there are none. It may be used concurrently.
type patience struct {
	least, first, most time.Duration // at least, before the first answer, and at most

	mu              sync.Mutex // protects what follows
	mean, deviation time.Duration
	doubled         int // how often since the last answer
}

const (
	firstPatience     = time.Second            // before anything is known
	leastPatience     = 300 * time.Millisecond // of an append: asking once more costs a transaction, and it has to be over within half a second
	leastReadPatience = 500 * time.Millisecond // reads that select from much take longer than others at the best of times
)

// patienceForByte is waited for each byte of a request on top: large ones are few, and take longer than what is usual.
const patienceForByte = time.Microsecond

// patienceTimes is how many times the mean and the deviation are waited for. TCP waits for one mean and four deviations; but where
// answers always take the same that is not much more than the mean, and a conflict takes three round trips in place of one.
const patienceTimes = 4

// mostDoubled keeps doubling within what a Duration holds. What is waited for is at its most long before.
const mostDoubled = 10

// of returns how long to wait in a try, from 1 on: each waits twice as long as the one before.
func (p *patience) of(try int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return min(p.now()<<min(max(p.doubled, try-1), mostDoubled), p.most)
}

// now is what is waited for before it is doubled. p.mu is held.
func (p *patience) now() time.Duration {
	if p.mean == 0 {
		return p.first
	}
	return max(p.least, patienceTimes*(p.mean+p.deviation))
}

// answered takes note of how long an answer took, be it in time or late.
func (p *patience) answered(took time.Duration) {
	took = max(took, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doubled = 0
	if p.mean == 0 {
		p.mean, p.deviation = took, took/2
		return
	}
	p.deviation = smooth(p.deviation, (took - p.mean).Abs(), 4)
	p.mean = smooth(p.mean, took, 8)
}

// smooth takes a step, one in so many, from what was to what is, and a fourth of that downwards. TCP does not tell them apart, but has one
// measurement in a round trip. Here those that are quick are many, and would have forgotten by the next slow one that there are some.
func smooth(was, is time.Duration, steps time.Duration) time.Duration {
	if is < was {
		steps *= 4
	}
	return was + (is-was)/steps
}

// ranOut takes note of a try that waited in vain. Of those that waited at the same time the first one says it all.
func (p *patience) ranOut(waited time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.doubled < mostDoubled && waited >= p.now()<<p.doubled {
		p.doubled++
	}
}
