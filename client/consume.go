package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"natsaccord/event"
)

// Source is the event store that Consume works on: a *Client, or, in its own process, a node or a store.
type Source interface {
	event.Executor
	event.Subscriptions
	Append(ctx context.Context, a event.Append) (event.Receipt, error)
}

// Handler handles one event. An error or a panic is a failure: the event is handled again after a pause, and
// parked after ConsumeConfig.Tries. An error that wraps ErrPoison parks it at once.
//
// ctx ends when the result will not count any more: context.Cause tells whether another worker has taken over
// (event.ErrFenced), may have (ErrSilent), or the shutdown has no more time (ErrDrain). It does not end when
// Consume's context does: the event in hand is finished first.
type Handler func(ctx context.Context, e event.Event) error

// ConsumeConfig describes a subscription. Name is required; elsewhere zero means the default.
type ConsumeConfig struct {
	// Name is the subscriber's. Workers of one name share its events. It has to be valid as a stream's id, and
	// has at most 200 bytes.
	Name string

	// Events selects what to handle, by Category, Stream, Types, RoutingKey and Tags. The rest stays zero.
	Events event.ReadArgs

	// After is where a subscriber begins that has acknowledged nothing; default: before every event.
	After event.Position

	Shards    int // over how many subscribers the events are spread, by ShardOf; at most 1,024; default 1
	MaxShards int // how many of them to work for at a time; default all

	Silence     time.Duration // a worker not heard of for so long is taken over from; at least 10 ms, the same for all workers; default 15 s
	AckInterval time.Duration // how long what was handled may stay unacknowledged; default 1 s
	AckBatch    int           // how many events may; default 100

	Tries      int           // of one event before it is parked; default 5
	MinBackoff time.Duration // before the second try; it doubles from there; default 100 ms
	MaxBackoff time.Duration // default 10 s
	Timeout    time.Duration // of one call of the handler; default none
	NoParking  bool          // stop with StopFailed instead of parking

	Drain          time.Duration // how long a shutdown waits for the events in hand; default 10 s
	StopWhenFenced bool          // stop when another worker takes over, instead of waiting for one's turn
	Logger         *slog.Logger  // default none
}

// Bounds and defaults that nobody has had a reason to change.
const (
	maxShards    = 1024
	maxConsumer  = 200                    // bytes of a name: a shard's key has to fit a subscriber's
	readWait     = 10 * time.Second       // of one request for events
	standbyPause = 2 * time.Second        // at most, between two looks at whose turn it is
	idlePause    = 100 * time.Millisecond // between requests to a store that does not wait
	lagInterval  = time.Second            // between two looks at how much is left
	lastWords    = 2 * time.Second        // of a worker that is leaving
)

func (c ConsumeConfig) withDefaults() ConsumeConfig {
	setDefault(&c.Shards, 1)
	setDefault(&c.MaxShards, c.Shards)
	setDefault(&c.Silence, 15*time.Second)
	setDefault(&c.AckInterval, time.Second)
	setDefault(&c.AckBatch, 100)
	setDefault(&c.Tries, 5)
	setDefault(&c.MinBackoff, 100*time.Millisecond)
	setDefault(&c.MaxBackoff, max(10*time.Second, c.MinBackoff))
	setDefault(&c.Drain, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Events.Consistency = event.Frontier
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c ConsumeConfig) validate() error {
	if err := event.StreamOf(ParkedCategory, c.Name).Validate(); err != nil || len(c.Name) > maxConsumer {
		return fmt.Errorf("client: ConsumeConfig.Name is %.64q, want 1 to %d bytes that are valid as a stream's id", c.Name, maxConsumer)
	}
	if _, err := event.ParsePosition(string(c.After)); err != nil {
		return fmt.Errorf("client: ConsumeConfig.After: %w", err)
	}
	switch e := c.Events; {
	case c.Shards < 1 || c.Shards > maxShards || c.MaxShards < 1:
		return fmt.Errorf("client: ConsumeConfig.Shards and MaxShards are %d and %d, want 1 to %d and at least 1", c.Shards, c.MaxShards, maxShards)
	case c.Silence < 10*time.Millisecond || c.AckInterval < 0 || c.Timeout < 0 || c.Drain < 0:
		return fmt.Errorf("client: ConsumeConfig.Silence, AckInterval, Timeout and Drain are %s, %s, %s and %s, want at least 10ms and none below 0", c.Silence, c.AckInterval, c.Timeout, c.Drain)
	case c.AckBatch < 1 || c.Tries < 1:
		return fmt.Errorf("client: ConsumeConfig.AckBatch and Tries are %d and %d, want at least 1", c.AckBatch, c.Tries)
	case c.MinBackoff < 0 || c.MaxBackoff < c.MinBackoff:
		return fmt.Errorf("client: ConsumeConfig.MinBackoff and MaxBackoff are %s and %s, want the first from 0 up to the second", c.MinBackoff, c.MaxBackoff)
	case e.After != "" || e.Before != "" || e.FromVersion != 0 || e.Backward || e.MinPosition != "" || e.Wait != 0:
		return errors.New("client: ConsumeConfig.Events says more than which events; where to begin is ConsumeConfig.After")
	}
	return nil
}

// Consume runs handle for every event of a subscription, at least once each, those of one routing key (or of one
// stream, without a key) in the order of the log. It returns when ctx ends, or when it cannot go on: always a
// *StopError, unless the configuration is wrong.
//
// Any number of processes may call it with the same Name and Shards. Each shard has one worker at a time; the others
// stand by, and one of them takes over when the worker leaves or has not been heard of for Silence.
// docs/subscribers.md has the rest.
func Consume(ctx context.Context, source Source, cfg ConsumeConfig, handle Handler) error {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	c := &consumer{ConsumeConfig: cfg, source: source, handle: handle, slots: make(chan struct{}, cfg.MaxShards)}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	for i := range cfg.Shards {
		running.Go(func() {
			if stopped := c.shard(i + 1).run(ctx); stopped != nil {
				stop(stopped)
			}
		})
	}
	running.Wait()
	if stopped, ok := errors.AsType[*StopError](context.Cause(ctx)); ok {
		return stopped
	}
	return &StopError{Reason: StopDrained, Key: cfg.Name, Err: context.Cause(ctx)}
}

// Consume is Consume on this client.
func (c *Client) Consume(ctx context.Context, cfg ConsumeConfig, handle Handler) error {
	return Consume(ctx, c, cfg, handle)
}

// consumer is one call of Consume.
type consumer struct {
	ConsumeConfig
	source Source
	handle Handler
	slots  chan struct{} // holds a token for each shard that is worked for, or about to be
}
