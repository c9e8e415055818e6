package accordtest

import (
	"slices"

	"natsaccord/accord"
)

// memory follows what each node records of each transaction: votes never change (I5), promises never
// decrease and cover what is accepted (I6), statuses follow the lattice (I7). A crash takes it back to what
// the store kept.
type memory struct {
	blind   bool // Options.Blind
	records map[nodeTxn]accord.Record
	touched []accord.TxnID // since the node last settled

	// The message being delivered, and what was held about its transactions before. nil if a timer is due,
	// which might change something too.
	before map[accord.TxnID]accord.Record
	packet *packet
	took   map[delivery][]accord.TxnID // what a message changed when it was first delivered
}

// delivery is one message in one life of its receiver.
type delivery struct {
	packet *packet
	life   int
}

func newMemory(s sizes) *memory {
	return &memory{blind: s.blind, records: map[nodeTxn]accord.Record{}, took: map[delivery][]accord.TxnID{}}
}

func (m *memory) observe(e event) error {
	switch e := e.(type) {
	case restarted:
		return m.restart(e.node)
	case delivered:
		m.deliver(e)
	case taken:
		return m.repeated(e.node)
	case recorded:
		for _, r := range e.unit.Records {
			if err := m.record(e.node.id, r); err != nil {
				return err
			}
		}
	case settled:
		return m.unrecorded(e.node)
	}
	return nil
}

func (m *memory) record(node accord.NodeID, r accord.Record) error {
	at := nodeTxn{node, r.ID}
	old, known := m.records[at]
	m.records[at] = r
	txn := name(r.ID.Timestamp)
	switch {
	case r.AcceptedBallot.After(r.Promised.Timestamp):
		return violation("I6", "node %d: %s is accepted above its promise: %s", node, txn, show(r))
	case !known:
		return nil
	case !old.Vote.IsZero() && (old.Vote != r.Vote || old.VoteFast != r.VoteFast || old.VoteRejected != r.VoteRejected):
		return violation("I5", "node %d: vote of %s changes: %s, then %s", node, txn, show(old), show(r))
	case r.Promised.Before(old.Promised.Timestamp) || r.AcceptedBallot.Before(old.AcceptedBallot.Timestamp):
		return violation("I6", "node %d: promise of %s decreases: %s, then %s", node, txn, show(old), show(r))
	case !follows(old.Status, r.Status):
		return violation("I7", "node %d: %s becomes %s", node, show(old), r.Status)
	case !m.blind && r.Status >= accord.StatusCommitted && r.AcceptedBallot == old.AcceptedBallot && old.AcceptedDeps != nil && !sameDeps(old.AcceptedDeps, r.AcceptedDeps):
		return violation("I7", "node %d: what %s was accepted with changes: %s, then %s", node, txn, show(old), show(r))
	case old.Status.Decided() && old.ExecuteAt != r.ExecuteAt:
		return violation("I7", "node %d: decision of %s changes: %s, then %s", node, txn, show(old), show(r))
	}
	return nil
}

// follows tells whether one status may come after another, with any number of steps in between.
// docs/protocol.md §2.5.
func follows(from, to accord.Status) bool {
	switch from {
	case accord.StatusNone:
		return true
	case accord.StatusPreAccepted, accord.StatusAccepted, accord.StatusAcceptedInvalidate:
		return to >= accord.StatusAccepted || to == from
	case accord.StatusCommitted:
		return to == accord.StatusCommitted || to == accord.StatusStable || to == accord.StatusApplied
	case accord.StatusStable:
		return to == accord.StatusStable || to == accord.StatusApplied
	}
	return to == from
}

// restart starts anew from what a node's store kept, and checks that the Machine does too (I12).
func (m *memory) restart(n *Node) error {
	for at := range m.records {
		if at.node == n.id {
			delete(m.records, at)
		}
	}
	for stored, err := range n.store.Records() {
		if err != nil {
			return err
		}
		m.records[nodeTxn{n.id, stored.ID}] = stored
		held, ok := n.machine.Record(stored.ID)
		if !ok {
			continue // forgotten for good: the watermarks' business
		}
		if !sameRecord(stored, held) {
			return violation("I12", "node %d restarts with %s, its store has %s", n.id, show(held), show(stored))
		}
	}
	return nil
}

// deliver remembers what a message is about and how things stand before it.
func (m *memory) deliver(e delivered) {
	for _, msg := range e.packet.messages {
		m.touched = append(m.touched, msg.TxnID)
	}
	m.before, m.packet = nil, e.packet.source()
	if due, timed := e.node.machine.Deadline(); timed && due <= e.now {
		return
	}
	m.before = make(map[accord.TxnID]accord.Record)
	for _, msg := range e.packet.messages {
		m.before[msg.TxnID], _ = e.node.machine.Record(msg.TxnID)
	}
}

// repeated checks that what a message has changed once it does not change again (I27).
func (m *memory) repeated(n *Node) error {
	at := delivery{m.packet, n.life}
	took, again := m.took[at]
	for _, msg := range m.packet.messages {
		old, compared := m.before[msg.TxnID]
		held, ok := n.machine.Record(msg.TxnID)
		if held.Promised.Node == n.id {
			old.Promised = held.Promised // an old FetchOK may be the last that was missing for an attempt of its own
		}
		if !compared || !ok || sameRecord(old, held) {
			continue
		}
		if slices.Contains(took, msg.TxnID) {
			return violation("I27", "node %d: %s again changes %s to %s", n.id, kindOf(msg.Body), show(old), show(held))
		}
		if !again {
			m.took[at] = append(m.took[at], msg.TxnID)
		}
	}
	m.before = nil
	return nil
}

// unrecorded checks that what a message changed was handed out to be made durable. The mark of what is
// applied is the store's own, and a bare name is nothing to remember.
func (m *memory) unrecorded(n *Node) error {
	touched := m.touched
	m.touched = m.touched[:0]
	for _, id := range touched {
		held, ok := n.machine.Record(id)
		if !ok || held.Status == accord.StatusNone && held.Promised.IsZero() {
			continue
		}
		last := m.records[nodeTxn{n.id, id}]
		if held.Status == accord.StatusApplied {
			held.Status, last.Status = accord.StatusApplied, accord.StatusApplied
		}
		if !sameRecord(last, held) {
			return violation("I12", "node %d holds %s, and recorded only %s", n.id, show(held), show(last))
		}
	}
	return nil
}

// sameRecord compares everything but the transaction's body, which is recorded only once.
func sameRecord(a, b accord.Record) bool {
	return a.ID == b.ID && a.Status == b.Status && a.Promised == b.Promised && a.Vote == b.Vote &&
		a.VoteFast == b.VoteFast && a.VoteRejected == b.VoteRejected && a.AcceptedBallot == b.AcceptedBallot &&
		a.ExecuteAt == b.ExecuteAt && sameDeps(a.AcceptedDeps, b.AcceptedDeps) && sameDeps(a.Deps, b.Deps)
}

func sameDeps(a, b *accord.Deps) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Floor == b.Floor && slices.Equal(a.IDs, b.IDs)
}

// wire follows what each node has told others, over all its lives: the same vote for ever (I5), and nothing
// below what it promised (I6).
type wire struct {
	votes    map[nodeTxn]accord.PreAcceptOK
	promises map[nodeTxn]accord.Ballot
	issued   map[issue]accord.TxnID  // which transaction a timestamp of a node was used for
	latest   map[accord.NodeID]lived // the highest TxnID or ballot of each node
}

type issue struct {
	node accord.NodeID
	hlc  uint64
}

// lived is the highest time used for a TxnID or a ballot in a life of a node, and in those before it.
type lived struct {
	life       int
	now, ended uint64
}

func newWire() *wire {
	return &wire{map[nodeTxn]accord.PreAcceptOK{}, map[nodeTxn]accord.Ballot{}, map[issue]accord.TxnID{}, map[accord.NodeID]lived{}}
}

func (w *wire) observe(e event) error {
	s, ok := e.(sent)
	if !ok {
		return nil
	}
	at := nodeTxn{s.node.id, s.msg.TxnID}
	switch b := s.msg.Body.(type) {
	case accord.PreAccept:
		return w.start(s.node, s.msg.TxnID.Timestamp, s.msg.TxnID)
	case accord.PreAcceptOK:
		if p := w.promises[at]; !p.IsZero() {
			return violation("I6", "node %d votes on %s after a promise", at.node, name(at.id.Timestamp))
		}
		return w.vote(at, b)
	case accord.RecoverOK:
		if err := w.promise(at, b.Ballot); err != nil || b.Vote.IsZero() {
			return err
		}
		return w.vote(at, accord.PreAcceptOK{Vote: b.Vote, Fast: b.Fast, Rejected: b.Rejected})
	case accord.AcceptOK:
		return w.promise(at, b.Ballot)
	case accord.CommitOK:
		return w.promise(at, b.Ballot)
	case accord.InvalidateOK:
		return w.promise(at, b.Ballot)
	case accord.AcceptInvalidateOK:
		if r, ok := s.node.machine.Record(at.id); !ok || r.Status == accord.StatusInvalidated {
			return nil // no longer a promise, but the outcome
		}
		return w.promise(at, b.Ballot)
	case accord.Recover:
		return w.start(s.node, b.Ballot.Timestamp, at.id)
	case accord.BeginInvalidation:
		return w.start(s.node, b.Ballot.Timestamp, at.id)
	}
	return nil
}

func (w *wire) vote(at nodeTxn, ok accord.PreAcceptOK) error {
	if old, voted := w.votes[at]; voted && (old.Vote != ok.Vote || old.Fast != ok.Fast || old.Rejected != ok.Rejected) {
		return violation("I5", "node %d tells %s as its vote on %s, and told %s", at.node, name(ok.Vote), name(at.id.Timestamp), name(old.Vote))
	}
	w.votes[at] = ok
	if ok.Vote == at.id.Timestamp {
		return nil
	}
	return w.issue(ok.Vote, at.id)
}

func (w *wire) promise(at nodeTxn, b accord.Ballot) error {
	if old := w.promises[at]; b.Before(old.Timestamp) {
		return violation("I6", "node %d answers %s at ballot %s after promising %s", at.node, name(at.id.Timestamp), name(b.Timestamp), name(old.Timestamp))
	}
	w.promises[at] = b
	return nil
}

// start checks a timestamp that names an attempt to decide a transaction. No attempt outlives its node's life,
// so all timestamps of a later life are above those of the earlier ones.
func (w *wire) start(n *Node, t accord.Timestamp, id accord.TxnID) error {
	l := w.latest[n.id]
	if l.life != n.life {
		l = lived{life: n.life, ended: max(l.ended, l.now)}
	}
	if t.HLC <= l.ended {
		return violation("I8", "node %d uses %s, and used %d before it restarted", n.id, name(t), l.ended)
	}
	l.now = max(l.now, t.HLC)
	w.latest[n.id] = l
	return w.issue(t, id)
}

// issue checks that a node uses each of its timestamps for one transaction only, over all its lives (I8).
func (w *wire) issue(t accord.Timestamp, id accord.TxnID) error {
	at := issue{t.Node, t.HLC}
	if old, used := w.issued[at]; used && old != id {
		return violation("I8", "timestamp %s names two things: of %s and of %s", name(t), name(old.Timestamp), name(id.Timestamp))
	}
	w.issued[at] = id
	return nil
}

// freshness checks that a vote is above everything that conflicts and was recorded at its node before (I8).
type freshness struct {
	nodes map[accord.NodeID]*registry
}

// registry is what a node has registered in this life, by key.
type registry struct {
	records map[accord.TxnID]accord.Record
	keys    map[accord.Key][]accord.TxnID
	floor   accord.Timestamp // ConflictFloor
}

func newFreshness() *freshness { return &freshness{map[accord.NodeID]*registry{}} }

func (f *freshness) observe(e event) error {
	switch e := e.(type) {
	case restarted:
		r := &registry{map[accord.TxnID]accord.Record{}, map[accord.Key][]accord.TxnID{}, e.node.store.Scalars().ConflictFloor}
		f.nodes[e.node.id] = r
		for rec := range e.node.store.Records() {
			r.add(rec)
		}
	case recorded:
		r := f.nodes[e.node.id]
		for _, rec := range e.unit.Records {
			if err := r.check(e.node.id, rec); err != nil {
				return err
			}
		}
		for _, rec := range e.unit.Records {
			r.add(rec)
		}
		if s := e.unit.Scalars; s != nil {
			r.floor = s.ConflictFloor
		}
	}
	return nil
}

func (r *registry) add(rec accord.Record) {
	old, known := r.records[rec.ID]
	if rec.Txn == nil {
		rec.Txn = old.Txn
	}
	if rec.Txn == nil {
		return
	}
	r.records[rec.ID] = rec
	if known {
		return
	}
	for _, key := range rec.Txn.Keys {
		r.keys[key] = append(r.keys[key], rec.ID)
	}
}

func (r *registry) check(node accord.NodeID, rec accord.Record) error {
	if _, known := r.records[rec.ID]; known || rec.Txn == nil || rec.Vote.IsZero() {
		return nil
	}
	if !rec.Vote.After(r.floor) {
		return violation("I8", "node %d votes %s, not above its floor %s", node, show(rec), name(r.floor))
	}
	for _, key := range rec.Txn.Keys {
		for _, id := range r.keys[key] {
			other := r.records[id]
			if other.Status == accord.StatusInvalidated {
				continue
			}
			if !rec.Vote.After(id.Timestamp) || !rec.Vote.After(other.ExecuteAt) {
				return violation("I8", "node %d votes %s, not above %s", node, show(rec), show(other))
			}
		}
	}
	return nil
}
