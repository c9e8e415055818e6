package sqlstore

import (
	"context"
	"errors"
)

// transaction runs do in a transaction of the writing connection.
func (s *sqlite) transaction(ctx context.Context, synced bool, do func(ctx context.Context) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	// Once begun it ends: a caller that has gone must not leave half a transaction on the connection.
	ctx = context.WithoutCancel(ctx)
	if err := s.end(ctx); err != nil {
		return err
	}
	if err := s.begin(ctx, synced); err != nil {
		return err
	}
	if err := do(ctx); err != nil {
		return errors.Join(err, s.run(ctx, "ROLLBACK"))
	}
	return s.commit(ctx)
}

func (s *sqlite) begin(ctx context.Context, synced bool) error {
	if s.synced != synced {
		if err := s.sync(ctx, synced); err != nil {
			return err
		}
	}
	return s.run(ctx, "BEGIN IMMEDIATE")
}

func (s *sqlite) commit(ctx context.Context) error {
	if err := s.run(ctx, "COMMIT"); err != nil {
		return errors.Join(err, s.run(ctx, "ROLLBACK"))
	}
	return nil
}

// put writes effects in a transaction that stays open: of a page that many of them change, such as one of the index of streams,
// only the last state goes to the disk.
func (s *sqlite) put(ctx context.Context, todo *effects) (shown bool, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.lost != nil {
		return false, s.lost
	}
	ctx = context.WithoutCancel(ctx)
	if !s.open {
		if err := s.begin(ctx, false); err != nil {
			return false, err
		}
		s.open = true
	}
	if err := s.store(ctx, todo); err != nil {
		s.open, s.lost = false, errors.Join(err, s.run(ctx, "ROLLBACK"))
	}
	return false, s.lost
}

// show commits what was put.
func (s *sqlite) show(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.end(context.WithoutCancel(ctx))
}

// end commits what was put. The caller holds writing.
func (s *sqlite) end(ctx context.Context) error {
	if s.open {
		s.open, s.lost = false, s.commit(ctx)
	}
	return s.lost
}
