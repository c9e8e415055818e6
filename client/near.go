package client

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"natsaccord/event"
)

// near is a node that is asked before all others, for as long as it answers. Servers of one NATS cluster give
// requests to all members of a queue group alike, however far they are.
type near struct {
	shared, own string       // how subjects begin where any node answers, and where this one does
	away        atomic.Int64 // until when others are asked, in Unix nanoseconds
}

const (
	awayAtLeast = time.Second // after a refusal that comes at once
	awayTimes   = 10          // as long as it took to find out: asking again in vain costs a tenth of the time at most
)

// subject returns where to ask now what any node answers on a subject.
func (n *near) subject(subject string) string {
	verb, ok := strings.CutPrefix(subject, n.shared)
	if n.own == "" || !ok || isSpecial(verb) || time.Now().UnixNano() < n.away.Load() {
		return subject
	}
	return n.own + verb
}

// isSpecial tells whether a verb is that of a certain node already, or one that no node has of its own.
func isSpecial(verb string) bool {
	return strings.HasPrefix(verb, "node.") || strings.HasPrefix(verb, "cluster.")
}

// isOfNode tells whether err is that a node is not there, or does not serve whatever it is asked: others may.
func isOfNode(err error) bool {
	return errors.Is(err, event.ErrNoQuorum) || errors.Is(err, event.ErrDraining) || errors.Is(err, event.ErrDiverged)
}

// learn takes note of what became of a request that took a while.
func (n *near) learn(subject string, took time.Duration, err error) {
	if n.own == "" || !strings.HasPrefix(subject, n.own) {
		return
	}
	switch {
	case isSilence(err): // it is out of reach, or all others are for it
		n.away.Store(time.Now().Add(awayTimes * took).UnixNano())
	case isOfNode(err):
		n.away.Store(time.Now().Add(max(awayAtLeast, awayTimes*took)).UnixNano())
	}
}

// isSilence tells whether err says that time ended before there was an answer.
func isSilence(err error) bool {
	_, unknown := errors.AsType[*event.UnknownError](err)
	return unknown || errors.Is(err, context.DeadlineExceeded)
}
