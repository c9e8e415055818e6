package client

import (
	"testing"

	"natsaccord/event"
)

// TestDeafTries: where nobody listens a call is tried twice as often as where too few nodes answer.
func TestDeafTries(t *testing.T) {
	c := &Client{options: Options{Tries: 2}}
	for _, try := range []struct {
		n    int
		err  error
		more bool
	}{
		{1, event.ErrNoQuorum, true}, {2, event.ErrNoQuorum, false},
		{2, errUnreachable("s"), true}, {3, errUnreachable("s"), true}, {4, errUnreachable("s"), false},
	} {
		if got := c.again(t.Context(), try.n, try.err); got != try.more {
			t.Errorf("after try %d and %v: got %v", try.n, try.err, got)
		}
	}
}
