package sqlstore

import (
	"context"
	"fmt"

	"natsaccord/event"
)

// Published returns up to where events have been published live, as noted last; empty if that never was.
func (s *Store) Published(ctx context.Context) (p event.Position, err error) {
	found, err := s.engine.query(ctx, `SELECT coalesce(published, '') FROM node`)
	if err != nil {
		return "", fmt.Errorf("sqlstore: read what is published: %w", err)
	}
	defer found.Close()
	for found.Next() {
		if err := found.Scan((*string)(&p)); err != nil {
			return "", fmt.Errorf("sqlstore: read what is published: %w", err)
		}
	}
	return p, found.Err()
}

// SetPublished notes up to where events have been published live. It syncs: call it now and then.
func (s *Store) SetPublished(ctx context.Context, p event.Position) error {
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.engine.exec(ctx, `UPDATE node SET published = $1`, string(p)); err != nil {
		return fmt.Errorf("sqlstore: note what is published: %w", err)
	}
	return nil
}
