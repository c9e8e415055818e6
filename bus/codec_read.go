package bus

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"natsaccord/accord"
)

// reader reads from the front of rest until something is wrong, and nothing after that: a failed reader reads
// zeros, so that callers need not look at err before the end.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	r.rest = nil
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail("wants %d bytes, has %d", n, len(r.rest))
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); len(b) == 2 {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); len(b) == 4 {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// uvarint reads a number of at most limit.
func (r *reader) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > limit {
		r.fail("bad number")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count reads how many items of at least size bytes follow, and refuses more than there can be.
func (r *reader) count(size int) int {
	n := r.uvarint(math.MaxUint64)
	if n > uint64(len(r.rest)/size) {
		r.fail("wants %d items, has %d bytes", n, len(r.rest))
		return 0
	}
	return int(n)
}

func (r *reader) shortText() string { return string(r.take(r.uvarint(maxName))) }

// flags reads as many bits as there are flags, and refuses others.
func (r *reader) flags(bits ...*bool) {
	b := r.byte()
	if b >= 1<<len(bits) {
		r.fail("flags %#x", b)
		return
	}
	for i, bit := range bits {
		*bit = b&(1<<i) != 0
	}
}

func (r *reader) present() (present bool) {
	r.flags(&present)
	return present
}

func (r *reader) timestamp() accord.Timestamp {
	b := r.take(accord.TimestampSize)
	if b == nil {
		return accord.Timestamp{}
	}
	t, ok := accord.TimestampFromBinary(b)
	if !ok {
		r.fail("timestamp of an unknown kind")
	}
	return t
}

func (r *reader) txnID() accord.TxnID   { return accord.TxnID{Timestamp: r.timestamp()} }
func (r *reader) ballot() accord.Ballot { return accord.Ballot{Timestamp: r.timestamp()} }

func (r *reader) status() accord.Status {
	s := accord.Status(r.byte())
	if !s.Valid() {
		r.fail("status %d", s)
	}
	return s
}

// keys reads a set: sorted, unique and without the empty key, as the core relies on.
func (r *reader) keys() accord.Keys {
	const leastKey = 2 // a length and a byte
	n := r.count(leastKey)
	if n == 0 {
		return nil
	}
	lengths := r.rest
	total := uint64(0)
	for range n {
		total += r.uvarint(uint64(len(r.rest)))
	}
	lengths = lengths[:len(lengths)-len(r.rest)]
	text := string(r.take(total))
	if r.err != nil {
		return nil
	}
	keys := make(accord.Keys, n)
	for i := range keys {
		length, size := binary.Uvarint(lengths)
		keys[i], text, lengths = accord.Key(text[:length]), text[length:], lengths[size:]
		if length == 0 || i > 0 && keys[i] <= keys[i-1] {
			r.fail("keys are no set")
			return nil
		}
	}
	return keys
}

// txn copies the body: it outlives the frame, and would keep all of it in memory.
func (r *reader) txn() *accord.Txn {
	if !r.present() {
		return nil
	}
	keys := r.keys()
	return &accord.Txn{Keys: keys, Body: slices.Clone(r.take(r.uvarint(uint64(len(r.rest)))))}
}

// deps reads a set: sorted and unique, as the core relies on.
func (r *reader) deps() accord.Deps {
	const leastID = 3 // a kind, a distance and a node
	deps := accord.Deps{Floor: r.timestamp()}
	n := r.count(leastID)
	if n == 0 {
		return deps
	}
	deps.IDs = make([]accord.TxnID, n)
	var last accord.TxnID
	for i := range deps.IDs {
		id := r.nextID(last)
		if r.err == nil && i > 0 && !last.Before(id.Timestamp) {
			r.fail("dependencies are not sorted")
		}
		if r.err != nil {
			return accord.Deps{}
		}
		deps.IDs[i], last = id, id
	}
	return deps
}

func (r *reader) nextID(last accord.TxnID) (id accord.TxnID) {
	kind := r.byte()
	id.Epoch, id.HLC = last.Epoch, last.HLC
	if kind&newEpoch != 0 {
		id.Epoch, id.HLC = uint32(r.uvarint(math.MaxUint32)), 0
	}
	id.Kind = accord.Kind(kind &^ newEpoch)
	if id.Kind > accord.KindFenceX {
		r.fail("dependency of kind %d", id.Kind)
	}
	id.HLC += r.uvarint(math.MaxUint64 - id.HLC)
	id.Node = accord.NodeID(r.uvarint(math.MaxUint16))
	return id
}

func (r *reader) optionalDeps() *accord.Deps {
	if !r.present() {
		return nil
	}
	deps := r.deps()
	return &deps
}

func (r *reader) stable() accord.Stable {
	m := accord.Stable{Txn: r.txn(), ExecuteAt: r.timestamp(), Deps: r.deps()}
	r.flags(&m.Truncated)
	return m
}

func (r *reader) nack() accord.Nack {
	m := accord.Nack{Ballot: r.ballot(), Reason: accord.NackReason(r.byte()), Promised: r.ballot()}
	if !m.Reason.Valid() {
		r.fail("nack reason %d", m.Reason)
	}
	if r.present() {
		stable := r.stable()
		m.Stable = &stable
	}
	return m
}

func (r *reader) record() accord.Record {
	m := accord.Record{ID: r.txnID(), Txn: r.txn(), Status: r.status(), Promised: r.ballot(), Vote: r.timestamp()}
	r.flags(&m.VoteFast, &m.VoteRejected)
	m.AcceptedBallot, m.ExecuteAt = r.ballot(), r.timestamp()
	m.AcceptedDeps, m.Deps = r.optionalDeps(), r.optionalDeps()
	return m
}

func (r *reader) recoverOK() accord.RecoverOK {
	m := accord.RecoverOK{Ballot: r.ballot(), Status: r.status(), AcceptedBallot: r.ballot(), ExecuteAt: r.timestamp()}
	m.AcceptedDeps, m.Vote = r.deps(), r.timestamp()
	r.flags(&m.Fast, &m.Rejected, &m.RuledOut)
	m.LocalDeps = r.deps()
	if n := r.count(accord.TimestampSize); n > 0 {
		m.Wait = make([]accord.TxnID, n)
	}
	for i := range m.Wait {
		m.Wait[i] = r.txnID()
	}
	return m
}
