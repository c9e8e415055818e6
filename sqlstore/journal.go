package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"natsaccord/accord"
)

// AppendRecords makes records and, if not nil, scalars durable, all or none, with one sync, and returns when they
// are. A record replaces an earlier one of its transaction as accord.Record says. Any error is final:
// what is durable is unknown, and the store refuses further writes.
func (s *Store) AppendRecords(ctx context.Context, records []accord.Record, scalars *accord.Scalars) error {
	if err := s.usable(); err != nil {
		return err
	}
	var err error
	if s.files == nil {
		err = s.engine.journal(ctx, encodeRecords(s.unapplied(records)), scalars)
	} else {
		var begun bool
		if begun, err = s.files.append(s.unapplied(records), scalars); begun {
			s.behind.takeAll()
		}
	}
	if err != nil {
		s.fail(err)
		return fmt.Errorf("sqlstore: append %d records: %w", len(records), err)
	}
	s.syncs.Add(1)
	return nil
}

// unapplied returns records that mark nothing applied whose effects have yet to be written: that mark goes with them.
// What came with another node's log is there.
func (s *Store) unapplied(records []accord.Record) []accord.Record {
	caughtUp := *s.caughtUp.Load()
	is := func(r *accord.Record) bool {
		return r.Status == accord.StatusApplied && r.ID.Kind == accord.KindWrite && r.ExecuteAt.String() > caughtUp
	}
	if !slices.ContainsFunc(records, func(r accord.Record) bool { return is(&r) }) {
		return records
	}
	records = slices.Clone(records)
	for i := range records {
		if is(&records[i]) {
			records[i].Status = accord.StatusStable
		}
	}
	return records
}

// selectRecords leaves out what is over for good: decided, begun before the last exclusive fence, and if it was
// to execute, applied below the watermark.
const selectRecords = `SELECT ` + recordColumns + ` FROM accord_txn WHERE NOT (status IN ('applied', 'invalidated')
AND txn_id < $1 AND coalesce(execute_at, '') <= $2) ORDER BY txn_id`

// Load returns the scalars and an iterator over the records, by TxnID: those left out are over for good.
func (s *Store) Load(ctx context.Context) (accord.Scalars, iter.Seq2[accord.Record, error], error) {
	if err := s.behind.settleAll(ctx); err != nil {
		return accord.Scalars{}, nil, err
	}
	scalars, err := loadScalars(ctx, query{s.engine.query})
	if err != nil {
		return accord.Scalars{}, nil, fmt.Errorf("sqlstore: load the scalars: %w", err)
	}
	return scalars, s.engine.records(ctx, scalars), nil
}

// pruneBatch is how many rows are deleted at a time, so that nobody waits long for the rest.
const pruneBatch = 2000

// Prune deletes from accord_txn what is over for good and has not changed since a time, and returns how many rows
// those were. They were kept for people to look at. Fences that are over go at once.
func (s *Store) Prune(ctx context.Context, before time.Time) (pruned int64, err error) {
	if err := s.usable(); err != nil {
		return 0, err
	}
	scalars, err := loadScalars(ctx, query{s.engine.query})
	if err != nil {
		return 0, fmt.Errorf("sqlstore: load the scalars: %w", err)
	}
	// What the watermark covers must have been written before its row goes, and what a file holds must not come back, when
	// it is read again, without the mark that it was applied.
	if err := errors.Join(s.behind.settle(ctx), s.checkpoint(ctx)); err != nil {
		return 0, err
	}
	for _, d := range deletions(scalars, before) {
		for n := int64(pruneBatch); n == pruneBatch; pruned += n {
			if n, err = s.engine.prune(ctx, d); err != nil {
				return pruned, fmt.Errorf("sqlstore: prune accord_txn: %w", err)
			}
		}
	}
	return pruned, nil
}

// deleteRecords deletes a batch of those that began before $1, and deleteFences one of fences, which nobody will look at. What is
// undecided and began before the last exclusive fence is over too. Which kind a TxnID is of stands in its 21st character.
const (
	over          = `txn_id < $1 AND (status NOT IN ('stable', 'applied') OR execute_at <= $2)`
	deleteRecords = `DELETE FROM accord_txn WHERE txn_id IN (SELECT txn_id FROM accord_txn WHERE ` + over + ` AND updated_at < $4 ORDER BY txn_id LIMIT $3)`
	deleteFences  = `DELETE FROM accord_txn WHERE txn_id IN (SELECT txn_id FROM accord_txn WHERE substr(txn_id, 21, 1) IN ('6', '7', '8', '9') AND ` + over + ` ORDER BY txn_id LIMIT $3)`
)

// deletion is one of these, and its arguments: before is nil where none is asked for.
type deletion struct {
	text          string
	below, passed accord.Timestamp
	before        *time.Time
}

// deletions are what pruning comes to. What began after a time has changed since, so that it need not be looked at.
func deletions(scalars accord.Scalars, before time.Time) []deletion {
	began := accord.Timestamp{Epoch: scalars.Epoch, HLC: uint64(max(before.UnixMicro(), 0))}
	if began.After(scalars.RedundantBefore) {
		began = scalars.RedundantBefore
	}
	return []deletion{
		{deleteRecords, began, scalars.Watermark, &before},
		{deleteFences, scalars.RedundantBefore, scalars.Watermark, nil},
	}
}

func loadScalars(ctx context.Context, q query) (scalars accord.Scalars, err error) {
	found, err := q.run(ctx, `SELECT hlc_limit, epoch, conflict_floor, reject_floor, frontier, redundant_before FROM node`)
	if err != nil {
		return scalars, err
	}
	defer found.Close()
	for found.Next() {
		var conflict, reject, frontier, redundant *string
		if err := found.Scan(&scalars.HLCLimit, &scalars.Epoch, &conflict, &reject, &frontier, &redundant); err != nil {
			return scalars, err
		}
		for _, field := range []struct {
			to   *accord.Timestamp
			from *string
		}{{&scalars.ConflictFloor, conflict}, {&scalars.RejectFloor, reject}, {&scalars.Watermark, frontier}, {&scalars.RedundantBefore, redundant}} {
			if *field.to, err = parse(field.from); err != nil {
				return scalars, err
			}
		}
	}
	return scalars, found.Err()
}

// updateScalars is the statement that stores scalars.
const updateScalars = `UPDATE node SET hlc_limit = $1, epoch = $2, conflict_floor = $3, reject_floor = $4, frontier = $5, redundant_before = $6`

func scalarArgs(s *accord.Scalars) []any {
	return []any{int64(s.HLCLimit), int64(s.Epoch), text(s.ConflictFloor), text(s.RejectFloor), text(s.Watermark), text(s.RedundantBefore)}
}

// updateSegment is the statement that notes the first file of the journal that is needed.
const updateSegment = `UPDATE node SET journal_from = $1`
