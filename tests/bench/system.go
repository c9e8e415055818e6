package main

import "context"

// system is something that appends durably and under a condition.
type system interface {
	// append appends data to a stream if it has version events, and returns a *conflictError if it has not.
	append(ctx context.Context, worker int, stream string, version uint64, data []byte) error

	// version returns how many events a stream has. Only streams appended to through this system are asked for.
	version(ctx context.Context, worker int, stream string) (uint64, error)

	// close ends the system and removes what it stored.
	close() error
}

// conflictError says that a stream is at another version.
type conflictError struct {
	have uint64 // at which, if the system tells
	told bool
}

func (*conflictError) Error() string { return "another append came first" }

// candidate is a system to be measured.
type candidate struct {
	name    string
	durable string // when an append is acknowledged
	start   func(ctx context.Context, dir string) (system, error)
}

// candidates returns all systems. The first one is what natsaccord is first compared with.
func candidates() []candidate {
	return []candidate{
		{"jetstream-always", "R3 file, synced on a majority", func(ctx context.Context, dir string) (system, error) { return startJetStream(ctx, dir, true) }},
		{"jetstream-default", "R3 file, written on a majority, synced every 2 min", func(ctx context.Context, dir string) (system, error) { return startJetStream(ctx, dir, false) }},
		{"etcd", "3 members, synced on a majority", startEtcd},
		{"postgres", "1 server, synced", startPostgres},
		{"accord-sqlite", "3 nodes, journal files synced on all or a majority", onSQLite(false)},
		{"accord-sqlite-sql", "3 nodes, SQLite synced on all or a majority", onSQLite(true)},
		{"accord-postgres", "3 nodes, journal files synced on all or a majority", onPostgres(false)},
		{"accord-postgres-sql", "3 nodes, Postgres synced on all or a majority", onPostgres(true)},
	}
}
