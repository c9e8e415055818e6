package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
)

// recordUpdate takes over a newer record but for its body. What is applied stays as it was executed: its record may be
// older than that, since nobody who executes waits for the journal.
const recordUpdate = `status = excluded.status, execute_at = excluded.execute_at, promised = excluded.promised, accepted_ballot = excluded.accepted_ballot, vote = excluded.vote,
vote_fast = excluded.vote_fast, vote_rejected = excluded.vote_rejected, accepted_deps = excluded.accepted_deps, deps = excluded.deps, updated_at = excluded.updated_at
WHERE accord_txn.status <> 'applied'`

const sqliteUpdateRecord = `UPDATE accord_txn SET status = ?2, execute_at = ?3, promised = ?4, accepted_ballot = ?5, vote = ?6, vote_fast = ?7, vote_rejected = ?8, accepted_deps = ?9, deps = ?10,
updated_at = ?11 WHERE txn_id = ?1 AND status <> 'applied'`

func (s *sqlite) journal(ctx context.Context, written []row, scalars *accord.Scalars) error {
	return s.transaction(ctx, true, func(ctx context.Context) error {
		if err := s.writeRecords(ctx, written); err != nil {
			return err
		}
		if scalars == nil {
			return nil
		}
		return s.run(ctx, numbered(updateScalars), scalarArgs(scalars)...)
	})
}

// writeRecords writes records as of now, bodies only of those that have one.
func (s *sqlite) writeRecords(ctx context.Context, written []row) error {
	now := time.Now().UTC().Format(updatedLayout)
	var whole []*row
	for i := range written {
		if r := &written[i]; r.keys != nil {
			whole = append(whole, r)
		} else if err := s.updateRecord(ctx, r, now); err != nil {
			return err
		}
	}
	return s.insert(ctx, insertRecord(), len(whole), func(i int, args arguments) arguments { return recordArgs(args, whole[i], now) })
}

// updateRecord writes a record without a body.
func (s *sqlite) updateRecord(ctx context.Context, r *row, now string) error {
	stmt, err := s.prepare(ctx, sqliteUpdateRecord)
	if err != nil {
		return err
	}
	result, err := stmt.ExecContext(ctx, r.txnID, r.status, r.executeAt, r.promised, r.acceptedBallot, r.vote, r.voteFast, r.voteRejected, r.acceptedDeps, r.deps, now)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); n > 0 || err != nil {
		return err
	}
	return s.insert(ctx, insertRecord(), 1, func(_ int, args arguments) arguments { return recordArgs(args, r, now) })
}

func recordArgs(args arguments, r *row, now string) arguments {
	args = args.add(r.txnID).add(r.status).optional(r.keys).add(r.body).optional(r.executeAt).optional(r.promised).optional(r.acceptedBallot)
	return args.optional(r.vote).add(r.voteFast).add(r.voteRejected).add(r.acceptedDeps).add(r.deps).add(now).add(now)
}

func (s *sqlite) transact(ctx context.Context, synced bool, want *wanted, decide func(*loaded) *effects) error {
	return s.transaction(ctx, synced, func(ctx context.Context) error {
		l := newLoaded()
		if err := s.load(ctx, s.prepare, want, l); err != nil {
			return err
		}
		return s.store(ctx, decide(l))
	})
}

// prepared returns a compiled statement.
type prepared func(ctx context.Context, query string) (*sql.Stmt, error)

// each runs a query for a list of names, given as JSON, and hands over every row.
func (p prepared) each(ctx context.Context, query string, names []string, scan func(rows) error) error {
	if len(names) == 0 {
		return nil
	}
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	stmt, err := p(ctx, query)
	if err != nil {
		return err
	}
	found, err := stmt.QueryContext(ctx, string(list))
	if err != nil {
		return err
	}
	defer found.Close()
	return scan(sqlRows{found})
}

func scanAll(found rows, scan func(rows) error) error {
	for found.Next() {
		if err := scan(found); err != nil {
			return err
		}
	}
	return found.Err()
}

// sqliteHeads looks up each stream in the index of events, however many there are. It reads no row of an event, for which each
// stream would take another page from anywhere in the log; and tells nothing of streams without events, of which there may be many.
const sqliteHeads = `WITH head AS MATERIALIZED (
SELECT n.value AS stream, (SELECT version FROM event WHERE stream = n.value ORDER BY version DESC LIMIT 1) AS version FROM json_each(?1) n)
SELECT stream, version FROM head WHERE version IS NOT NULL`

// lookUp reads with the readers, which see what was committed last.
func (s *sqlite) lookUp(ctx context.Context, want *wanted, l *loaded) error {
	return s.load(ctx, s.prepareReader, want, l)
}

func (s *sqlite) load(ctx context.Context, p prepared, want *wanted, l *loaded) error {
	for _, part := range []struct {
		query string
		names []string
		scan  func(rows) error
	}{
		{`SELECT txn_id FROM accord_txn WHERE txn_id IN (SELECT value FROM json_each(?1)) AND status = 'applied'`, want.txnIDs, l.scanApplied},
		{sqliteHeads, want.streams, l.scanHead},
		{`SELECT id FROM event WHERE id IN (SELECT value FROM json_each(?1))`, want.eventIDs, l.scanTaken},
		{`SELECT ` + subscriberColumns + ` FROM subscriber WHERE key IN (SELECT value FROM json_each(?1))`, want.subscribers, l.scanSubscriber},
		{`SELECT stream, name, version FROM snapshot WHERE stream IN (SELECT value FROM json_each(?1)) AND NOT dropped`, want.snapshotStreams(), l.scanSnapshot},
	} {
		if err := p.each(ctx, part.query, part.names, func(found rows) error { return scanAll(found, part.scan) }); err != nil {
			return err
		}
	}
	for _, w := range want.watches {
		text, args := selectWatch(&w)
		stmt, err := p(ctx, numbered(text))
		if err != nil {
			return err
		}
		found, err := stmt.QueryContext(ctx, args...)
		if err != nil {
			return err
		}
		err = l.scanWatch(w, sqlRows{found})
		if err := errors.Join(err, found.Close()); err != nil {
			return err
		}
	}
	const selectRequests = `SELECT ` + requestColumns + requestJoin + `WHERE r.request_id IN (SELECT value FROM json_each(?1)) ORDER BY r.request_id, e.position`
	return p.each(ctx, selectRequests, want.requests, l.collectRequests)
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
	err := found.Scan(&stream, &version)
	l.state.Heads[event.Stream(stream)] = event.Head{Version: uint64(version)}
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
	if err := s.insert(ctx, insertEvent(), len(e.events), func(i int, args arguments) arguments { return eventArgs(args, &e.events[i]) }); err != nil {
		return err
	}
	tags := tagRows(e.events)
	if err := s.insert(ctx, insertTag(), len(tags), func(i int, args arguments) arguments { return args.add(tags[i].tag).add(tags[i].position) }); err != nil {
		return err
	}
	err := s.insert(ctx, insertRequest(), len(e.requests), func(i int, args arguments) arguments {
		r := &e.requests[i]
		args = args.add(r.Outcome.RequestID).add(r.TxnID).add(e.executeAts[i]).add(r.Hash[:])
		return args.add(r.Outcome.Committed).optional(encodeRefusal(&r.Outcome))
	})
	if err != nil {
		return err
	}
	for _, written := range [][]row{encodeRecords(e.records), encodeRecords(e.applied)} {
		if err := s.writeRecords(ctx, written); err != nil {
			return err
		}
	}
	for id, outcome := range e.outcomes {
		if err := s.run(ctx, `UPDATE accord_txn SET outcome = ?2 WHERE txn_id = ?1`, id, outcome); err != nil {
			return err
		}
	}
	return s.storeRest(ctx, e)
}

func eventArgs(args arguments, e *event.Event) arguments {
	args = args.add(string(e.Position)).add(e.TxnID).add(string(e.Stream)).add(int64(e.Version)).add(e.ID.String()).add(e.Stream.Category()).add(e.Type)
	if e.Binary {
		args = args.add(nil).add(append([]byte{}, e.Data...)) // no bytes are not nothing
	} else {
		args = args.add(string(e.Data)).add(nil)
	}
	args = args.optional(encodeJSON(e.Metadata, len(e.Metadata))).optional(optional(e.RoutingKey))
	return args.optional(encodeJSON(e.Tags, len(e.Tags))).add(e.RecordedAt.Format(timeLayout))
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
		if err := s.run(ctx, numbered(upsertSubscriber), subscriberArgs(sub, sub.Seen.Format(timeLayout), e.changedAt["u"+sub.Key])...); err != nil {
			return err
		}
	}
	for name, snapshot := range e.snapshots {
		if err := s.run(ctx, numbered(upsertSnapshot), snapshotArgs(name, snapshot, e.changedAt)...); err != nil {
			return err
		}
	}
	if e.scalars != nil {
		if err := s.run(ctx, numbered(updateScalars), scalarArgs(e.scalars)...); err != nil {
			return err
		}
	}
	if e.segment != nil {
		if err := s.run(ctx, numbered(updateSegment), int64(*e.segment)); err != nil {
			return err
		}
	}
	if e.caughtUp != nil {
		if err := s.run(ctx, numbered(updateCaughtUp), *e.caughtUp); err != nil {
			return err
		}
	}
	if e.logCursor != nil {
		return s.run(ctx, numbered(updateLogCursor), *e.logCursor)
	}
	return nil
}
