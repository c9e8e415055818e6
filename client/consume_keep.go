package client

import (
	"context"
	"errors"
	"time"

	"natsaccord/event"
)

// passed notes an event that is handled, parked, or not ours.
func (s *session) passed(at event.Position, mine bool) {
	s.read = at
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done, s.caughtUp = at, false
	s.lag.moved++
	if !mine {
		return
	}
	if s.handled++; s.handled == 1 {
		s.pending = time.Now()
	}
	if s.handled == 1 || s.handled >= s.AckBatch {
		s.nudge()
	}
}

// reached notes the end of a page. Where it ends the log there is nothing left up to page.Next, even if no event
// stands there.
func (s *session) reached(page event.Page) {
	s.read = max(s.read, page.Next)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done, s.caughtUp = max(s.done, page.Next), page.End
}

// hasten has what was handled acknowledged at once.
func (s *session) hasten() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hurry = true
	s.nudge()
}

// nudge has the keeper look at what is due.
func (s *session) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// keep shows that we are alive and acknowledges, until the claim is lost or ends, and returns why it is lost. What
// was handled is acknowledged when it is enough or has waited long enough; a cursor that moved over events of others
// only rides along when it is time for a sign of life.
func (s *session) keep(claim context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var retry time.Time // after a failure: not before this
	for {
		due, end := s.due()
		if due.Before(retry) {
			due = retry
		}
		timer.Reset(time.Until(due))
		select {
		case <-claim.Done():
			return nil
		case <-s.wake:
			continue
		case <-timer.C:
		}
		limit, cancel := context.WithTimeout(claim, min(s.Silence/3, time.Until(end))) // one lost reply is no silence
		err := s.beat(limit)
		cancel()
		switch {
		case err == nil:
			retry = time.Time{}
			continue
		case claim.Err() != nil:
			return nil
		case errors.Is(err, event.ErrFenced):
			return event.ErrFenced
		case !time.Now().Before(end):
			return ErrSilent
		}
		s.log.Debug("cannot show a sign of life", "worker", s.worker, "error", err)
		retry = time.Now().Add(min(s.Silence/10, time.Until(end)))
	}
}

// due returns when the store is to hear of us next, and when it must have: a little before others take over, so that
// our handler has ended by then.
func (s *session) due() (next, end time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, end = s.confirmed.Add(s.Silence/3), s.confirmed.Add(s.Silence*9/10)
	switch {
	case s.handled == 0:
	case s.hurry || s.handled >= s.AckBatch:
		next = time.Now()
	case s.pending.Add(s.AckInterval).Before(next):
		next = s.pending.Add(s.AckInterval)
	}
	return next, end
}

// beat acknowledges what is done, or just shows that we are alive if there is nothing new.
func (s *session) beat(ctx context.Context) error {
	sent := time.Now()
	s.mu.Lock()
	done, acked, handled := s.done, s.acked, s.handled
	s.hurry = false
	s.mu.Unlock()
	var err error
	if done > acked {
		err = s.source.Acknowledge(ctx, s.key, s.worker, done, s.left(ctx, done))
	} else {
		err = s.source.TakeOver(ctx, s.key, s.worker, s.worker)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.confirmed, s.acked, s.pending = sent, done, sent
	s.handled -= handled
	return nil
}

// left is how many events lie behind a position, as of the last look: a look costs a query.
func (s *session) left(ctx context.Context, done event.Position) uint64 {
	s.mu.Lock()
	caughtUp, last := s.caughtUp, s.lag
	s.mu.Unlock()
	if caughtUp {
		return 0
	}
	if time.Since(last.at) < lagInterval {
		return last.left - min(last.left, last.moved)
	}
	args := s.Events
	args.After = done
	n, err := s.source.Count(ctx, args)
	if err != nil {
		s.log.Debug("cannot count what is left", "error", err)
		return last.left - min(last.left, last.moved)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = lag{left: n, at: time.Now()}
	return n
}
