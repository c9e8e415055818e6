package sqlstore

import (
	"context"
	"fmt"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// subscriber returns a subscriber's state, zero if there is none.
func (s *Store) subscriber(ctx context.Context, key string) (event.Subscriber, error) {
	found, err := s.engine.query(ctx, `SELECT `+subscriberColumns+` FROM subscriber WHERE key = $1`, key)
	if err != nil {
		return event.Subscriber{}, fmt.Errorf("sqlstore: subscriber %q: %w", key, err)
	}
	defer found.Close()
	if found.Next() {
		return scanSubscriber(found)
	}
	return event.Subscriber{}, found.Err()
}

const subscriberColumns = `key, worker, cursor, lag`

func scanSubscriber(found rows) (sub event.Subscriber, err error) {
	var worker string
	var lag int64
	if err := found.Scan(&sub.Key, &worker, (*string)(&sub.Cursor), &lag); err != nil {
		return sub, err
	}
	sub.Lag = uint64(lag)
	sub.Worker, err = ulid.ParseStrict(worker)
	return sub, err
}

// SubscriberCursor implements event.Executor.
func (s *Store) SubscriberCursor(ctx context.Context, key string) (event.Position, error) {
	sub, err := s.subscriber(ctx, key)
	return sub.Cursor, err
}

// IsSubscriberRunning implements event.Executor.
func (s *Store) IsSubscriberRunning(ctx context.Context, key string, worker ulid.ULID) (bool, error) {
	sub, err := s.subscriber(ctx, key)
	return sub.Key != "" && sub.Worker == worker, err
}

// Snapshot implements event.Executor.
func (s *Store) Snapshot(ctx context.Context, stream event.Stream, name string) (event.Snapshot, error) {
	found, err := s.engine.query(ctx, `SELECT version, data FROM snapshot WHERE stream = $1 AND name = $2`, string(stream), name)
	if err != nil {
		return event.Snapshot{}, fmt.Errorf("sqlstore: snapshot %s of %s: %w", name, stream, err)
	}
	defer found.Close()
	if found.Next() {
		snapshot := event.Snapshot{Stream: stream, Name: name}
		var version int64
		if err := found.Scan(&version, &snapshot.Data); err != nil {
			return event.Snapshot{}, fmt.Errorf("sqlstore: snapshot %s of %s: %w", name, stream, err)
		}
		snapshot.Version = uint64(version)
		return snapshot, nil
	}
	if err := found.Err(); err != nil {
		return event.Snapshot{}, err
	}
	return event.Snapshot{}, event.ErrNotFound
}
