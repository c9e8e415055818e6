package event

import (
	"errors"
	"fmt"
	"time"
)

// Errors that a caller only branches on. Each says what state the world is in.
var (
	// ErrNotFound: what was asked for does not exist.
	ErrNotFound = errors.New("event: not found")
	// ErrFenced: another worker has taken the subscriber over; nothing was acknowledged.
	ErrFenced = errors.New("event: another worker has taken this subscriber over; nothing was acknowledged")
	// ErrDraining: the node is shutting down; nothing was proposed. Ask another node.
	ErrDraining = errors.New("event: node is draining; nothing was proposed")
	// ErrNoQuorum: too few nodes answer; nothing was proposed.
	ErrNoQuorum = errors.New("event: too few nodes answer; nothing was proposed")
	// ErrDiverged: the node's log is not what it should be, so it does not answer; nothing was proposed. Ask another
	// node.
	ErrDiverged = errors.New("event: the node's log is damaged; nothing was proposed")
	// ErrClosed: the executor was closed; nothing was done.
	ErrClosed = errors.New("event: closed; nothing was done")
	// ErrAborted: consensus invalidated the transaction; nothing happened and nothing will. Retry freely.
	ErrAborted = errors.New("event: transaction was invalidated; nothing happened")
)

// Conflict is one failed condition.
type Conflict struct {
	Stream Stream
	Want   Expect // the version demanded
	Have   uint64 // the version found
}

// ConflictError refuses an append whose conditions do not hold. Nothing was written, and nothing will be.
// The embedded Conflict is the first of All.
type ConflictError struct {
	Conflict
	All       []Conflict // every failed condition
	RequestID string
	Duplicate bool // the same request was refused before

	// Early: the node that was asked refused it by what it had applied. Have is a lower bound, and the refusal is
	// remembered nowhere: with other content the request id is as good as before.
	Early bool

	// Node is through which node, as far as is known, the last event of Stream came. Whoever demands a version of it next
	// does best to ask that node, where all who do wait for each other. Empty: not known.
	Node string
}

func (e *ConflictError) Error() string {
	more := ""
	if len(e.All) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(e.All)-1)
	}
	return fmt.Sprintf("event: stream %s is at version %d, want %s%s; nothing was written", e.Stream, e.Have, e.Want, more)
}

// DamagedError: an event stands in a database, but cannot be read. Whatever it is now, it was never written so.
type DamagedError struct {
	Position Position
	Err      error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("event: the event at %s cannot be read: %v", e.Position, e.Err)
}

// Unwrap returns why.
func (e *DamagedError) Unwrap() error { return e.Err }

// InvalidError refuses bad input before anything is proposed: of a write, nothing was written.
type InvalidError struct {
	Field  string // where in the request, as events[2].type
	Reason string
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("event: %s: %s", e.Field, e.Reason)
}

// TooLargeError refuses input over a limit before anything is proposed: of a write, nothing was written.
type TooLargeError struct {
	What  string // what is too large, as events[2].data
	Size  int
	Limit int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("event: %s is %d, the limit is %d", e.What, e.Size, e.Limit)
}

// ReusedError refuses a request id that was used before for other content. Nothing was written.
type ReusedError struct {
	RequestID string
	TxnID     string // the transaction that used it
}

func (e *ReusedError) Error() string {
	return fmt.Sprintf("event: request id %q was used for other content by transaction %s; nothing was written", e.RequestID, e.TxnID)
}

// IDTakenError refuses events whose ids stand in the log already. Nothing was written.
type IDTakenError struct {
	IDs []string
}

func (e *IDTakenError) Error() string {
	return fmt.Sprintf("event: event ids %v are taken; nothing was written", e.IDs)
}

// UnknownError means that the outcome is not known yet: the append may still commit. Asking with the request
// id tells, and repeating the append with the same request id is safe.
type UnknownError struct {
	RequestID string // empty for what has none, such as an acknowledgement
	TxnID     string // empty if not known
	Err       error  // what ended the wait
}

func (e *UnknownError) Error() string {
	if e.RequestID == "" {
		return fmt.Sprintf("event: outcome is unknown, it may still happen: %v", e.Err)
	}
	return fmt.Sprintf("event: outcome of request %q is unknown, it may still commit: %v", e.RequestID, e.Err)
}

func (e *UnknownError) Unwrap() error { return e.Err }

// OverloadedError refuses work that the node has no room for. Nothing was proposed.
type OverloadedError struct {
	RetryAfter time.Duration
}

func (e *OverloadedError) Error() string {
	return fmt.Sprintf("event: too many appends in flight; nothing was proposed, retry after %s", e.RetryAfter)
}

// SafeToRetry tells whether repeating the same request can do no harm and may help. What ended the wait for an outcome says nothing
// of what became of the request: without a request id it may happen twice.
func SafeToRetry(err error) bool {
	if unknown, ok := errors.AsType[*UnknownError](err); ok {
		return unknown.RequestID != ""
	}
	if errors.Is(err, ErrDraining) || errors.Is(err, ErrNoQuorum) || errors.Is(err, ErrAborted) {
		return true
	}
	_, overloaded := errors.AsType[*OverloadedError](err)
	return overloaded
}
