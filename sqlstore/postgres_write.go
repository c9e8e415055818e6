package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"natsaccord/accord"
)

// closeTimeout bounds the goodbye to a server that may be gone, and applyTries how often a transaction is tried
// that the server gives up for another.
const (
	closeTimeout = 5 * time.Second
	applyTries   = 5
)

// postgresRecords inserts or updates records from arrays, in one statement whatever their number, and takes its
// rows in the order of TxnIDs: the journal and the workers that mark transactions applied meet on the same rows,
// and would deadlock otherwise.
const postgresRecords = `INSERT INTO accord_txn (` + recordColumns + `)
SELECT t.txn_id, t.status, t.keys::json, t.events_data, t.execute_at, t.promised, t.accepted_ballot, t.vote, t.vote_fast, t.vote_rejected, t.accepted_deps, t.deps
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bool[], $10::bool[], $11::bytea[], $12::bytea[])
AS t (` + recordColumns + `) ORDER BY t.txn_id COLLATE "C"
ON CONFLICT (txn_id) DO UPDATE SET keys = coalesce(excluded.keys, accord_txn.keys), events_data = coalesce(excluded.events_data, accord_txn.events_data), ` + recordUpdate

// queueRecords adds the statement that writes records to a batch.
func queueRecords(b *pgx.Batch, written []row) {
	if len(written) > 0 {
		b.Queue(postgresRecords, recordArrays(written)...)
	}
}

// recordArrays turns rows into one array a column.
func recordArrays(written []row) []any {
	n := len(written)
	txnID, status := make([]string, n), make([]string, n)
	keys, executeAt, promised, accepted, vote := make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n)
	body, acceptedDeps, deps := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	fast, rejected := make([]bool, n), make([]bool, n)
	for i := range written {
		r := &written[i]
		txnID[i], status[i], keys[i], body[i] = r.txnID, r.status, r.keys, r.body
		executeAt[i], promised[i], accepted[i], vote[i] = r.executeAt, r.promised, r.acceptedBallot, r.vote
		fast[i], rejected[i], acceptedDeps[i], deps[i] = r.voteFast, r.voteRejected, r.acceptedDeps, r.deps
	}
	return []any{txnID, status, keys, body, executeAt, promised, accepted, vote, fast, rejected, acceptedDeps, deps}
}

// send runs a batch in one round trip, as one transaction unless it begins and ends its own.
func (p *postgres) send(ctx context.Context, conn *pgx.Conn, b *pgx.Batch) error {
	p.work.did(b.Len())
	return conn.SendBatch(ctx, b).Close()
}

func (p *postgres) journal(ctx context.Context, written []row, scalars *accord.Scalars) error {
	b := &pgx.Batch{}
	b.Queue(`BEGIN`)
	b.Queue(`SET LOCAL synchronous_commit = on`)
	queueRecords(b, written)
	if scalars != nil {
		b.Queue(updateScalars, scalarArgs(scalars)...)
	}
	b.Queue(`COMMIT`)
	return retry(func() error {
		return p.onConn(ctx, func(conn *pgx.Conn) error { return p.send(ctx, conn, b) })
	})
}

// retry repeats a transaction that the server gave up for another: that it did nothing is certain then.
func retry(transaction func() error) error {
	for try := 1; ; try++ {
		if err := transaction(); err == nil || !isConflict(err) || try == applyTries {
			return err
		}
	}
}

// onConn runs do on one connection, which is given up if do leaves a transaction open.
func (p *postgres) onConn(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err := do(conn.Conn()); err != nil {
		if conn.Conn().PgConn().TxStatus() != 'I' {
			_, rollback := conn.Exec(context.WithoutCancel(ctx), `ROLLBACK`)
			err = errors.Join(err, rollback)
		}
		return err
	}
	return nil
}

func (p *postgres) transact(ctx context.Context, synced bool, want *wanted, decide func(*loaded) *effects) error {
	return retry(func() error {
		return p.onConn(ctx, func(conn *pgx.Conn) error { return p.attempt(ctx, conn, synced, want, decide) })
	})
}

// attempt takes two round trips, one that loads and one that writes and commits; without anything to load, one.
func (p *postgres) attempt(ctx context.Context, conn *pgx.Conn, synced bool, want *wanted, decide func(*loaded) *effects) error {
	l := newLoaded()
	b := &pgx.Batch{}
	b.Queue(`BEGIN`)
	if !synced {
		b.Queue(`SET LOCAL synchronous_commit = off`)
	} else {
		b.Queue(`SET LOCAL synchronous_commit = on`)
	}
	if queueLoads(b, want, l) {
		if err := p.send(ctx, conn, b); err != nil {
			return fmt.Errorf("load: %w", err)
		}
		b = &pgx.Batch{}
	}
	queueEffects(b, decide(l))
	b.Queue(`COMMIT`)
	if err := p.send(ctx, conn, b); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func (p *postgres) lookUp(ctx context.Context, want *wanted, l *loaded) error {
	b := &pgx.Batch{}
	if !queueLoads(b, want, l) {
		return nil
	}
	return p.onConn(ctx, func(conn *pgx.Conn) error { return p.send(ctx, conn, b) })
}

// postgresHeads looks up each stream in the index of events, however many there are, and as a rule reads no row of an event.
const postgresHeads = `SELECT n.stream, e.version FROM unnest($1::text[]) AS n (stream)
CROSS JOIN LATERAL (SELECT version FROM event WHERE stream = n.stream ORDER BY version DESC LIMIT 1) e`

// queueLoads adds the statements that load what is wanted, and tells whether there are any.
func queueLoads(b *pgx.Batch, want *wanted, l *loaded) bool {
	before := b.Len()
	for _, part := range []struct {
		query string
		names []string
		scan  func(rows) error
	}{
		{`SELECT txn_id FROM accord_txn WHERE txn_id = ANY ($1) AND status = 'applied'`, want.txnIDs, l.scanApplied},
		{postgresHeads, want.streams, l.scanHead},
		{`SELECT id FROM event WHERE id = ANY ($1)`, want.eventIDs, l.scanTaken},
		{`SELECT ` + subscriberColumns + ` FROM subscriber WHERE key = ANY ($1)`, want.subscribers, l.scanSubscriber},
		{`SELECT stream, name, version FROM snapshot WHERE stream = ANY ($1) AND NOT dropped`, want.snapshotStreams(), l.scanSnapshot},
	} {
		if len(part.names) > 0 {
			b.Queue(part.query, part.names).Query(func(found pgx.Rows) error { return scanAll(found, part.scan) })
		}
	}
	for _, w := range want.watches {
		text, args := selectWatch(&w)
		b.Queue(text, args...).Query(func(found pgx.Rows) error { return l.scanWatch(w, found) })
	}
	if len(want.requests) > 0 {
		b.Queue(`SELECT `+requestColumns+requestJoin+`WHERE r.request_id = ANY ($1) ORDER BY r.request_id, e.position`, want.requests).
			Query(func(found pgx.Rows) error { return l.collectRequests(found) })
	}
	return b.Len() > before
}

// queueEffects adds the statements that write effects: one for each table, from arrays.
func queueEffects(b *pgx.Batch, e *effects) {
	queueEvents(b, e)
	queueRequests(b, e)
	queueRecords(b, encodeRecords(e.records))
	queueRecords(b, encodeRecords(e.applied))
	if e.scalars != nil {
		b.Queue(updateScalars, scalarArgs(e.scalars)...)
	}
	if e.segment != nil {
		b.Queue(updateSegment, int64(*e.segment))
	}
	for id, outcome := range e.outcomes {
		b.Queue(`UPDATE accord_txn SET outcome = $2::text::json WHERE txn_id = $1`, id, outcome)
	}
	for _, sub := range e.subscribers {
		b.Queue(upsertSubscriber, subscriberArgs(sub, sub.Seen, e.changedAt["u"+sub.Key])...)
	}
	for name, snapshot := range e.snapshots {
		b.Queue(upsertSnapshot, snapshotArgs(name, snapshot, e.changedAt)...)
	}
	if e.caughtUp != nil {
		b.Queue(updateCaughtUp, *e.caughtUp)
	}
	if e.logCursor != nil {
		b.Queue(updateLogCursor, *e.logCursor)
	}
}

func queueEvents(b *pgx.Batch, e *effects) {
	n := len(e.events)
	if n == 0 {
		return
	}
	position, txnID, stream, id, category, typ := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	version, recorded, bytes := make([]int64, n), make([]time.Time, n), make([][]byte, n)
	data, metadata, routingKey, tags := make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n)
	for i := range e.events {
		v := &e.events[i]
		position[i], txnID[i], stream[i], version[i], id[i] = string(v.Position), v.TxnID, string(v.Stream), int64(v.Version), v.ID.String()
		category[i], typ[i], routingKey[i], recorded[i] = v.Stream.Category(), v.Type, optional(v.RoutingKey), v.RecordedAt
		data[i], bytes[i] = dataColumns(v)
		metadata[i], tags[i] = encodeJSON(v.Metadata, len(v.Metadata)), encodeJSON(v.Tags, len(v.Tags))
	}
	b.Queue(`INSERT INTO event (position, txn_id, stream, version, id, category, type, data, data_bytes, metadata, routing_key, tags, recorded_at)
SELECT position, txn_id, stream, version, id, category, type, data::json, data_bytes, metadata::jsonb, routing_key, tags::jsonb, recorded_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::text[], $11::text[], $12::text[], $13::timestamptz[])
AS t (position, txn_id, stream, version, id, category, type, data, data_bytes, metadata, routing_key, tags, recorded_at)`,
		position, txnID, stream, version, id, category, typ, data, bytes, metadata, routingKey, tags, recorded)
	queueTags(b, tagRows(e.events))
}

func queueTags(b *pgx.Batch, rows []tagRow) {
	if len(rows) == 0 {
		return
	}
	tag, position := make([]string, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		tag[i], position[i] = r.tag, r.position
	}
	b.Queue(`INSERT INTO event_tag (tag, position) SELECT * FROM unnest($1::text[], $2::text[])`, tag, position)
}

func queueRequests(b *pgx.Batch, e *effects) {
	n := len(e.requests)
	if n == 0 {
		return
	}
	id, txnID := make([]string, n), make([]string, n)
	hash, committed, refused := make([][]byte, n), make([]bool, n), make([]*string, n)
	for i := range e.requests {
		r := &e.requests[i]
		id[i], txnID[i], hash[i], committed[i], refused[i] = r.Outcome.RequestID, r.TxnID, r.Hash[:], r.Outcome.Committed, encodeRefusal(&r.Outcome)
	}
	b.Queue(`INSERT INTO request (request_id, txn_id, execute_at, hash, committed, refusal)
SELECT request_id, txn_id, execute_at, hash, committed, refusal::json FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bool[], $6::text[])
AS t (request_id, txn_id, execute_at, hash, committed, refusal)`, id, txnID, e.executeAts, hash, committed, refused)
}
