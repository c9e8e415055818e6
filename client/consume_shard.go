package client

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// shard is one subscriber that a consumer works for whenever it can.
type shard struct {
	*consumer
	number int
	key    string
	log    *slog.Logger
	former ulid.ULID // who we last were, or tried to become
	watch  watch
}

// watch notes since when the worker of a subscriber shows no sign of life, by the clock of whoever watches: no two
// clocks are ever compared.
type watch struct {
	worker ulid.ULID
	seen   time.Time // as the worker's last sign of life is dated, which may be by another clock
	since  time.Time
}

// silence returns for how long the worker has shown no sign of life under our eyes.
func (w *watch) silence(s event.Subscriber) time.Duration {
	if now := time.Now(); w.since.IsZero() || s.Worker != w.worker || !s.Seen.Equal(w.seen) {
		*w = watch{s.Worker, s.Seen, now}
	}
	return time.Since(w.since)
}

func (c *consumer) shard(number int) *shard {
	key := ShardKey(c.Name, number, c.Shards)
	return &shard{consumer: c, number: number, key: key, log: c.Logger.With("subscriber", key)}
}

// run works for the shard whenever it is its turn, until ctx ends or it cannot go on, and returns why it cannot.
func (s *shard) run(ctx context.Context) *StopError {
	for ctx.Err() == nil {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		err := s.turn(ctx)
		<-s.slots
		if stopped, ok := errors.AsType[*StopError](err); ok {
			return stopped
		}
		if err == nil && !pause(ctx, min(s.Silence/4, standbyPause)) {
			return nil
		}
	}
	return nil
}

// turn tries to claim the shard, and if it does works for it. It returns nil if there was nothing to claim, else why
// the work ended.
func (s *shard) turn(ctx context.Context) error {
	found, err := s.source.Subscriber(ctx, s.key)
	switch {
	case ctx.Err() != nil:
		return nil
	case isRefusal(err):
		return s.stop(StopRefused, "", err)
	case err != nil:
		s.log.Debug("cannot tell who works for the subscriber", "error", err)
		return nil
	case found.Worker != ulid.ULID{} && found.Worker != s.former && s.watch.silence(found) < s.Silence:
		return nil
	}
	worker := ulid.Make()
	s.former = worker
	asked := time.Now()
	switch err := s.source.TakeOver(ctx, s.key, worker, found.Worker); {
	case err == nil:
		s.log.Info("work for the subscriber", "worker", worker, "previous", found.Worker)
		return s.claimed(worker, asked).work(ctx)
	case isRefusal(err):
		return s.stop(StopRefused, "", err)
	case ctx.Err() != nil: // whether we are the worker is not known
		s.leave(ctx, worker)
		return nil
	default:
		s.log.Debug("cannot claim the subscriber", "error", err)
		return nil
	}
}

// leave gives the subscriber back, so that whoever is next need not wait for our silence.
func (s *shard) leave(ctx context.Context, worker ulid.ULID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	if err := s.source.TakeOver(ctx, s.key, ulid.ULID{}, worker); err != nil && !errors.Is(err, event.ErrFenced) {
		s.log.Warn("cannot give the subscriber back; it is taken over when the worker has been silent for long enough", "worker", worker, "error", err)
	}
}

func (s *shard) stop(reason StopReason, at event.Position, err error) *StopError {
	return &StopError{Reason: reason, Key: s.key, Position: at, Err: err}
}

// takes tells whether an event is the shard's. What was parked is nobody's unless it is asked for: a subscriber to
// everything would find the events that it failed with again, and fail with those.
func (s *shard) takes(e event.Event) bool {
	wanted := s.Events.Category == ParkedCategory || s.Events.Stream.Category() == ParkedCategory
	if e.Stream.Category() == ParkedCategory && !wanted {
		return false
	}
	return s.Shards == 1 || ShardOf(e, s.Shards) == s.number
}

// pause tells whether it ended before ctx did.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
