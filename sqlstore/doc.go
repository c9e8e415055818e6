// Package sqlstore keeps one node's data: the protocol's journal, in files (package journal) or in the database
// (accord_txn, node), and the log that people query (event, stream, request, subscriber, snapshot), in Postgres or
// SQLite.
//
// The mark that a transaction is applied and its events commit together, so that nothing is ever applied twice. The
// package holds no consensus: a Store by itself is an event.Executor too, for one process alone.
//
// Its one invariant: AppendRecords returns only once the group is synced; Apply never waits for a sync, nor for the
// database, since what it writes can be done again from the journal. DESIGN.md in this folder has the argument.
package sqlstore
