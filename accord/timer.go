package accord

// timers is a heap that orders what is to be looked at by when. An entry is a hint: whoever it wakes checks whether it is
// really due, so that moving a deadline just adds an entry.
type timers []timer

type timer struct {
	due  uint64 // microseconds
	seq  uint64 // breaks ties in the order of setting, for determinism
	kind timerKind
	id   TxnID // or, for a peer, its index as HLC
}

type timerKind uint8

const (
	timerCoordination timerKind = iota // a coordination's next retransmission or decision
	timerProgress                      // a command's next look-after
	timerPeer                          // a peer's next resending or probe
	timerFence                         // the next fence
	timerRead                          // a read's retransmission
	timerErase                         // the next exclusive fence
)

// before tells which of two comes first. No two are alike.
func (t timer) before(u timer) bool {
	if t.due != u.due {
		return t.due < u.due
	}
	return t.seq < u.seq
}

// push and pop are container/heap's, which would allocate every timer twice.
func (t *timers) push(x timer) {
	*t = append(*t, x)
	h := *t
	i := len(h) - 1
	for parent := (i - 1) / 2; i > 0 && x.before(h[parent]); parent = (i - 1) / 2 {
		h[i] = h[parent]
		i = parent
	}
	h[i] = x
}

// pop takes out the first.
func (t *timers) pop() timer {
	h := *t
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*t = h
	for i := 0; len(h) > 0; {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if child >= len(h) || !h[child].before(last) {
			h[i] = last
			break
		}
		h[i] = h[child]
		i = child
	}
	return first
}

// wake sets a timer.
func (m *Machine) wake(due uint64, kind timerKind, id TxnID) {
	m.timerSeq++
	m.timers.push(timer{due, m.timerSeq, kind, id})
}

// fire runs what is due by now.
func (m *Machine) fire() {
	for len(m.timers) > 0 && m.timers[0].due <= m.now {
		t := m.timers.pop()
		switch t.kind {
		case timerCoordination:
			m.tickCoordination(t.id)
		case timerProgress:
			m.tickProgress(t.id)
		case timerPeer:
			m.tickPeer(NodeID(t.id.HLC))
		case timerFence:
			m.tickFence()
		case timerRead:
			m.tickRead(t.id)
		case timerErase:
			m.tickErase()
		}
	}
}

// Deadline returns when the next Tick has something to do, and false if nothing is to come.
func (m *Machine) Deadline() (uint64, bool) {
	if len(m.timers) == 0 {
		return 0, false
	}
	return m.timers[0].due, true
}

// jitter returns a number below n, from the seed.
func (m *Machine) jitter(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	m.random += 0x9e3779b97f4a7c15 // splitmix64
	z := m.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z ^ z>>31) % n
}
