package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"natsaccord/event"
)

// ParkedCategory is where events are parked that a handler fails with: on the stream accord/parked.<name> of the
// subscription's name.
const ParkedCategory = "accord/parked"

// ParkedType is the type of the events there. Their data is a Parked.
const ParkedType = "Parked"

// Parked tells of an event that was parked: where it stands, and what was wrong.
type Parked struct {
	Subscriber string         `json:"subscriber"` // the shard's key
	Position   event.Position `json:"position"`
	Stream     event.Stream   `json:"stream"`
	Version    uint64         `json:"version"`
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Error      string         `json:"error"` // the last one
	Tries      int            `json:"tries"`
}

// maxReason bounds the text of an error that is stored, in bytes.
const maxReason = 4 << 10

// deliver has an event handled, or parks it, and returns nil if one of the two was done.
func (s *session) deliver(run, claim context.Context, e event.Event) error {
	for try := 1; ; try++ {
		err := s.call(claim, e)
		if err == nil {
			return nil
		}
		if claim.Err() != nil {
			return context.Cause(claim)
		}
		s.log.Warn("cannot handle an event", "position", e.Position, "type", e.Type, "try", try, "error", err)
		s.hasten() // what was handled before it is not to be handled again because of it
		if try >= s.Tries || errors.Is(err, ErrPoison) {
			return s.park(run, claim, e, err, try)
		}
		if !pause(run, s.backoff(try)) {
			return context.Cause(run)
		}
	}
}

// call runs the handler, and makes an error of its panic.
func (s *session) call(ctx context.Context, e event.Event) (err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = &PanicError{broken, debug.Stack()}
		}
	}()
	if s.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.Timeout)
		defer cancel()
	}
	return s.handle(ctx, e)
}

// backoff is how long to wait before another try: longer each time, and never the same for two that began together.
func (c *consumer) backoff(try int) time.Duration {
	d := c.MaxBackoff
	if shift := try - 1; shift < 30 && c.MinBackoff<<shift < d {
		d = c.MinBackoff << shift
	}
	return d/2 + rand.N(d/2+1)
}

// park puts an event aside with what was wrong, so that those behind it can be handled. What was parked is not
// parked again: a subscriber to parked events that fails with one stops.
func (s *session) park(run, claim context.Context, e event.Event, failure error, tries int) error {
	if s.NoParking || e.Stream.Category() == ParkedCategory {
		return s.stop(StopFailed, e.Position, failure)
	}
	a, err := s.parking(e, failure, tries)
	if err != nil {
		return s.stop(StopFailed, e.Position, err)
	}
	err = s.persist(run, "park", func() error {
		_, err := s.source.Append(claim, a)
		if _, before := errors.AsType[*event.ReusedError](err); before {
			return nil // it was parked before, with another error
		}
		return err
	})
	if err == nil {
		s.log.Error("parked an event", "position", e.Position, "type", e.Type, "tries", tries, "error", failure)
	}
	return err
}

// parking is the append that parks an event. Its request id is the event's: however often it fails and whoever fails
// with it, it is parked once.
func (s *session) parking(e event.Event, failure error, tries int) (event.Append, error) {
	data, err := json.Marshal(Parked{
		Subscriber: s.key, Position: e.Position, Stream: e.Stream, Version: e.Version, ID: e.ID.String(), Type: e.Type,
		Error: reason(failure), Tries: tries,
	})
	id := sha256.Sum256([]byte(s.Name + "\x00" + string(e.Position)))
	return event.Append{
		RequestID: "parked-" + hex.EncodeToString(id[:16]),
		Events:    []event.Event{{Stream: event.StreamOf(ParkedCategory, s.Name), Type: ParkedType, RoutingKey: e.RoutingKey, Data: data}},
	}, err
}

// reason is the text of an error as far as it is worth keeping.
func reason(err error) string {
	text := err.Error()
	if len(text) > maxReason {
		text = text[:maxReason]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}
