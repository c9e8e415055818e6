package sqlstore

import (
	"encoding/json"
	"errors"
	"fmt"

	"natsaccord/accord"
)

// row is a Record as accord_txn holds it. A nil keys and body means "as stored before".
type row struct {
	txnID, status                       string
	keys                                *string // JSON array
	body                                []byte
	executeAt, promised, acceptedBallot *string
	vote                                *string
	voteFast, voteRejected              bool
	acceptedDeps, deps                  []byte
}

// encodeRecords turns records into rows, one for each transaction: the last wins, but keeps a body that an
// earlier one brought.
func encodeRecords(records []accord.Record) []row {
	encoded := make([]row, 0, len(records))
	at := make(map[accord.TxnID]int, len(records))
	for i := range records {
		r := encodeRecord(&records[i])
		if j, again := at[records[i].ID]; again {
			if r.keys == nil {
				r.keys, r.body = encoded[j].keys, encoded[j].body
			}
			encoded[j] = r
			continue
		}
		at[records[i].ID] = len(encoded)
		encoded = append(encoded, r)
	}
	return encoded
}

func encodeRecord(rec *accord.Record) row {
	r := row{
		txnID: rec.ID.String(), status: rec.Status.String(),
		executeAt: text(rec.ExecuteAt), promised: text(rec.Promised.Timestamp), acceptedBallot: text(rec.AcceptedBallot.Timestamp),
		vote: text(rec.Vote), voteFast: rec.VoteFast, voteRejected: rec.VoteRejected,
		acceptedDeps: encodeDeps(rec.AcceptedDeps), deps: encodeDeps(rec.Deps),
	}
	if rec.Txn != nil {
		keys := encodeKeys(rec.Txn.Keys)
		r.keys, r.body = &keys, rec.Txn.Body
		if r.body == nil {
			r.body = []byte{}
		}
	}
	return r
}

func text(t accord.Timestamp) *string {
	if t.IsZero() {
		return nil
	}
	s := t.String()
	return &s
}

func encodeKeys(keys accord.Keys) string {
	encoded, err := json.Marshal(keys)
	if err != nil {
		panic("sqlstore: encode keys: " + err.Error()) // strings always encode
	}
	return string(encoded)
}

// encodeDeps lines up the floor and the ids, accord.TimestampSize bytes each.
func encodeDeps(d *accord.Deps) []byte {
	if d == nil {
		return nil
	}
	b := d.Floor.AppendBinary(make([]byte, 0, accord.TimestampSize*(1+len(d.IDs))))
	for _, id := range d.IDs {
		b = id.AppendBinary(b)
	}
	return b
}

var errCorrupt = errors.New("sqlstore: row does not decode")

func decodeDeps(b []byte) (*accord.Deps, error) {
	if b == nil {
		return nil, nil
	}
	if len(b) == 0 || len(b)%accord.TimestampSize != 0 {
		return nil, fmt.Errorf("%w: deps of %d bytes", errCorrupt, len(b))
	}
	var times []accord.Timestamp
	for ; len(b) > 0; b = b[accord.TimestampSize:] {
		t, ok := accord.TimestampFromBinary(b)
		if !ok {
			return nil, fmt.Errorf("%w: deps hold an unknown kind", errCorrupt)
		}
		times = append(times, t)
	}
	d := &accord.Deps{Floor: times[0]}
	for _, t := range times[1:] {
		d.IDs = append(d.IDs, accord.TxnID{Timestamp: t})
	}
	return d, nil
}

func parse(s *string) (accord.Timestamp, error) {
	if s == nil || *s == "" {
		return accord.Timestamp{}, nil
	}
	return accord.ParseTimestamp(*s)
}

const recordColumns = `txn_id, status, keys, events_data, execute_at, promised, accepted_ballot, vote, vote_fast, vote_rejected, accepted_deps, deps`

// scanRecord reads one row of recordColumns.
func scanRecord(scan func(dest ...any) error) (rec accord.Record, err error) {
	var r row
	if err := scan(&r.txnID, &r.status, &r.keys, &r.body, &r.executeAt, &r.promised, &r.acceptedBallot, &r.vote,
		&r.voteFast, &r.voteRejected, &r.acceptedDeps, &r.deps); err != nil {
		return rec, err
	}
	return decodeRecord(&r)
}

func decodeRecord(r *row) (rec accord.Record, err error) {
	var failures []error
	timestamp := func(s *string) accord.Timestamp {
		t, err := parse(s)
		failures = append(failures, err)
		return t
	}
	deps := func(b []byte) *accord.Deps {
		d, err := decodeDeps(b)
		failures = append(failures, err)
		return d
	}
	rec = accord.Record{
		ID: accord.TxnID{Timestamp: timestamp(&r.txnID)}, Promised: accord.Ballot{Timestamp: timestamp(r.promised)},
		Vote: timestamp(r.vote), VoteFast: r.voteFast, VoteRejected: r.voteRejected,
		AcceptedBallot: accord.Ballot{Timestamp: timestamp(r.acceptedBallot)}, ExecuteAt: timestamp(r.executeAt),
		AcceptedDeps: deps(r.acceptedDeps), Deps: deps(r.deps),
	}
	if rec.Status, err = parseStatus(r.status); err != nil {
		failures = append(failures, err)
	}
	if r.keys != nil {
		var keys []accord.Key
		failures = append(failures, json.Unmarshal([]byte(*r.keys), &keys))
		rec.Txn = &accord.Txn{Keys: accord.NewKeys(keys), Body: r.body}
	}
	if err := errors.Join(failures...); err != nil {
		return accord.Record{}, fmt.Errorf("sqlstore: decode accord_txn %s: %w", r.txnID, err)
	}
	return rec, nil
}

func parseStatus(s string) (accord.Status, error) {
	for status := accord.StatusNone; status.Valid(); status++ {
		if status.String() == s {
			return status, nil
		}
	}
	return 0, fmt.Errorf("%w: status %q", errCorrupt, s)
}
