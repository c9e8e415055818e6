package event

import "time"

// ReadArgs selects events. Zero fields select nothing away.
type ReadArgs struct {
	Category    string        // of one category
	Stream      Stream        // of one stream; implies its category
	Types       []string      // of one of these types
	RoutingKey  string        //
	Tags        []string      // with all of these tags
	After       Position      // strictly behind this position
	Before      Position      // strictly before this position
	FromVersion uint64        // from this version on, that one included; needs Stream
	Backward    bool          // newest first
	Limit       int           // at most this many events; zero: 100
	MaxBytes    int           // at most about this many bytes of events, but at least one event; zero: no limit
	Consistency Consistency   // how fresh
	MinPosition Position      // with AtLeast: wait until this position is applied
	Wait        time.Duration // if there is nothing to return, wait this long for something
}

// Consistency says how fresh a read is.
type Consistency string

// How fresh a read can be. Of a stream, every one of them sees a run of versions without a gap. Of a category or
// the log, all but Local see only what lies up to the frontier, and so miss nothing that stands in between.
const (
	Local        Consistency = "local"        // this node's applied state
	AtLeast      Consistency = "at_least"     // waits until everything up to MinPosition is applied here
	Linearizable Consistency = "linearizable" // sees every append acknowledged before the read began
	Frontier     Consistency = "frontier"     // only what is complete for ever
)

// Page is a run of events.
type Page struct {
	Events []Event
	Next   Position // read on from here: After, or Before if Backward
	End    bool     // nothing is left to read now
	Head   Head     // of the stream that was read, if it was one

	// Frontier is the position up to which the log of whoever answered is complete for ever. Positions of events
	// on a page may lie behind it if the read was Local or one of a stream.
	Frontier Position
}
