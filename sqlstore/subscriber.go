package sqlstore

import (
	"context"
	"fmt"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

const subscriberColumns = `key, worker, cursor, lag, seen_at`

// upsertSubscriber stores subscriberArgs.
const upsertSubscriber = `INSERT INTO subscriber (` + subscriberColumns + `, execute_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (key) DO UPDATE SET worker = excluded.worker, cursor = excluded.cursor, lag = excluded.lag, seen_at = excluded.seen_at, execute_at = excluded.execute_at
WHERE excluded.execute_at > subscriber.execute_at`

// subscriberArgs are the columns of a subscriber. How a database holds times is its own business.
// executeAt is that of the command that made it so.
func subscriberArgs(sub event.Subscriber, seen any, executeAt string) []any {
	return []any{sub.Key, sub.Worker.String(), string(sub.Cursor), int64(sub.Lag), seen, executeAt}
}

func scanSubscriber(found rows) (sub event.Subscriber, err error) {
	var worker string
	var lag int64
	var seen any
	if err := found.Scan(&sub.Key, &worker, (*string)(&sub.Cursor), &lag, &seen); err != nil {
		return sub, err
	}
	sub.Lag = uint64(lag)
	if sub.Worker, err = ulid.ParseStrict(worker); err != nil || seen == nil {
		return sub, err
	}
	sub.Seen, err = decodeTime(seen)
	return sub, err
}

// Subscriber implements event.Subscriptions.
func (s *Store) Subscriber(ctx context.Context, key string) (event.Subscriber, error) {
	found, err := s.subscribers(ctx, `WHERE key = $1`, key)
	if err != nil || len(found) == 0 {
		return event.Subscriber{Key: key}, err
	}
	return found[0], nil
}

// Subscribers implements event.Subscriptions.
func (s *Store) Subscribers(ctx context.Context, after string, limit int) ([]event.Subscriber, error) {
	if limit < 1 || limit > event.MaxSubscribers {
		limit = event.MaxSubscribers
	}
	return s.subscribers(ctx, `WHERE key > $1 ORDER BY key LIMIT $2`, after, limit)
}

func (s *Store) subscribers(ctx context.Context, where string, args ...any) ([]event.Subscriber, error) {
	found, err := s.engine.query(ctx, `SELECT `+subscriberColumns+` FROM subscriber `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: read subscribers: %w", err)
	}
	defer found.Close()
	var subscribers []event.Subscriber
	err = scanAll(found, func(found rows) error {
		sub, err := scanSubscriber(found)
		subscribers = append(subscribers, sub)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlstore: read subscribers: %w", err)
	}
	return subscribers, nil
}

// Count implements event.Subscriptions.
func (s *Store) Count(ctx context.Context, args event.ReadArgs) (n uint64, err error) {
	if err := s.behind.settle(ctx); err != nil {
		return 0, err
	}
	q := newSelection(args)
	found, err := s.engine.query(ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1%s LIMIT %d) AS counted`, q.text(), event.MaxCount), q.args...)
	if err != nil {
		return 0, fmt.Errorf("sqlstore: count events: %w", err)
	}
	defer found.Close()
	if err := scanAll(found, func(found rows) error { return found.Scan(&n) }); err != nil {
		return 0, fmt.Errorf("sqlstore: count events: %w", err)
	}
	return n, nil
}

// SubscriberCursor implements event.Executor.
func (s *Store) SubscriberCursor(ctx context.Context, key string) (event.Position, error) {
	sub, err := s.Subscriber(ctx, key)
	return sub.Cursor, err
}

// IsSubscriberRunning implements event.Executor.
func (s *Store) IsSubscriberRunning(ctx context.Context, key string, worker ulid.ULID) (bool, error) {
	sub, err := s.Subscriber(ctx, key)
	return sub.IsRunning(worker), err
}

// Snapshot implements event.Executor.
func (s *Store) Snapshot(ctx context.Context, stream event.Stream, name string) (event.Snapshot, error) {
	found, err := s.engine.query(ctx, `SELECT version, data FROM snapshot WHERE stream = $1 AND name = $2 AND NOT dropped`, string(stream), name)
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

// upsertSnapshot puts a snapshot, or drops it: its row stays, without the data, so that it is known for how new
// the drop is.
const upsertSnapshot = `INSERT INTO snapshot (stream, name, version, data, dropped, execute_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (stream, name) DO UPDATE SET version = excluded.version, data = excluded.data, dropped = excluded.dropped, execute_at = excluded.execute_at
WHERE excluded.execute_at > snapshot.execute_at`

// snapshotArgs are its arguments; a nil snapshot is dropped.
func snapshotArgs(name event.SnapshotName, snapshot *event.Snapshot, changedAt map[string]string) []any {
	at, dropped := changedAt[event.SnapshotKey(name.Stream, name.Name)], snapshot == nil
	if dropped {
		snapshot = &event.Snapshot{}
	}
	return []any{string(name.Stream), name.Name, int64(snapshot.Version), append([]byte{}, snapshot.Data...), dropped, at}
}

// What the node remembers of merging another's log.
const (
	updateCaughtUp  = `UPDATE node SET caught_up = $1`
	updateLogCursor = `UPDATE node SET log_cursor = $1`
)
