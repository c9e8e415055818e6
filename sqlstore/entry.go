package sqlstore

import (
	"encoding/binary"
	"fmt"

	"natsaccord/accord"
)

// An entry of a journal in files is what one AppendRecords makes durable: entryVersion, the scalars or their absence,
// a count, and the records. Numbers are uvarints, timestamps accord.TimestampSize bytes.
const entryVersion = 1

// The fields that a record of an entry has.
const (
	hasTxn = 1 << iota
	hasPromised
	hasVote
	hasVoteFast
	hasVoteRejected
	hasAcceptedBallot
	hasExecuteAt
	hasAcceptedDeps
	hasDeps
)

func appendEntry(b []byte, records []accord.Record, scalars *accord.Scalars) []byte {
	b = append(b, entryVersion)
	if scalars == nil {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		b = binary.AppendUvarint(b, scalars.HLCLimit)
		b = binary.AppendUvarint(b, uint64(scalars.Epoch))
		for _, t := range []accord.Timestamp{scalars.ConflictFloor, scalars.RejectFloor, scalars.Watermark, scalars.RedundantBefore} {
			b = t.AppendBinary(b)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(records)))
	for i := range records {
		b = appendRecord(b, &records[i])
	}
	return b
}

func fieldsOf(r *accord.Record) (fields uint64) {
	for _, field := range []struct {
		has bool
		bit uint64
	}{
		{r.Txn != nil, hasTxn}, {!r.Promised.IsZero(), hasPromised}, {!r.Vote.IsZero(), hasVote}, {r.VoteFast, hasVoteFast},
		{r.VoteRejected, hasVoteRejected}, {!r.AcceptedBallot.IsZero(), hasAcceptedBallot}, {!r.ExecuteAt.IsZero(), hasExecuteAt},
		{r.AcceptedDeps != nil, hasAcceptedDeps}, {r.Deps != nil, hasDeps},
	} {
		if field.has {
			fields |= field.bit
		}
	}
	return fields
}

func appendRecord(b []byte, r *accord.Record) []byte {
	b = r.ID.AppendBinary(b)
	b = append(b, byte(r.Status))
	fields := fieldsOf(r)
	b = binary.AppendUvarint(b, fields)
	if fields&hasTxn != 0 {
		b = binary.AppendUvarint(b, uint64(len(r.Txn.Keys)))
		for _, key := range r.Txn.Keys {
			b = binary.AppendUvarint(b, uint64(len(key)))
			b = append(b, key...)
		}
		b = binary.AppendUvarint(b, uint64(len(r.Txn.Body)))
		b = append(b, r.Txn.Body...)
	}
	for _, t := range []accord.Timestamp{r.Promised.Timestamp, r.Vote, r.AcceptedBallot.Timestamp, r.ExecuteAt} {
		if !t.IsZero() {
			b = t.AppendBinary(b)
		}
	}
	b = appendDeps(b, r.AcceptedDeps)
	return appendDeps(b, r.Deps)
}

func appendDeps(b []byte, d *accord.Deps) []byte {
	if d == nil {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(d.IDs)))
	b = d.Floor.AppendBinary(b)
	for _, id := range d.IDs {
		b = id.AppendBinary(b)
	}
	return b
}

// entryReader reads an entry; after a failure everything is zero.
type entryReader struct {
	b   []byte
	err error
}

func (r *entryReader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: an entry's %s", errCorrupt, what)
	}
	r.b = nil
}

func (r *entryReader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.fail("number")
		return 0
	}
	r.b = r.b[size:]
	return n
}

// count reads how many things follow of at least size bytes each.
func (r *entryReader) count(size int) int {
	n := r.number()
	if n > uint64(len(r.b)/size) {
		r.fail("count")
		return 0
	}
	return int(n)
}

// bytes reads a length and so many bytes, as a copy.
func (r *entryReader) bytes() []byte {
	n := r.count(1)
	b := append(make([]byte, 0, n), r.b[:n]...)
	r.b = r.b[n:]
	return b
}

func (r *entryReader) byte() byte {
	if len(r.b) == 0 {
		r.fail("end")
		return 0
	}
	b := r.b[0]
	r.b = r.b[1:]
	return b
}

func (r *entryReader) timestamp() accord.Timestamp {
	t, ok := accord.TimestampFromBinary(r.b)
	if !ok {
		r.fail("timestamp")
		return accord.Timestamp{}
	}
	r.b = r.b[accord.TimestampSize:]
	return t
}

func (r *entryReader) deps() *accord.Deps {
	n := r.count(accord.TimestampSize)
	d := &accord.Deps{Floor: r.timestamp(), IDs: make([]accord.TxnID, n)}
	for i := range d.IDs {
		d.IDs[i] = accord.TxnID{Timestamp: r.timestamp()}
	}
	return d
}

func (r *entryReader) txn() *accord.Txn {
	keys := make([]accord.Key, r.count(1))
	for i := range keys {
		keys[i] = accord.Key(r.bytes())
	}
	return &accord.Txn{Keys: accord.NewKeys(keys), Body: r.bytes()}
}

func (r *entryReader) record() (rec accord.Record) {
	rec.ID = accord.TxnID{Timestamp: r.timestamp()}
	if rec.Status = accord.Status(r.byte()); !rec.Status.Valid() {
		r.fail("status")
	}
	fields := r.number()
	has := func(bit uint64) bool { return fields&bit != 0 }
	if has(hasTxn) {
		rec.Txn = r.txn()
	}
	if has(hasPromised) {
		rec.Promised = accord.Ballot{Timestamp: r.timestamp()}
	}
	if has(hasVote) {
		rec.Vote = r.timestamp()
	}
	rec.VoteFast, rec.VoteRejected = has(hasVoteFast), has(hasVoteRejected)
	if has(hasAcceptedBallot) {
		rec.AcceptedBallot = accord.Ballot{Timestamp: r.timestamp()}
	}
	if has(hasExecuteAt) {
		rec.ExecuteAt = r.timestamp()
	}
	if has(hasAcceptedDeps) {
		rec.AcceptedDeps = r.deps()
	}
	if has(hasDeps) {
		rec.Deps = r.deps()
	}
	return rec
}

func (r *entryReader) scalars() *accord.Scalars {
	if r.byte() == 0 {
		return nil
	}
	s := &accord.Scalars{HLCLimit: r.number(), Epoch: uint32(r.number())}
	s.ConflictFloor, s.RejectFloor, s.Watermark, s.RedundantBefore = r.timestamp(), r.timestamp(), r.timestamp(), r.timestamp()
	return s
}

// decodeEntry reads what appendEntry wrote. It never panics, and allocates no more than a small multiple of b.
func decodeEntry(b []byte) (records []accord.Record, scalars *accord.Scalars, err error) {
	r := &entryReader{b: b}
	if version := r.byte(); version != entryVersion {
		return nil, nil, fmt.Errorf("%w: an entry of version %d", errCorrupt, version)
	}
	scalars = r.scalars()
	records = make([]accord.Record, 0, r.count(accord.TimestampSize+2))
	for range cap(records) {
		records = append(records, r.record())
	}
	if r.err == nil && len(r.b) > 0 {
		r.fail("end")
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	return records, scalars, nil
}
