package client

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nats.go"

	"natsaccord/event"
)

// giveUp ends a call that nobody waits for any more, unless it has been answered: then that is what there is to know.
func (s *sender) giveUp(c *call, reason error) answer {
	switch {
	case !s.drop(c):
		return <-c.answer
	case c.in == nil: // and will not be: it has been dropped
		return answer{c, nil, fmt.Errorf("%w: %w", errUnsent, reason)}
	}
	return answer{c, nil, fmt.Errorf("client: ask %s: %w", c.in.subject, reason)}
}

// drop ends a call without an answer, and tells whether it had not ended before.
func (s *sender) drop(c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.finish(c) {
		return false
	}
	if c.in == nil {
		s.waiting = slices.DeleteFunc(s.waiting, func(other *call) bool { return other == c })
	}
	return true
}

// finish marks a call as ended and forgets its message with its last call. It tells whether the call had not ended before.
// s.mu is held.
func (s *sender) finish(c *call) bool {
	if c.ended {
		return false
	}
	c.ended = true
	if c.in == nil {
		return true
	}
	if c.in.open--; c.in.open == 0 {
		delete(s.sent, c.in.token)
	}
	return true
}

// leave ends all calls, those that were sent for the reason given, and refuses further ones: no answer comes any more.
func (s *sender) leave(reason error) {
	s.mu.Lock()
	s.closed = true
	waiting, sent := s.waiting, slices.Collect(maps.Values(s.sent))
	s.waiting = nil
	for _, c := range waiting {
		s.finish(c)
	}
	s.mu.Unlock()
	for _, c := range waiting {
		c.end(nil, errClosed(c.to.one))
	}
	for _, m := range sent {
		s.end(m, nil, fmt.Errorf("client: ask %s: %w", m.subject, reason))
	}
}

// close ends all calls, refuses further ones, and leaves nothing on the connection.
func (s *sender) close() error {
	s.leave(errLeft)
	s.mu.Lock()
	replies := s.replies
	s.mu.Unlock()
	if replies == nil {
		return nil
	}
	if err := replies.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, nats.ErrBadSubscription) {
		return fmt.Errorf("client: close: %w", err)
	}
	return nil
}

// errLeft is of requests that were under way when the client was closed: what became of them is not known.
var errLeft = errors.New("the client was closed meanwhile")

// errClosed says that nothing was sent on a subject, and nothing will be.
func errClosed(subject string) error {
	return fmt.Errorf("client: ask %s: %w: %w", subject, event.ErrClosed, nats.ErrConnectionClosed)
}

// errNotSent says why a message could not be sent.
func errNotSent(subject string, err error) error {
	switch {
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return fmt.Errorf("client: ask %s: %w: %w", subject, event.ErrClosed, err)
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return fmt.Errorf("client: ask %s: %w: %w", subject, event.ErrNoQuorum, err)
	}
	return fmt.Errorf("client: ask %s: %w", subject, err)
}
