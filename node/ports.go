package node

import (
	"context"
	"iter"

	"natsaccord/accord"
	"natsaccord/event"
)

// Bus carries protocol messages to other nodes. It may lose, double, delay and reorder them. What it receives
// is handed to Node.Deliver.
type Bus interface {
	// Send never blocks; a full link drops. It keeps no reference to msgs but to what they point at, which
	// never changes.
	Send(h accord.Header, msgs []accord.Message)
}

// Journal makes records durable.
type Journal interface {
	// AppendRecords returns once the records and, if not nil, the scalars survive a crash: all of them, or
	// after a crash none. After an error what is durable is unknown, and the node stops.
	AppendRecords(ctx context.Context, records []accord.Record, scalars *accord.Scalars) error

	// Load returns what was appended: the last record of each transaction.
	Load(ctx context.Context) (accord.Scalars, iter.Seq2[accord.Record, error], error)
}

// Applier applies committed transactions to the store that clients read.
type Applier interface {
	// Apply applies batch in slice order, all or nothing, and exactly once even if the same transactions are
	// handed over again after a crash. A refused append is an Outcome, not an error: every node comes to the
	// same one. It may be called concurrently with batches that share no key.
	Apply(ctx context.Context, batch []accord.Execution) ([]event.Outcome, error)
}

// Log is what clients read, and, in single-node mode, write.
type Log interface {
	event.Executor
	Append(ctx context.Context, a event.Append) (event.Receipt, error)
	Head(ctx context.Context, stream event.Stream) (event.Head, error)
	// Outcome finds a request by its id, or by the text of its TxnID; event.ErrNotFound.
	Outcome(ctx context.Context, id string) (event.Outcome, error)
	Stats(ctx context.Context) (events uint64, last event.Position, err error)
	Kind() string
	Incarnation() uint64
	Syncs() uint64
}

// Store is one node's database.
type Store interface {
	Journal
	Applier
	Log
}
