package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// session is the time between claiming a subscriber and losing or leaving it. One goroutine reads and handles,
// another keeps the claim and acknowledges.
type session struct {
	*shard
	worker ulid.ULID
	wake   chan struct{}  // holds a token when there is a reason to acknowledge now
	read   event.Position // read on from here

	mu        sync.Mutex     // protects what follows
	done      event.Position // up to here all is handled, parked or not ours
	acked     event.Position // up to here the store knows
	handled   int            // since acked
	hurry     bool           // acknowledge what was handled without waiting for more
	pending   time.Time      // when the first of them was handled
	caughtUp  bool           // there was nothing behind done when we last looked
	confirmed time.Time      // when the last request was made that found us the worker
	lag       lag
}

// lag is how much was left when somebody last counted.
type lag struct {
	left  uint64
	at    time.Time
	moved uint64 // events passed since
}

func (s *shard) claimed(worker ulid.ULID, asked time.Time) *session {
	return &session{shard: s, worker: worker, wake: make(chan struct{}, 1), confirmed: asked}
}

// work handles events until ctx ends, the claim is lost or there is no going on, and returns which: nil is never
// returned, so that a shard that was worked for is told from one that was not.
func (s *session) work(ctx context.Context) error {
	claim, lose := context.WithCancelCause(context.WithoutCancel(ctx)) // ends when the claim is lost
	run, halt := context.WithCancelCause(ctx)                          // ends then too, or when we are to stop
	unlink := context.AfterFunc(claim, func() { halt(context.Cause(claim)) })
	var beside sync.WaitGroup
	beside.Go(func() { lose(s.keep(claim)) })
	beside.Go(func() { lose(s.limit(ctx, claim)) })

	err := s.consume(run, claim)
	lost := context.Cause(claim)
	unlink()
	halt(nil)
	lose(nil)
	beside.Wait()
	if _, stopped := errors.AsType[*StopError](err); !stopped && lost != nil && !errors.Is(lost, ErrDrain) {
		s.log.Info("no longer work for the subscriber", "worker", s.worker, "reason", lost)
		if s.StopWhenFenced {
			return s.stop(StopFenced, "", lost)
		}
		return lost
	}
	s.farewell(ctx)
	return err
}

// limit waits until a shutdown has taken too long, and says so.
func (s *session) limit(ctx, claim context.Context) error {
	select {
	case <-ctx.Done():
	case <-claim.Done():
		return nil
	}
	if pause(claim, s.Drain) {
		return ErrDrain
	}
	return nil
}

// farewell acknowledges what is left and gives the subscriber back.
func (s *session) farewell(ctx context.Context) {
	words, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	s.mu.Lock()
	owed := s.done > s.acked
	s.mu.Unlock()
	if !owed {
		s.leave(ctx, s.worker)
		return
	}
	if err := s.beat(words); err != nil {
		s.log.Warn("cannot acknowledge; the last events are handled again", "worker", s.worker, "error", err)
	}
	s.leave(ctx, s.worker)
}

// consume reads and handles. run ends when it is to stop, claim when results do not count any more.
func (s *session) consume(run, claim context.Context) error {
	if err := s.begin(run); err != nil {
		return err
	}
	for run.Err() == nil {
		page, err := s.next(run)
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			if run.Err() != nil {
				return context.Cause(run)
			}
			mine := s.takes(e)
			if mine {
				if err := s.deliver(run, claim, e); err != nil {
					return err
				}
			}
			s.passed(e.Position, mine)
		}
		s.reached(page)
	}
	return context.Cause(run)
}

// begin finds out where to go on from. Whoever worked before us is fenced by now: nothing is acknowledged any more
// that we would not see.
func (s *session) begin(run context.Context) error {
	return s.persist(run, "find where to go on from", func() error {
		found, err := s.source.Subscriber(run, s.key)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.read, s.acked = found.Cursor, found.Cursor
		if s.read == "" {
			s.read = s.After
		}
		s.done = s.acked
		return nil
	})
}

// next reads on, and waits for something to read.
func (s *session) next(run context.Context) (page event.Page, err error) {
	args := s.Events
	args.After, args.Wait = s.read, readWait
	err = s.persist(run, "read", func() error {
		start := time.Now()
		page, err = s.source.Read(run, args)
		if idle := idlePause - time.Since(start); err == nil && len(page.Events) == 0 && idle > 0 {
			pause(run, idle)
		}
		return err
	})
	return page, err
}

// persist tries something again and again until it succeeds, run ends, or it is refused for good.
func (s *session) persist(run context.Context, what string, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		switch {
		case err == nil:
			return nil
		case run.Err() != nil:
			return context.Cause(run)
		case isRefusal(err):
			return s.stop(StopRefused, "", err)
		}
		s.log.Debug("try again", "what", what, "try", try, "error", err)
		if !pause(run, s.backoff(try)) {
			return context.Cause(run)
		}
	}
}
