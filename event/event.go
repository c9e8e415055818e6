package event

import (
	"time"

	"github.com/oklog/ulid/v2"
)

// Event is one fact of one stream. Its maker fills Stream, Type and Data, and what else it likes of ID,
// Version, Metadata, RoutingKey and Tags; the store fills the rest.
type Event struct {
	ID         ulid.ULID         // unique in the whole log; zero on the way in: one is made
	Stream     Stream            //
	Version    uint64            // 1 for a stream's first event, then contiguous; 0 on the way in: the next one
	Position   Position          // empty until committed
	TxnID      string            // the transaction that wrote it; empty until committed
	Type       string            // 1 to 255 bytes, no spaces or control characters
	Data       []byte            // JSON text, or any bytes if Binary
	Binary     bool              // Data is bytes, not JSON
	Metadata   map[string]string //
	RoutingKey string            // spreads a subscription over workers; empty: none
	Tags       []string          // sorted, unique
	RecordedAt time.Time         // wall-clock reading of the transaction's timestamp, UTC, microseconds
}

// Ref is what is left of an event in the reply to its append.
type Ref struct {
	ID       ulid.ULID
	Stream   Stream
	Version  uint64
	Position Position
}

// Head is how far a stream has come. A stream without events has the zero Head.
type Head struct {
	Version  uint64   // number of events
	Position Position // of the last event
}

// Snapshot is an opaque blob that stands for a stream's state at a version.
type Snapshot struct {
	Stream  Stream
	Name    string // which projection of the stream this is
	Version uint64
	Data    []byte
}
