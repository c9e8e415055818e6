package sqlstore

import (
	"context"
	"fmt"

	"natsaccord/event"
)

// Mark returns the digest of the log's first events that was noted last of those of at most so many; the zero Digest
// if there is none.
func (s *Store) Mark(ctx context.Context, events uint64) (m event.Digest, err error) {
	found, err := s.engine.query(ctx, `SELECT events, position, sum FROM digest WHERE events <= $1 ORDER BY events DESC LIMIT 1`, int64(events))
	if err != nil {
		return m, fmt.Errorf("sqlstore: find a digest: %w", err)
	}
	defer found.Close()
	for found.Next() {
		var to int64
		if err := found.Scan(&to, (*string)(&m.Position), &m.Sum); err != nil {
			return m, fmt.Errorf("sqlstore: find a digest: %w", err)
		}
		m.To = uint64(to)
	}
	return m, found.Err()
}

// AddMark notes the digest of the log's first events. What is noted of as many already stays.
func (s *Store) AddMark(ctx context.Context, m event.Digest) error {
	if err := s.usable(); err != nil {
		return err
	}
	err := s.engine.exec(ctx, `INSERT INTO digest (events, position, sum) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, int64(m.To), string(m.Position), m.Sum)
	if err != nil {
		return fmt.Errorf("sqlstore: note a digest: %w", err)
	}
	return nil
}
