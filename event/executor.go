package event

import (
	"context"

	"github.com/oklog/ulid/v2"
)

// Executor is an event store. A plain database, a node and a client all implement it, and one conformance
// suite holds them to it. All methods may be called concurrently.
type Executor interface {
	// Write appends events atomically, over any number of streams. An event's Version 0 takes the stream's
	// next version; n must become exactly version n, else nothing is written and Write returns a
	// *ConflictError. An *UnknownError means that the write may still commit.
	Write(ctx context.Context, events []Event) error

	// Read returns a page of events in the log's order, or of one stream in version order.
	Read(ctx context.Context, args ReadArgs) (Page, error)

	// SubscriberCursor returns the last acknowledged position of a subscriber, empty if there is none.
	SubscriberCursor(ctx context.Context, key string) (Position, error)

	// IsSubscriberRunning tells whether worker is the subscriber's current worker.
	IsSubscriberRunning(ctx context.Context, key string, worker ulid.ULID) (bool, error)

	// UpsertSubscriber makes worker the subscriber's current worker. Whoever was it before is fenced.
	UpsertSubscriber(ctx context.Context, key string, worker ulid.ULID) error

	// Acknowledge moves the subscriber's cursor to position and notes how many events lie behind it. It
	// returns ErrFenced and changes nothing if worker is not the current worker. The cursor never goes back.
	Acknowledge(ctx context.Context, key string, worker ulid.ULID, position Position, lag uint64) error

	// Snapshot returns the named snapshot of a stream, or ErrNotFound.
	Snapshot(ctx context.Context, stream Stream, name string) (Snapshot, error)

	// PutSnapshot stores a snapshot unless there is one of a higher version.
	PutSnapshot(ctx context.Context, snapshot Snapshot) error

	// DropSnapshot removes a snapshot. Dropping what is not there is no error.
	DropSnapshot(ctx context.Context, stream Stream, name string) error
}

// Subscriptions is what workers need that take turns at a subscriber, and those who look after them. All that
// implements Executor implements it too. All methods may be called concurrently.
type Subscriptions interface {
	// Subscriber returns the state of a subscriber; all but its key is zero if nobody has ever claimed it.
	Subscriber(ctx context.Context, key string) (Subscriber, error)

	// Subscribers returns the subscribers whose keys sort behind after, by key: at most limit of them, and
	// fewer than that only if there are no more. A limit below 1 stands for MaxSubscribers, which is the highest.
	Subscribers(ctx context.Context, after string, limit int) ([]Subscriber, error)

	// TakeOver makes worker the subscriber's current worker if previous is, or if worker is already. It returns
	// ErrFenced and changes nothing if it is somebody else. The zero ULID stands for nobody.
	TakeOver(ctx context.Context, key string, worker, previous ulid.ULID) error

	// ResetSubscriber puts the subscriber's cursor at position, back too, and fences its worker. Whoever claims
	// it next goes on from there.
	ResetSubscriber(ctx context.Context, key string, position Position) error

	// Count returns how many events there are to read with args, whatever its limits; it counts to MaxCount.
	Count(ctx context.Context, args ReadArgs) (uint64, error)
}

// Bounds of what Subscriptions tells.
const (
	MaxSubscribers = 500     // in one answer
	MaxCount       = 100_000 // what Count counts to
)
