package digest

import (
	"context"

	"natsaccord/event"
)

// Log is what is hashed.
type Log interface {
	// Frontier returns the frontier once it lies behind a position. No event stands at it.
	Frontier(ctx context.Context, behind event.Position, eager bool) (event.Position, error)
	// Read reads what the database holds, if args.Consistency is event.Local.
	Read(ctx context.Context, args event.ReadArgs) (event.Page, error)
}

// Marks remembers digests of the first events of the log across restarts.
type Marks interface {
	// Mark returns the last of at most so many events; the zero Digest if there is none.
	Mark(ctx context.Context, events uint64) (event.Digest, error)
	// AddMark adds one, unless there is one of as many events.
	AddMark(ctx context.Context, m event.Digest) error
}

// Peers are the other nodes.
type Peers interface {
	// Tell sends a note to all of them, which may get lost. It must not block.
	Tell(note []byte)
	// Ask has one of them Answer a question.
	Ask(ctx context.Context, node string, question []byte) ([]byte, error)
}

// Reader reads digests of one node's log.
type Reader interface {
	Digest(ctx context.Context, q event.DigestQuery) (event.Digest, error)
}

// Alarm is told whenever it changes what is wrong. reason is empty if nothing is. alone says that what is wrong is
// this node, as far as it can tell: it should not answer clients.
type Alarm func(reason string, alone bool)
