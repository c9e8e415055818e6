package accord

import "slices"

// inquiry is one round of Fetches about a transaction that is undecided here. docs/protocol.md §5.1.
type inquiry struct {
	answered nodeSet
	txn      *Txn // the body, once somebody has told it
	busy     bool // somebody is on it, or was very recently
	first    bool // the others have been asked once, and may yet answer
	began    uint64
	pause    uint64
	until    uint64 // next look; pause after the last
}

// attend looks after an undecided transaction in a while: ask the others, then recover it. The nodes take
// turns, its own coordinator first.
func (m *Machine) attend(c *command, after uint64) {
	stagger := m.cfg.Stagger
	if i := m.rank(c.rec.ID.Node); c.blocking || i < 0 || m.suspects(&m.peers[i]) {
		after, stagger = min(after, m.cfg.RecoverAfter/5), stagger/3
	}
	turn := uint64(m.rank(m.cfg.Self)-m.rank(c.rec.ID.Node)+len(m.peers)) % uint64(len(m.peers))
	c.recoverAt = m.now + after + turn*stagger + m.jitter(stagger)
	m.lookAt(c, c.recoverAt)
}

func (m *Machine) lookAt(c *command, due uint64) {
	c.due = due
	m.wake(due, timerProgress, c.rec.ID)
}

// block notes that something here waits for c. If c is unknown it is asked for soon: the decision is most
// likely made, and on its way.
func (m *Machine) block(c *command) {
	if c.blocking || c.rec.Status.Decided() {
		return
	}
	c.blocking = true
	m.attend(c, m.cfg.RecoverAfter/5)
	if !c.registered() {
		m.lookAt(c, m.now+m.cfg.FetchAfter)
	}
}

// backoff returns how long to leave a transaction alone after a lost attempt: random, and longer each time,
// so that attempts get rarer than one attempt takes.
func (m *Machine) backoff(c *command) uint64 {
	return m.cfg.RetryAfter + m.jitter(min(m.cfg.BackoffMax, m.cfg.RetryAfter<<min(c.attempts, 16)))
}

// tickProgress asks the others about a transaction, or draws the conclusion from what they answered.
func (m *Machine) tickProgress(id TxnID) {
	c := m.commands[id]
	if c == nil || c.rec.Status.Decided() {
		m.endInquiry(id)
		return
	}
	if m.now < c.due {
		return
	}
	q := m.inquiries[id]
	switch {
	case m.coords[id] != nil:
		m.endInquiry(id)
		m.lookAt(c, m.now+m.cfg.RecoverAfter)
	case q == nil && m.asking >= m.askMost():
		m.lookAt(c, m.now+m.cfg.RetryAfter+m.jitter(m.cfg.RetryAfter))
	case q == nil:
		m.inquire(c)
	case m.now < q.until:
		m.lookAt(c, q.until)
	case q.answered.len() < m.slow:
		m.notFirst(q)
		m.fetch(c, q)
	default:
		m.conclude(c, q)
	}
}

// How many first questions may be under way at a time: as many as bring Config.LagBytes, within bounds.
const (
	askFew      = 16 // fewer than that might not keep up with what is proposed anew
	askMany     = 64 // small bodies may be followed by large ones
	fetchedKeep = 8  // one in so many parts of the smoothed size of a body is the last one's
)

// askMost returns how many first questions may be under way at a time. A node that has missed much would otherwise ask for more than
// it can take, and all others wait behind the answers.
func (m *Machine) askMost() int { return min(max(m.cfg.LagBytes/m.fetched, askFew), askMany) }

// inquire asks all others what they know. Who gets no answer in time leaves the place of its first question to others, and asks again rarely.
func (m *Machine) inquire(c *command) {
	m.counters.Inquiries++
	q := &inquiry{txn: c.rec.Txn, busy: m.young(c.rec.Promised), first: true, began: m.now, pause: m.firstPause()}
	q.answered.add(m.rank(m.cfg.Self))
	m.inquiries[c.rec.ID] = q
	m.asking++
	m.fetch(c, q)
}

// endInquiry drops what is asked about a transaction, if anything is.
func (m *Machine) endInquiry(id TxnID) {
	if q := m.inquiries[id]; q != nil {
		m.notFirst(q)
		delete(m.inquiries, id)
	}
}

func (m *Machine) notFirst(q *inquiry) {
	if q.first {
		q.first = false
		m.asking--
	}
}

// fetch asks those who have not answered, again if need be: without a slow quorum nothing can be concluded, and
// answers that come late are as good.
func (m *Machine) fetch(c *command, q *inquiry) {
	for i := range m.peers {
		if p := &m.peers[i]; !q.answered.has(i) {
			m.expect(p)
			m.send(p.node, c.rec.ID, Fetch{})
		}
	}
	q.until = m.now + q.pause + m.jitter(q.pause/4)
	q.pause = min(2*q.pause, m.cfg.BackoffMax)
	m.lookAt(c, q.until)
}

// firstPause returns how long to wait for answers before asking again, or recovering without those that are missing: longer than they have
// taken of late, or questions would be repeated while the answers are under way, the more the slower these are.
func (m *Machine) firstPause() uint64 {
	return max(m.cfg.RetryAfter, m.slowest(), min(2*m.answering, m.cfg.RetryMax))
}

// answered takes note of what an answer brought and how long it took.
func (m *Machine) answered(id TxnID, rec *Record) {
	if rec.Txn != nil {
		m.fetched = max(1, m.fetched+(len(rec.Txn.Body)-m.fetched)/fetchedKeep)
	}
	if q := m.inquiries[id]; q != nil {
		took := m.now - q.began
		m.answering = max(took, m.answering-m.answering/8)
	}
}

// slowest returns how long the slowest node that is not suspected may take to answer.
func (m *Machine) slowest() uint64 {
	var longest uint64
	for i := range m.peers {
		if !m.suspects(&m.peers[i]) {
			longest = max(longest, m.patience(&m.peers[i]))
		}
	}
	return min(longest, m.cfg.RetryMax)
}

// young tells whether a ballot is so recent that its owner is likely still at work.
func (m *Machine) young(b Ballot) bool {
	return b != Ballot{} && b.HLC+m.cfg.RecoverAfter/2 > m.now
}

// onFetchOK takes over a decision, or takes note of what a node knows.
func (m *Machine) onFetchOK(from NodeID, id TxnID, ok FetchOK) {
	rec := ok.Record
	m.answered(id, &rec)
	switch {
	case rec.Status == StatusInvalidated:
		if m.commands[id] != nil {
			m.invalidated(m.command(id))
		}
		return
	case rec.Status.Decided() && rec.Txn != nil && rec.Deps != nil:
		m.learn(id, rec)
		return
	case rec.Status.Decided():
		m.lag() // forgotten there: the fences or the log will tell
		return
	}
	q := m.inquiries[id]
	if q == nil {
		m.counters.Late++
		return
	}
	q.answered.add(m.rank(from))
	q.busy = q.busy || ok.Active || m.young(rec.Promised)
	if rec.Txn != nil {
		q.txn = rec.Txn
	}
	if c := m.commands[id]; c != nil && q.answered.len() == len(m.peers) {
		m.conclude(c, q)
	}
}

// learn takes over a decision from a node that was asked for it.
func (m *Machine) learn(id TxnID, rec Record) {
	if _, forgotten := m.tombstones[id]; forgotten || m.commands[id] == nil && id.Before(m.scalars.RedundantBefore) {
		return
	}
	m.endInquiry(id)
	m.drop(id)
	c := m.command(id)
	if id.Node == m.cfg.Self && !c.rec.Status.Decided() {
		c.path = PathRecovered
	}
	m.stabilise(c, rec.Txn, rec.ExecuteAt, *rec.Deps)
}

// conclude decides what to do about a transaction that nobody who answered knows the outcome of.
func (m *Machine) conclude(c *command, q *inquiry) {
	m.endInquiry(c.rec.ID)
	switch {
	case m.coords[c.rec.ID] != nil || c.rec.Status.Decided():
	case q.busy:
		c.attempts++
		m.lookAt(c, max(c.recoverAt, m.now+m.backoff(c)))
	case m.now < c.recoverAt:
		m.lookAt(c, min(c.recoverAt, m.now+m.cfg.RetryAfter))
	case m.recovering >= m.cfg.RecoverMax:
		m.enqueue(c)
	case q.txn != nil:
		m.recover(c, q.txn)
	default:
		m.recoverUnknown(c)
	}
}

// enqueue has c wait until there are fewer recoveries. It is looked after all the same in a while.
func (m *Machine) enqueue(c *command) {
	if i, queued := slices.BinarySearchFunc(m.queue, c.rec.ID, compareTxnID); !queued {
		m.queue = slices.Insert(m.queue, i, c.rec.ID)
	}
	m.lookAt(c, m.now+m.cfg.BackoffMax)
}

// next has the first of those that wait looked after. Recovering in the order of TxnIDs frees what blocks others
// soonest.
func (m *Machine) next() {
	m.checkWaits()
	for len(m.queue) > 0 {
		c := m.commands[m.queue[0]]
		m.queue = m.queue[1:]
		if c != nil && !c.rec.Status.Decided() {
			m.lookAt(c, m.now)
			return
		}
	}
}
