// Package sqlstore keeps one node's data in one database, Postgres or SQLite: the protocol's journal
// (accord_txn, node) and the log that people query (event, stream, request, subscriber, snapshot).
//
// Journal and log are one database on purpose: the mark that a transaction is applied and its events commit
// together, so that nothing is ever applied twice. It holds no consensus: a Store by itself is an
// event.Executor too, for one process alone.
//
// Its one invariant: AppendRecords returns only once the group is synced; Apply never waits for a sync, since
// what it writes can be done again from the journal. DESIGN.md in this folder has the argument.
package sqlstore
