package event

import "time"

// Append asks to write events to one or more streams, all or nothing, if every condition holds.
type Append struct {
	RequestID  string        // commits at most once, for ever, through whichever node; empty: one is made
	Conditions []Condition   // may name streams that are not written
	Absent     *Absence      // events that must not be there; nil: any may
	Events     []Event       // in the order they are to stand in the log; at least one
	After      Position      // the events will stand after it; empty: anywhere
	Timeout    time.Duration // how long to wait for the outcome; zero: the server's default
}

// Condition demands something of a stream's version before the append's events are written.
type Condition struct {
	Stream Stream
	Expect Expect
}

// Expect is what a Condition demands: an exact version from 0 on, or one of the constants below.
type Expect int64

// What a condition can demand apart from an exact version.
const (
	ExpectAny    Expect = -1 // nothing
	ExpectExists Expect = -2 // at least one event
	ExpectNone   Expect = 0  // no event: version 0
)

// Receipt tells what became of an append that committed.
type Receipt struct {
	RequestID string
	TxnID     string
	Position  Position        // of the last event: read at least here to see the append
	Streams   []StreamVersion // the version each written stream has now, in the order first written
	Events    []Ref           // in the append's order
	Duplicate bool            // the request had committed before; this is what became of it then
	Path      string          // fast, slow, recovered or learnt; empty where there is no consensus
}

// StreamVersion is a stream and how many events it has.
type StreamVersion struct {
	Stream  Stream
	Version uint64
}

// Outcome is what became of a request, for ever. The zero Outcome is of no request.
type Outcome struct {
	Receipt
	Committed bool
	Reused    bool       // refused: the request id had been used before for other content
	Fenced    bool       // refused: another worker has taken the subscriber over
	Conflicts []Conflict // refused: every condition that failed
	Existing  []Existing // refused: events that must not be there
	IDTaken   []string   // refused: event ids that stand in the log already
}

// Result turns an outcome into what the caller of an append gets: a receipt, or the error that refused it.
func (o Outcome) Result() (Receipt, error) {
	switch {
	case o.Reused:
		return Receipt{}, &ReusedError{RequestID: o.RequestID, TxnID: o.TxnID}
	case o.Fenced:
		return Receipt{}, ErrFenced
	case len(o.Conflicts) > 0:
		return Receipt{}, &ConflictError{Conflict: o.Conflicts[0], All: o.Conflicts, RequestID: o.RequestID, Duplicate: o.Duplicate}
	case len(o.Existing) > 0:
		return Receipt{}, &ExistsError{Events: o.Existing, RequestID: o.RequestID, Duplicate: o.Duplicate}
	case len(o.IDTaken) > 0:
		return Receipt{}, &IDTakenError{IDs: o.IDTaken}
	}
	return o.Receipt, nil
}
