package load

import (
	"context"
	"errors"

	"natsaccord/event"
)

// KindOf names what kind of error err is: as in the catalogue of errors, "timeout", or "other".
func KindOf(err error) string {
	switch {
	case is[*event.UnknownError](err):
		return "unknown"
	case is[*event.ConflictError](err):
		return "conflict"
	case is[*event.OverloadedError](err):
		return "overloaded"
	case is[*event.ReusedError](err):
		return "request_id_reused"
	case is[*event.IDTakenError](err):
		return "event_id_taken"
	case is[*event.InvalidError](err):
		return "invalid"
	case is[*event.TooLargeError](err):
		return "too_large"
	case is[*event.DamagedError](err):
		return "damaged"
	}
	for _, known := range []struct {
		err  error
		kind string
	}{
		{event.ErrNoQuorum, "no_quorum"}, {event.ErrDraining, "draining"}, {event.ErrClosed, "closed"}, {event.ErrAborted, "aborted"}, {event.ErrDiverged, "diverged"},
		{event.ErrNotFound, "not_found"}, {event.ErrFenced, "fenced"}, {context.DeadlineExceeded, "timeout"},
	} {
		if errors.Is(err, known.err) {
			return known.kind
		}
	}
	return "other"
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
