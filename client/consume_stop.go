package client

import (
	"errors"
	"fmt"

	"natsaccord/event"
)

// StopReason says why Consume returned.
type StopReason string

// Why Consume returns.
const (
	StopDrained StopReason = "drained" // its context ended; what was handled is acknowledged as far as that was possible
	StopFenced  StopReason = "fenced"  // another worker took over, and StopWhenFenced was set
	StopFailed  StopReason = "failed"  // an event was handled in vain, and was not to be parked
	StopRefused StopReason = "refused" // the store refused what it would refuse again
)

// StopError is why Consume returned.
type StopError struct {
	Reason   StopReason
	Key      string         // of the subscriber that stopped; the name if it was all of them
	Position event.Position // of the event that failed, if one did
	Err      error          // what was wrong; what ended the context if nothing was
}

func (e *StopError) Error() string {
	at := ""
	if e.Position != "" {
		at = " at " + string(e.Position)
	}
	return fmt.Sprintf("client: subscriber %s stopped%s: %s: %v", e.Key, at, e.Reason, e.Err)
}

func (e *StopError) Unwrap() error { return e.Err }

// Errors around handlers.
var (
	// ErrPoison, wrapped in a handler's error, says that no other try can help.
	ErrPoison = errors.New("client: no other try can help")
	// ErrSilent ends a handler's context when the store has not confirmed the claim for ConsumeConfig.Silence:
	// another worker may have taken over.
	ErrSilent = errors.New("client: the claim has not been confirmed for too long, another worker may have taken over")
	// ErrDrain ends a handler's context when a shutdown has waited for ConsumeConfig.Drain.
	ErrDrain = errors.New("client: the shutdown has waited long enough")
)

// PanicError is a handler's panic.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("client: the handler panicked: %v", e.Value) }
