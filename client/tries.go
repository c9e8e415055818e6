package client

import (
	"context"
	"fmt"
	"time"
)

// tries are those of one append. When one is not answered for long the next one is made, and what becomes known by any of them is what
// became of the append: a node that was only slow has not been waited for in vain. They are used by one goroutine.
type tries struct {
	sender *sender
	last   *call
	wait   time.Duration // for an answer to it, since it was sent
	timer  *time.Timer
	late   []*call     // those that were waited for in vain; at most mostLate
	answer chan answer // takes the answers to all of them; nil while there are none
}

// mostLate is how many tries of an append are listened to besides the last one. A node gives up a try after TryTimeout anyway.
const mostLate = 8

// ranOutError is of a try that was not answered for as long as is waited for.
type ranOutError struct {
	subject string
	waited  time.Duration
}

func (e *ranOutError) Error() string {
	return fmt.Sprintf("client: ask %s: no answer for %s", e.subject, e.waited.Round(time.Millisecond))
}

func (e *ranOutError) Unwrap() error { return context.DeadlineExceeded }

// ask has a call sent that is waited for so long.
func (t *tries) ask(c *call, wait time.Duration) {
	c.answer = make(chan answer, 1)
	if t.timer == nil {
		t.timer = time.NewTimer(wait)
	}
	t.timer.Reset(wait)
	t.last, t.wait = c, wait
	t.sender.put(c)
}

// next returns the next answer there is, which may be to an earlier call than the last one, or the error that the last one has
// none yet. Errors are those of Client.ask.
func (t *tries) next(ctx context.Context) answer {
	select {
	case a := <-t.last.answer:
		return a
	case a := <-t.answer:
		return a
	case <-t.timer.C:
		if !t.keep(t.last) {
			return <-t.last.answer
		}
		return answer{t.last, nil, &ranOutError{t.last.to.one, t.wait}}
	case <-ctx.Done():
		return t.sender.giveUp(t.last, ctx.Err())
	}
}

// keep goes on to listen to a call, if there are not enough of them, and tells whether it had no answer.
func (t *tries) keep(c *call) bool {
	if len(t.late) == mostLate {
		return t.sender.drop(c)
	}
	if t.answer == nil {
		t.answer = make(chan answer, mostLate)
	}
	t.late = append(t.late, c)
	return t.sender.redirect(c, t.answer)
}

// end gives up what has not been answered.
func (t *tries) end() {
	if t.last != nil {
		t.timer.Stop()
		t.sender.drop(t.last)
	}
	for _, c := range t.late {
		t.sender.drop(c)
	}
}

// redirect has the answer to a call go elsewhere, and tells whether it does: not if it has been given.
func (s *sender) redirect(c *call, to chan answer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.ended {
		c.answer = to
	}
	return !c.ended
}
