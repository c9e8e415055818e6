package accord

import "fmt"

// Status is how far a transaction has come at one replica. docs/protocol.md §2.5.
type Status uint8

// The statuses, in lattice order. Every change goes through command.advance.
const (
	StatusNone               Status = iota // a promise or a name only
	StatusPreAccepted                      // voted on; the vote never changes again
	StatusAccepted                         // a proposed executeAt was accepted at AcceptedBallot
	StatusAcceptedInvalidate               // an invalidation was accepted at AcceptedBallot
	StatusCommitted                        // mode G: executeAt is chosen, the dependencies are being made stable
	StatusStable                           // decided: executes at ExecuteAt after Deps
	StatusApplied                          // its effects are in this node's store
	StatusInvalidated                      // decided: never happened and never will
	statusEnd
)

// Valid tells whether s is one of the statuses above: for decoders.
func (s Status) Valid() bool { return s < statusEnd }

// Decided tells whether the outcome can no longer change.
func (s Status) Decided() bool { return s >= StatusStable }

// String returns the status as it stands in SQL and in logs.
func (s Status) String() string {
	names := [...]string{"none", "preaccepted", "accepted", "accepted_invalidate", "committed", "stable", "applied", "invalidated"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// legal is the transition table of docs/protocol.md §2.5: legal[from] has a bit for every status that may
// follow. Repeating an Accept or a Commit at a higher ballot is a transition to the same status.
func legal(from, to Status) bool {
	table := [statusEnd][]Status{
		StatusNone:               {StatusPreAccepted, StatusAccepted, StatusAcceptedInvalidate, StatusCommitted, StatusStable, StatusInvalidated},
		StatusPreAccepted:        {StatusAccepted, StatusAcceptedInvalidate, StatusCommitted, StatusStable, StatusInvalidated},
		StatusAccepted:           {StatusAccepted, StatusAcceptedInvalidate, StatusCommitted, StatusStable, StatusInvalidated},
		StatusAcceptedInvalidate: {StatusAccepted, StatusAcceptedInvalidate, StatusCommitted, StatusStable, StatusInvalidated},
		StatusCommitted:          {StatusCommitted, StatusStable},
		StatusStable:             {StatusApplied},
		StatusApplied:            {},
		StatusInvalidated:        {},
	}
	for _, s := range table[from] {
		if s == to {
			return true
		}
	}
	return false
}
