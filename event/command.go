package event

import (
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
)

// Command is one request as consensus carries it: exactly one operation is set. It is complete (ids are
// made, names checked), so that evaluating it needs nothing but the state of its keys.
type Command struct {
	Append       *Append // RequestID and all event IDs are set
	Hash         Hash    // of the append as its client sent it
	Claim        *Claim
	Ack          *Ack
	TakeOver     *TakeOver
	Reset        *Reset
	PutSnapshot  *Snapshot
	DropSnapshot *SnapshotName
	Bundle       []Command // two or more appends that share a transaction, each with an outcome of its own
}

// Hash tells two requests with one id apart.
type Hash [16]byte

// Claim makes Worker the current worker of a subscriber.
type Claim struct {
	Key    string
	Worker ulid.ULID
}

// Ack moves the cursor of a subscriber.
type Ack struct {
	Key      string
	Worker   ulid.ULID
	Position Position
	Lag      uint64
}

// TakeOver makes Worker the current worker of a subscriber if Previous is, or if Worker is already: that it is
// repeated does no harm, and a worker that takes over from itself shows that it is alive. The zero ULID stands
// for nobody: as Previous, nobody must work for the subscriber, and as Worker, nobody will.
type TakeOver struct {
	Key      string
	Worker   ulid.ULID
	Previous ulid.ULID
}

// Reset puts the cursor of a subscriber anywhere, back too, and leaves the subscriber without a worker.
type Reset struct {
	Key      string
	Position Position
}

// SnapshotName names a snapshot.
type SnapshotName struct {
	Stream Stream
	Name   string
}

// Subscriber is the state of a named subscriber.
type Subscriber struct {
	Key    string
	Worker ulid.ULID // zero: nobody
	Cursor Position  // of the last event that was acknowledged, empty if none was
	Lag    uint64    // events behind the cursor when it got there
	Seen   time.Time // when its worker last claimed, acknowledged or took over; UTC, microseconds
}

// IsRunning tells whether worker is the subscriber's current worker. Nobody is nobody's.
func (s Subscriber) IsRunning(worker ulid.ULID) bool {
	return s.Worker == worker && worker != ulid.ULID{}
}

// Keys returns everything that evaluating c may look at or change, as consensus keys: sorted, unique text.
// Two commands that share none may be evaluated in either order.
func (c Command) Keys() []string {
	var keys []string
	switch {
	case c.Append != nil:
		keys = append(keys, "c"+c.Append.RequestID)
		for _, condition := range c.Append.Conditions {
			keys = append(keys, "s"+string(condition.Stream))
		}
		for i := range c.Append.Events {
			keys = append(keys, "s"+string(c.Append.Events[i].Stream), "e"+c.Append.Events[i].ID.String())
			for _, tag := range c.Append.Events[i].Tags {
				keys = append(keys, "t"+tag)
			}
		}
		for _, w := range c.Append.Absent.Watches() {
			keys = append(keys, "t"+w.Tags[0]) // an event that matches has all of its tags, so one is enough to meet it
		}
	case c.Claim != nil:
		keys = append(keys, "u"+c.Claim.Key)
	case c.Ack != nil:
		keys = append(keys, "u"+c.Ack.Key)
	case c.TakeOver != nil:
		keys = append(keys, "u"+c.TakeOver.Key)
	case c.Reset != nil:
		keys = append(keys, "u"+c.Reset.Key)
	case c.PutSnapshot != nil:
		keys = append(keys, SnapshotKey(c.PutSnapshot.Stream, c.PutSnapshot.Name))
	case c.DropSnapshot != nil:
		keys = append(keys, SnapshotKey(c.DropSnapshot.Stream, c.DropSnapshot.Name))
	case c.Bundle != nil:
		for i := range c.Bundle {
			keys = append(keys, c.Bundle[i].Keys()...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// SnapshotKey is the consensus key of a snapshot. It joins with a byte that no stream may hold, so that no two names make one key.
func SnapshotKey(stream Stream, name string) string { return "p" + string(stream) + "\x1f" + name }
