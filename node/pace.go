package node

import "time"

// pace has a busy loop take more at a time: what a turn sends to a node goes in one frame, and what it records shares a
// write, so that many small turns cost more than a few large ones. While inputs come one by one it lets each pass
// at once.
type pace struct {
	began time.Time // of the last turn
	load  float64   // inputs of a turn, smoothed
}

const (
	paceTurn = 500 * time.Microsecond // from one turn of a busy loop to the next
	paceLoad = 2                      // inputs of a turn from which on a loop is busy
	paceKeep = 0.9                    // weight of the turns before
)

// wait waits until it is time for a turn.
func (p *pace) wait() {
	if p.load < paceLoad {
		return
	}
	time.Sleep(paceTurn - time.Since(p.began))
}

// turn notes that a turn begins with so many inputs.
func (p *pace) turn(inputs int) {
	p.began = time.Now()
	p.load = paceKeep*p.load + (1-paceKeep)*float64(inputs)
}
