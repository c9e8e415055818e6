package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// Decide loads a stream, has decide look at it, and appends the events that it returns if the stream has not changed
// meanwhile; if it has, it begins again, after a jittered pause that grows, up to Tries times. Events without a stream
// go to this one. It returns the receipt, which is zero if decide returned no events, or decide's error as it is.
//
// A *event.ConflictError means that others were quicker each time. An *event.UnknownError means that the last append
// may still commit; Decide does not try again then, and calling it again may append the same twice: DecideOnce may not.
func (a Aggregate[S]) Decide(ctx context.Context, c *Client, stream event.Stream, decide func(State[S]) ([]event.Event, error)) (event.Receipt, error) {
	a = a.withDefaults()
	for try := 1; ; try++ {
		// A refused request id stays refused: another try, which has other content, takes another.
		receipt, was, err := a.attempt(ctx, c, stream, ulid.Make().String(), decide)
		if was != outrun || try == a.Tries || !sleep(ctx, decidePauseOf(try)) {
			return receipt, err
		}
	}
}

// DecideOnce is Decide for a decision that must be made once, however often it is asked for: with one request id at
// most one append commits, for ever, even if decide returns something else each time and whatever became of earlier
// calls. A repeat returns the receipt of that append, with Duplicate set, without asking decide again. After an
// *event.UnknownError, call it again.
//
// The tries take the request ids requestID, requestID#2, requestID#3 and so on. One is taken only once the one before
// it is refused for ever, which it is not by a conflict that is Early: the next try has the same one then.
func (a Aggregate[S]) DecideOnce(ctx context.Context, c *Client, requestID string, stream event.Stream, decide func(State[S]) ([]event.Event, error)) (event.Receipt, error) {
	a = a.withDefaults()
	if err := event.ValidateRequestID(requestID); err != nil {
		return event.Receipt{}, err
	}
	if err := event.ValidateRequestID(attemptID(requestID, mostAttempts)); err != nil {
		return event.Receipt{}, err
	}
	for number, try := 1, 1; ; {
		id := attemptID(requestID, number)
		receipt, err := c.Outcome(ctx, id)
		switch _, conflict := errors.AsType[*event.ConflictError](err); {
		case conflict:
			number++
			continue
		case !errors.Is(err, event.ErrNotFound):
			receipt.Duplicate = err == nil
			return receipt, err
		}
		receipt, was, err := a.attempt(ctx, c, stream, id, decide)
		switch was {
		case final:
			return receipt, err
		case outrun:
			if try == a.Tries || !sleep(ctx, decidePauseOf(try)) {
				return receipt, err
			}
			try++
			if !isEarly(err) {
				number++
			}
		case preempted: // what became of theirs is known by now
		}
	}
}

// was says what an attempt was.
type was int

const (
	final     was = iota // there is nothing to try again
	outrun               // others changed the stream meanwhile; unless the error isEarly, its request id is refused for ever
	preempted            // others used its request id, for the same decision
)

// mostAttempts is the highest number of an attempt that a request id has to leave room for.
const mostAttempts = 999_999

func attemptID(requestID string, number int) string {
	if number == 1 {
		return requestID
	}
	return fmt.Sprintf("%s#%d", requestID, number)
}

// attempt loads, decides and appends, once.
func (a Aggregate[S]) attempt(ctx context.Context, c *Client, stream event.Stream, requestID string, decide func(State[S]) ([]event.Event, error)) (event.Receipt, was, error) {
	state, err := a.Load(ctx, c, stream)
	if err != nil {
		return event.Receipt{}, final, err
	}
	events, err := decide(state)
	if err != nil || len(events) == 0 {
		return event.Receipt{}, final, err
	}
	events = slices.Clone(events)
	for i := range events {
		if events[i].Stream == "" {
			events[i].Stream = stream
		}
	}
	receipt, err := c.Append(ctx, event.Append{
		RequestID: requestID, Events: events, Conditions: []event.Condition{{Stream: stream, Expect: event.Expect(state.Version)}},
	})
	if _, conflict := errors.AsType[*event.ConflictError](err); conflict {
		return receipt, outrun, err
	}
	if _, reused := errors.AsType[*event.ReusedError](err); reused {
		return receipt, preempted, err
	}
	return receipt, final, err
}

// isEarly tells whether a conflict left the request id as it was: one remembers only what consensus refused. To take
// another would let the same decision be made twice, by whoever finds the first one free.
func isEarly(err error) bool {
	conflict, ok := errors.AsType[*event.ConflictError](err)
	return ok && conflict.Early
}

// decidePauseOf is how long to pause after a try, so that those who got in each other's way do not meet again.
func decidePauseOf(try int) time.Duration { return rand.N(decidePause << min(try, 6)) }
