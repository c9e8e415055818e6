package sqlstore

import (
	"context"
	"fmt"
	"iter"

	"natsaccord/accord"
)

// AppendRecords makes records and, if not nil, scalars durable, in one transaction with one sync, and returns
// when they are. A record replaces an earlier one of its transaction as accord.Record says. Any error is final:
// what is durable is unknown, and the store refuses further writes.
func (s *Store) AppendRecords(ctx context.Context, records []accord.Record, scalars *accord.Scalars) error {
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.engine.journal(ctx, encodeRecords(records), scalars); err != nil {
		s.fail(err)
		return fmt.Errorf("sqlstore: append %d records: %w", len(records), err)
	}
	s.syncs.Add(1)
	return nil
}

// Load returns the scalars and an iterator over all records, by TxnID.
func (s *Store) Load(ctx context.Context) (accord.Scalars, iter.Seq2[accord.Record, error], error) {
	scalars, err := s.loadScalars(ctx)
	if err != nil {
		return accord.Scalars{}, nil, fmt.Errorf("sqlstore: load the scalars: %w", err)
	}
	return scalars, s.engine.records(ctx), nil
}

func (s *Store) loadScalars(ctx context.Context) (scalars accord.Scalars, err error) {
	found, err := s.engine.query(ctx, `SELECT hlc_limit, epoch, conflict_floor, reject_floor, frontier, redundant_before FROM node`)
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
