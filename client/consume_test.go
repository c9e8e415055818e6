package client_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/client"
	"natsaccord/event"
)

// of is the configuration of these tests.
func of(change func(*client.ConsumeConfig)) client.ConsumeConfig {
	cfg := client.ConsumeConfig{Name: "s", Events: event.ReadArgs{Category: "a"}, Silence: 12 * time.Second, MinBackoff: time.Second, MaxBackoff: time.Minute}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

func TestConsume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 250)
		s.fill(t, "b.1", 1000, 1)
		c := consume(t, s, of(nil), nil)
		if got := c.handled(); !slices.Equal(got, upTo(1, 250)) {
			t.Errorf("handled %v", got)
		}
		s.fill(t, "a.2", 251, 1)
		if got := c.handled(); !slices.Equal(got, []int{251}) {
			t.Errorf("handled %v, want what has just been written", got)
		}
		if sub := s.subscriber(t, "s"); sub.Worker == (ulid.ULID{}) {
			t.Error("nobody works for the subscriber")
		}
		c.end(client.StopDrained)
		if sub := s.subscriber(t, "s"); sub.Worker != (ulid.ULID{}) || s.acked(t, "s") != 251 || sub.Lag != 0 {
			t.Errorf("left the subscriber as %+v", sub)
		}
		s.fill(t, "a.1", 252, 3)
		c = consume(t, s, of(nil), nil)
		if got := c.handled(); !slices.Equal(got, upTo(252, 254)) {
			t.Errorf("handled %v after a restart", got)
		}
		c.end(client.StopDrained)
	})
}

func TestConsumeFromAPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 3)
		head, err := s.Head(t.Context(), "a.1")
		if err != nil {
			t.Fatal(err)
		}
		s.fill(t, "a.1", 4, 2)
		cfg := of(func(c *client.ConsumeConfig) { c.After = head.Position })
		c := consume(t, s, cfg, nil)
		if got := c.handled(); !slices.Equal(got, upTo(4, 5)) {
			t.Errorf("handled %v", got)
		}
		c.end(client.StopDrained)
		c = consume(t, s, cfg, nil)
		if got := c.handled(); got != nil {
			t.Errorf("handled %v again", got)
		}
		c.end(client.StopDrained)
	})
}

// TestConsumeAcknowledges looks at how often, and at what is said to be left.
func TestConsumeAcknowledges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 90)
		c := consume(t, s, of(func(c *client.ConsumeConfig) { c.AckBatch = 20 }), func(context.Context, int) error {
			<-time.After(70 * time.Millisecond)
			return nil
		})
		after(950 * time.Millisecond)
		if n := s.acked(t, "s"); n != 0 {
			t.Errorf("acknowledged up to %d within the interval", n)
		}
		after(200 * time.Millisecond) // the first was handled more than a second ago
		if n, sub := s.acked(t, "s"), s.subscriber(t, "s"); n != 15 || sub.Lag != 75 {
			t.Errorf("acknowledged up to %d, with %d left, want 15 and 75", n, sub.Lag)
		}
		after(10 * time.Second)
		if n, sub := s.acked(t, "s"), s.subscriber(t, "s"); n != 90 || sub.Lag != 0 {
			t.Errorf("acknowledged up to %d, with %d left, want 90 and 0", n, sub.Lag)
		}
		if acks := s.count("ack"); acks < 5 || acks > 7 {
			t.Errorf("acknowledged %d times in 6 seconds", acks)
		}
		if counts := s.count("count"); counts < 4 || counts > 7 {
			t.Errorf("looked %d times at what is left in 6 seconds", counts)
		}
		for i := 1; i < len(s.lags); i++ {
			if s.lags[i] >= s.lags[i-1] {
				t.Errorf("what is left does not shrink: %v", s.lags)
			}
		}
		c.end(client.StopDrained)
	})
}

func TestConsumeAcknowledgesInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 1000)
		c := consume(t, s, of(func(c *client.ConsumeConfig) { c.AckBatch = 10 }), func(context.Context, int) error {
			<-time.After(time.Millisecond)
			return nil
		})
		after(500 * time.Millisecond)
		if n, at := s.acked(t, "s"), len(c.handled()); at-n > 20 {
			t.Errorf("handled %d, acknowledged up to %d, with batches of 10", at, n)
		}
		after(2 * time.Second)
		if counts := s.count("count"); counts > 2 {
			t.Errorf("looked %d times at what is left in a second", counts)
		}
		c.end(client.StopDrained)
	})
}

// TestConsumeIdles: a worker without work shows that it is alive, and does nothing else.
func TestConsumeIdles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		c := consume(t, s, of(nil), nil)
		after(time.Second)
		for _, op := range []string{"claim", "ack", "read", "get"} {
			s.count(op)
		}
		s.fill(t, "b.1", 1, 500) // none of our business
		after(time.Minute)
		if claims, acks := s.count("claim"), s.count("ack"); claims+acks < 14 || claims+acks > 16 {
			t.Errorf("%d claims and %d acknowledgements in a minute, want a sign of life every 4 seconds", claims, acks)
		}
		if reads, gets := s.count("read"), s.count("get"); reads > 7 || gets != 0 {
			t.Errorf("read %d times in a minute, and asked %d times who the worker is", reads, gets)
		}
		c.end(client.StopDrained)
	})
}

// TestConsumeSurvivesFaults has every kind of call fail every other time, before and after it is done.
func TestConsumeSurvivesFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 500)
		calls := make(map[string]int)
		s.breaks(func(op string) (before, after error) {
			switch calls[op]++; calls[op] % 4 {
			case 1:
				return errCut, nil
			case 3:
				return nil, errCut
			}
			return nil, nil
		})
		c := consume(t, s, of(nil), func(context.Context, int) error {
			<-time.After(50 * time.Millisecond)
			return nil
		})
		after(2 * time.Minute)
		if got := c.handled(); !slices.Equal(got, upTo(1, 500)) {
			t.Errorf("handled %v", got)
		}
		c.end(client.StopDrained)
	})
}

// TestConsumeWaitsForStoresThatDoNot: asking over and over is not waiting.
func TestConsumeWaitsForStoresThatDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := impatient{stages(1)[0]}
		c := consume(t, s, of(nil), nil)
		after(10 * time.Second)
		if reads := s.count("read"); reads > 101 {
			t.Errorf("read %d times in 10 seconds", reads)
		}
		s.fill(t, "a.1", 1, 1)
		after(200 * time.Millisecond)
		if got := c.handled(); !slices.Equal(got, []int{1}) {
			t.Errorf("handled %v", got)
		}
		c.end(client.StopDrained)
	})
}

// impatient never waits for events.
type impatient struct{ *stage }

func (s impatient) Read(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	args.Wait = 0
	return s.stage.Read(ctx, args)
}

func TestConsumeRefuses(t *testing.T) {
	s := stages(1)[0]
	for name, change := range map[string]func(*client.ConsumeConfig){
		"no name":             func(c *client.ConsumeConfig) { c.Name = "" },
		"a name with spaces":  func(c *client.ConsumeConfig) { c.Name = "a b" },
		"a long name":         func(c *client.ConsumeConfig) { c.Name = string(make([]byte, 201)) },
		"a bad position":      func(c *client.ConsumeConfig) { c.After = "x" },
		"events after":        func(c *client.ConsumeConfig) { c.Events.After = "x" },
		"events backward":     func(c *client.ConsumeConfig) { c.Events.Backward = true },
		"too many shards":     func(c *client.ConsumeConfig) { c.Shards = 1025 },
		"shards below 1":      func(c *client.ConsumeConfig) { c.Shards = -1 },
		"hardly any silence":  func(c *client.ConsumeConfig) { c.Silence = time.Millisecond },
		"a negative interval": func(c *client.ConsumeConfig) { c.AckInterval = -1 },
		"a negative batch":    func(c *client.ConsumeConfig) { c.AckBatch = -1 },
		"negative tries":      func(c *client.ConsumeConfig) { c.Tries = -1 },
		"a bad back-off":      func(c *client.ConsumeConfig) { c.MaxBackoff = time.Millisecond },
	} {
		err := client.Consume(t.Context(), s, of(change), nil)
		if _, stopped := errors.AsType[*client.StopError](err); err == nil || stopped {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if len(s.calls) != 0 {
		t.Errorf("asked the store %v all the same", s.calls)
	}
}

// TestConsumeStopsWhenRefused: what would be refused again is not tried again.
func TestConsumeStopsWhenRefused(t *testing.T) {
	for _, op := range []string{"get", "claim", "read"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stages(1)[0]
				s.breaks(func(called string) (before, after error) {
					if called == op {
						return &event.InvalidError{Field: "x", Reason: "is bad"}, nil
					}
					return nil, nil
				})
				stopped := consume(t, s, of(nil), nil).wait(client.StopRefused)
				if _, ok := errors.AsType[*event.InvalidError](stopped); !ok || stopped.Key != "s" {
					t.Errorf("got %+v", stopped)
				}
			})
		})
	}
}
