package node

import (
	"context"
	"iter"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
)

// Bus carries protocol messages to other nodes. It may lose, double, delay and reorder them. What it receives
// is handed to Node.Deliver.
type Bus interface {
	// Send never blocks; a full link drops. It keeps no reference to msgs but to what they point at, which
	// never changes.
	Send(h accord.Header, msgs []accord.Message)
	// AskLog has another node answer a question, by its AnswerLog.
	AskLog(ctx context.Context, node accord.NodeID, question []byte) ([]byte, error)
}

// Journal makes records durable.
type Journal interface {
	// AppendRecords returns once the records and, if not nil, the scalars survive a crash: all of them, or
	// after a crash none. After an error what is durable is unknown, and the node stops.
	AppendRecords(ctx context.Context, records []accord.Record, scalars *accord.Scalars) error

	// Load returns what was appended: the last record of each transaction. Those may be left out that are
	// decided, began before Scalars.RedundantBefore, and execute, if ever, at or before Scalars.Watermark.
	Load(ctx context.Context) (accord.Scalars, iter.Seq2[accord.Record, error], error)

	// Prune deletes the records that Load may leave out and that have not changed since a time, and those of fences.
	Prune(ctx context.Context, before time.Time) (pruned int64, err error)
}

// Applier applies committed transactions to the store that clients read.
type Applier interface {
	// Apply applies batch in slice order, all or nothing, and exactly once even if the same transactions are
	// handed over again after a crash. It returns an Outcome for each command, of a transaction as many as it has. A
	// refused append is an Outcome, not an error: every node comes to the same one. It may be called concurrently with batches that share no key.
	Apply(ctx context.Context, batch []accord.Execution) ([]event.Outcome, error)
	// Doomed returns the conditions of an append that cannot hold any more, wherever it is evaluated, if it has not been
	// applied, and nil if that is not certain. It is quick.
	Doomed(c event.Command) []event.Conflict
	// LastTxn returns the TxnID of the last event of a stream if that is known at once, else nothing.
	LastTxn(stream event.Stream) string
}

// LogMerger lets a node that was away for long take over another's log.
type LogMerger interface {
	// ReadLog returns the part of the log after a cursor, for a node that misses everything since a watermark.
	ReadLog(ctx context.Context, since accord.Timestamp, cursor string) ([]byte, error)
	// MergeLog takes over a part while nothing is applied. With the last part next is empty, and the report
	// complete. A part may be merged twice.
	MergeLog(ctx context.Context, part []byte) (next string, report accord.CaughtUp, err error)
	// LogCursor returns how far a log was merged of which the end is missing; empty if none was.
	LogCursor(ctx context.Context) (string, error)
}

// Log is what clients read, and, in single-node mode, write.
type Log interface {
	event.Executor
	event.Subscriptions
	Append(ctx context.Context, a event.Append) (event.Receipt, error)
	Head(ctx context.Context, stream event.Stream) (event.Head, error)
	// Outcome finds a request by its id, or by the text of its TxnID; event.ErrNotFound.
	Outcome(ctx context.Context, id string) (event.Outcome, error)
	Stats(ctx context.Context) (events uint64, last event.Position, err error)
	Kind() string
	Incarnation() uint64
	Syncs() uint64
}

// Counted is a Bus or a Store that counts what it does. Its counters stand in the node's status.
type Counted interface {
	Counters() map[string]uint64
}

// Store is one node's database.
type Store interface {
	Journal
	Applier
	LogMerger
	Log
	// Failed returns a channel that is closed once the store takes no writes any more, and Failure why that is: the node stops then.
	Failed() <-chan struct{}
	Failure() error
}
