package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/event"
)

// attempt is one try of a call.
type attempt func(ctx context.Context) error

// read tries a call that changes nothing until it has an answer, for as long as there are tries and time. If time is up in the midst of a try, its
// error says why the one before was in vain, too: that is what there is to know.
func (c *Client) read(ctx context.Context, wait time.Duration, do attempt) error {
	return c.readWithin(ctx, func(int) time.Duration { return c.options.TryTimeout + wait }, do)
}

// lookUp is read for what is answered soon but for wait: a try is given up earlier, as answers have taken lately.
func (c *Client) lookUp(ctx context.Context, wait time.Duration, do attempt) error {
	return c.readWithin(ctx, func(try int) time.Duration { return c.waitOf(&c.reads, try) + wait }, func(ctx context.Context) error {
		start := time.Now()
		err := do(ctx)
		switch took := time.Since(start); {
		case wait > 0: // which may be a part of it
		case errors.Is(err, context.DeadlineExceeded):
			c.reads.ranOut(took)
		default:
			c.reads.answered(took)
		}
		return err
	})
}

// readWithin tries a call that changes nothing, each time for so long.
func (c *Client) readWithin(ctx context.Context, wait func(try int) time.Duration, do attempt) error {
	var before error
	for try := 1; ; try++ {
		err := within(ctx, wait(try), do)
		if err != nil && ctx.Err() != nil && before != nil {
			return fmt.Errorf("%w; the try before: %w", err, before)
		}
		before = err
		if isOutcome(err) || isRefusal(err) || errors.Is(err, event.ErrNotFound) || !c.again(ctx, try, err) {
			return err
		}
	}
}

// command tries a call that changes something and has no request id: again only if nothing happened.
func (c *Client) command(ctx context.Context, do attempt) error {
	for try := 1; ; try++ {
		err := do(ctx)
		if isOutcome(err) || isRefusal(err) {
			return err
		}
		if !isNothing(err) {
			return unknown("", err)
		}
		if !c.again(ctx, try, err) {
			return err
		}
	}
}

// append tries a call that is the same whatever its number of tries, each for as long as it is given. Once a try may have
// arrived, only what is remembered with the request id tells what became of it.
func (c *Client) append(ctx context.Context, requestID string, do func(ctx context.Context, wait time.Duration) error) error {
	arrived := false
	for try := 1; ; try++ {
		err := do(ctx, c.waitOf(&c.appends, try))
		if isOutcome(err) || isRefusal(err) && !arrived {
			return err
		}
		arrived = arrived || !isNothing(err)
		if isRefusal(err) || !c.again(ctx, try, err) {
			if arrived {
				return unknown(requestID, err)
			}
			return err
		}
	}
}

// within gives a try so much time.
func within(ctx context.Context, wait time.Duration, do attempt) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return do(ctx)
}

// deafTries is how many times more often a call is tried that nobody listens to: all nodes may have been started anew, and be about to
// have caught up with each other.
const deafTries = 2

// divergedTries is how many times more often a call is tried that came to a node with a damaged log: it refuses for as
// long as it is damaged, and NATS goes on to give it its share of the calls.
const divergedTries = 4

// again pauses before the next try, a jittered while that grows, and tells whether there is one.
func (c *Client) again(ctx context.Context, try int, err error) bool {
	most := c.options.Tries
	switch {
	case errors.Is(err, event.ErrDiverged):
		most *= divergedTries
	case errors.Is(err, nats.ErrNoResponders):
		most *= deafTries
	}
	if try >= most {
		return false
	}
	pause := rand.N(20 * time.Millisecond << min(try, 6))
	if overloaded, ok := errors.AsType[*event.OverloadedError](err); ok {
		pause += overloaded.RetryAfter
	}
	return sleep(ctx, pause)
}

// sleep tells whether the pause ended before ctx did, and does not begin one that cannot.
func sleep(ctx context.Context, pause time.Duration) bool {
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) <= pause {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// isOutcome tells whether err, which may be nil, is what became of a command: the answer, for ever.
func isOutcome(err error) bool {
	if err == nil || errors.Is(err, event.ErrFenced) {
		return true
	}
	_, conflict := errors.AsType[*event.ConflictError](err)
	_, exists := errors.AsType[*event.ExistsError](err)
	_, reused := errors.AsType[*event.ReusedError](err)
	_, taken := errors.AsType[*event.IDTakenError](err)
	return conflict || exists || reused || taken
}

// isRefusal tells whether err refused a request that would be refused again.
func isRefusal(err error) bool {
	_, invalid := errors.AsType[*event.InvalidError](err)
	_, large := errors.AsType[*event.TooLargeError](err)
	return invalid || large || errors.Is(err, bus.ErrVerb)
}

// isNothing tells whether err says that nothing was proposed, for a reason that may pass.
func isNothing(err error) bool {
	if _, ok := errors.AsType[*event.UnknownError](err); ok {
		return false
	}
	if _, ok := errors.AsType[*event.OverloadedError](err); ok {
		return true
	}
	for _, reason := range []error{event.ErrNoQuorum, event.ErrDraining, event.ErrAborted, event.ErrClosed, event.ErrDiverged, errUnsent} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// errUnsent is of a call whose context had ended before anything was sent.
var errUnsent = errors.New("client: nothing was sent")

// unsent returns an error if ctx is over already.
func unsent(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	return nil
}

// unknown makes err one that leaves the outcome open.
func unknown(requestID string, err error) error {
	if already, ok := errors.AsType[*event.UnknownError](err); ok && already.RequestID == requestID {
		return err
	}
	return &event.UnknownError{RequestID: requestID, Err: err}
}
