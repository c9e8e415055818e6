package sqlstore

import (
	"context"
	"encoding/json"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
)

const sqliteInsertRecord = `INSERT INTO accord_txn (` + recordColumns + `) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (txn_id) DO UPDATE SET keys = coalesce(excluded.keys, keys), events_data = coalesce(excluded.events_data, events_data), ` + recordUpdate

// recordUpdate takes over a newer record but for its body. What is applied stays applied.
const recordUpdate = `status = CASE WHEN accord_txn.status = 'applied' THEN 'applied' ELSE excluded.status END,
execute_at = excluded.execute_at, promised = excluded.promised, accepted_ballot = excluded.accepted_ballot, vote = excluded.vote,
vote_fast = excluded.vote_fast, vote_rejected = excluded.vote_rejected, accepted_deps = excluded.accepted_deps, deps = excluded.deps, updated_at = excluded.updated_at`

const sqliteUpdateRecord = `UPDATE accord_txn SET status = CASE WHEN status = 'applied' THEN 'applied' ELSE ?2 END,
execute_at = ?3, promised = ?4, accepted_ballot = ?5, vote = ?6, vote_fast = ?7, vote_rejected = ?8, accepted_deps = ?9, deps = ?10,
updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE txn_id = ?1`

func (s *sqlite) journal(ctx context.Context, written []row, scalars *accord.Scalars) error {
	return s.transaction(ctx, true, func(ctx context.Context) error {
		for i := range written {
			if err := s.writeRecord(ctx, &written[i]); err != nil {
				return err
			}
		}
		if scalars == nil {
			return nil
		}
		return s.run(ctx, numbered(updateScalars), scalarArgs(scalars)...)
	})
}

// writeRecord writes a record, its body only if it has one.
func (s *sqlite) writeRecord(ctx context.Context, r *row) error {
	if r.keys == nil {
		stmt, err := s.prepare(ctx, sqliteUpdateRecord)
		if err != nil {
			return err
		}
		result, err := stmt.ExecContext(ctx, r.txnID, r.status, r.executeAt, r.promised, r.acceptedBallot, r.vote, r.voteFast, r.voteRejected, r.acceptedDeps, r.deps)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); n > 0 || err != nil {
			return err
		}
	}
	return s.run(ctx, sqliteInsertRecord, r.txnID, r.status, r.keys, r.body, r.executeAt, r.promised, r.acceptedBallot, r.vote, r.voteFast, r.voteRejected, r.acceptedDeps, r.deps)
}

func (s *sqlite) transact(ctx context.Context, synced bool, want *wanted, decide func(*loaded) *effects) error {
	return s.transaction(ctx, synced, func(ctx context.Context) error {
		l := newLoaded()
		if err := s.load(ctx, want, l); err != nil {
			return err
		}
		return s.store(ctx, decide(l))
	})
}

// each runs a query for a list of names, given as JSON, and hands over every row.
func (s *sqlite) each(ctx context.Context, query string, names []string, scan func(rows) error) error {
	if len(names) == 0 {
		return nil
	}
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	stmt, err := s.prepare(ctx, query)
	if err != nil {
		return err
	}
	found, err := stmt.QueryContext(ctx, string(list))
	if err != nil {
		return err
	}
	defer found.Close()
	return scanAll(sqlRows{found}, scan)
}

func scanAll(found rows, scan func(rows) error) error {
	for found.Next() {
		if err := scan(found); err != nil {
			return err
		}
	}
	return found.Err()
}

func (s *sqlite) load(ctx context.Context, want *wanted, l *loaded) error {
	for _, part := range []struct {
		query string
		names []string
		scan  func(rows) error
	}{
		{`SELECT txn_id FROM accord_txn WHERE txn_id IN (SELECT value FROM json_each(?1)) AND status = 'applied'`, want.txnIDs, l.scanApplied},
		{`SELECT stream, version, position FROM stream WHERE stream IN (SELECT value FROM json_each(?1))`, want.streams, l.scanHead},
		{`SELECT id FROM event WHERE id IN (SELECT value FROM json_each(?1))`, want.eventIDs, l.scanTaken},
		{`SELECT ` + subscriberColumns + ` FROM subscriber WHERE key IN (SELECT value FROM json_each(?1))`, want.subscribers, l.scanSubscriber},
		{`SELECT stream, name, version FROM snapshot WHERE stream IN (SELECT value FROM json_each(?1))`, want.snapshotStreams(), l.scanSnapshot},
	} {
		if err := s.each(ctx, part.query, part.names, part.scan); err != nil {
			return err
		}
	}
	return s.loadRequests(ctx, want.requests, l)
}

func (s *sqlite) loadRequests(ctx context.Context, ids []string, l *loaded) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	stmt, err := s.prepare(ctx, `SELECT `+requestColumns+requestJoin+`WHERE r.request_id IN (SELECT value FROM json_each(?1)) ORDER BY r.request_id, e.position`)
	if err != nil {
		return err
	}
	found, err := stmt.QueryContext(ctx, string(list))
	if err != nil {
		return err
	}
	defer found.Close()
	l.state.Requests, err = collectRequests(sqlRows{found})
	return err
}

// snapshotStreams names the streams whose snapshots are wanted.
func (w *wanted) snapshotStreams() []string {
	var streams []string
	for _, name := range w.snapshots {
		streams = append(streams, string(name.Stream))
	}
	return streams
}

func (l *loaded) scanApplied(found rows) error {
	var id string
	err := found.Scan(&id)
	l.applied[id] = true
	return err
}

func (l *loaded) scanHead(found rows) error {
	var stream string
	var version int64
	var head event.Head
	err := found.Scan(&stream, &version, (*string)(&head.Position))
	head.Version = uint64(version)
	l.state.Heads[event.Stream(stream)] = head
	return err
}

func (l *loaded) scanTaken(found rows) error {
	var id string
	if err := found.Scan(&id); err != nil {
		return err
	}
	parsed, err := ulid.ParseStrict(id)
	l.state.Taken[parsed] = true
	return err
}

func (l *loaded) scanSubscriber(found rows) error {
	sub, err := scanSubscriber(found)
	l.state.Subscribers[sub.Key] = sub
	return err
}

func (l *loaded) scanSnapshot(found rows) error {
	var name event.SnapshotName
	var version int64
	err := found.Scan((*string)(&name.Stream), &name.Name, &version)
	l.state.Snapshots[name] = uint64(version)
	return err
}

// store writes effects.
func (s *sqlite) store(ctx context.Context, e *effects) error {
	for i := range e.events {
		if err := s.storeEvent(ctx, &e.events[i]); err != nil {
			return err
		}
	}
	for stream, head := range e.heads {
		if err := s.run(ctx, `INSERT INTO stream (stream, version, position) VALUES (?1, ?2, ?3)
ON CONFLICT (stream) DO UPDATE SET version = excluded.version, position = excluded.position`, string(stream), int64(head.Version), string(head.Position)); err != nil {
			return err
		}
	}
	for i := range e.requests {
		r := &e.requests[i]
		if err := s.run(ctx, `INSERT INTO request (request_id, txn_id, execute_at, hash, committed, refusal) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
			r.Outcome.RequestID, r.TxnID, e.executeAts[i], r.Hash[:], r.Outcome.Committed, encodeRefusal(&r.Outcome)); err != nil {
			return err
		}
	}
	for i := range e.applied {
		if err := s.writeRecord(ctx, &e.applied[i]); err != nil {
			return err
		}
	}
	return s.storeRest(ctx, e)
}

func (s *sqlite) storeEvent(ctx context.Context, e *event.Event) error {
	data, bytes := dataColumns(e)
	return s.run(ctx, `INSERT INTO event (position, txn_id, stream, version, id, category, type, data, data_bytes, metadata, routing_key, tags, recorded_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)`,
		string(e.Position), e.TxnID, string(e.Stream), int64(e.Version), e.ID.String(), e.Stream.Category(), e.Type, data, bytes,
		encodeJSON(e.Metadata, len(e.Metadata)), optional(e.RoutingKey), encodeJSON(e.Tags, len(e.Tags)), e.RecordedAt.Format(timeLayout))
}

// dataColumns returns an event's data as JSON text or as bytes; the other is nil.
func dataColumns(e *event.Event) (*string, []byte) {
	if e.Binary {
		return nil, append([]byte{}, e.Data...)
	}
	text := string(e.Data)
	return &text, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (s *sqlite) storeRest(ctx context.Context, e *effects) error {
	for _, sub := range e.subscribers {
		if err := s.run(ctx, `INSERT INTO subscriber (`+subscriberColumns+`) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (key) DO UPDATE SET worker = excluded.worker, cursor = excluded.cursor, lag = excluded.lag`, sub.Key, sub.Worker.String(), string(sub.Cursor), int64(sub.Lag)); err != nil {
			return err
		}
	}
	for name, snapshot := range e.snapshots {
		var err error
		if snapshot == nil {
			err = s.run(ctx, `DELETE FROM snapshot WHERE stream = ?1 AND name = ?2`, string(name.Stream), name.Name)
		} else {
			err = s.run(ctx, `INSERT INTO snapshot (stream, name, version, data) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (stream, name) DO UPDATE SET version = excluded.version, data = excluded.data`, string(name.Stream), name.Name, int64(snapshot.Version), append([]byte{}, snapshot.Data...))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
