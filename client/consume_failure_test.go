package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"natsaccord/client"
	"natsaccord/event"
)

var errBad = errors.New("bad event")

// failing fails with the event of a number, and handles all others.
func failing(bad int, err error) func(context.Context, int) error {
	return func(_ context.Context, n int) error {
		if n == bad {
			return err
		}
		return nil
	}
}

// parked returns what is parked for a subscription.
func (s *stage) parked(t *testing.T, name string) (all []client.Parked) {
	t.Helper()
	page, err := s.Memory.Read(t.Context(), event.ReadArgs{Stream: event.StreamOf(client.ParkedCategory, name)})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Events {
		var p client.Parked
		if err := json.Unmarshal(e.Data, &p); err != nil || e.Type != client.ParkedType {
			t.Errorf("parked %+v: %v", e, err)
		}
		all = append(all, p)
	}
	return all
}

// TestConsumeTriesAgain has a handler fail twice with an event: what went before is acknowledged at once, what comes
// behind waits.
func TestConsumeTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 5)
		tries := 0
		c := consume(t, s, of(nil), func(_ context.Context, n int) error {
			if n == 3 {
				if tries++; tries < 3 {
					return errBad
				}
			}
			return nil
		})
		if got := c.handled(); !slices.Equal(got, []int{1, 2, 3}) || s.acked(t, "s") != 2 {
			t.Errorf("handled %v, and acknowledged up to %d", got, s.acked(t, "s"))
		}
		after(490 * time.Millisecond)
		if got := c.handled(); got != nil {
			t.Errorf("handled %v within half the back-off", got)
		}
		after(520 * time.Millisecond)
		if got := c.handled(); !slices.Equal(got, []int{3}) {
			t.Errorf("handled %v after the back-off", got)
		}
		after(2 * time.Second)
		if got := c.handled(); !slices.Equal(got, []int{3, 4, 5}) || s.parked(t, "s") != nil {
			t.Errorf("handled %v after twice the back-off, and parked %+v", got, s.parked(t, "s"))
		}
		c.end(client.StopDrained)
	})
}

// TestConsumeParks has a handler always fail with an event, in all the ways there are.
func TestConsumeParks(t *testing.T) {
	for name, c := range map[string]struct {
		fail  func() error
		tries int
		want  string
	}{
		"error":  {func() error { return errBad }, 3, "bad event"},
		"poison": {func() error { return errors.Join(errBad, client.ErrPoison) }, 1, "bad event\n" + client.ErrPoison.Error()},
		"panic":  {func() error { panic("at the handler") }, 3, "client: the handler panicked: at the handler"},
		"binary": {func() error { return errors.New("\xff\x00" + strings.Repeat("ü", 3000)) }, 3, strings.Repeat("ü", 2047)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stages(1)[0]
				s.fill(t, "a.1", 1, 3)
				handle := func(_ context.Context, n int) error {
					if n == 2 {
						return c.fail()
					}
					return nil
				}
				cfg := of(func(c *client.ConsumeConfig) { c.Tries = 3 })
				consuming := consume(t, s, cfg, handle)
				after(time.Minute)
				want := append(append([]int{1}, slices.Repeat([]int{2}, c.tries)...), 3)
				if got := consuming.handled(); !slices.Equal(got, want) {
					t.Errorf("handled %v, want %v", got, want)
				}
				consuming.end(client.StopDrained)
				bad, err := s.Memory.Read(t.Context(), event.ReadArgs{Stream: "a.1", FromVersion: 2, Limit: 1})
				if err != nil {
					t.Fatal(err)
				}
				e := bad.Events[0]
				tells := client.Parked{
					Subscriber: "s", Position: e.Position, Stream: "a.1", Version: 2, ID: e.ID.String(), Type: "Noted", Error: c.want, Tries: c.tries,
				}
				if got := s.parked(t, "s"); !slices.Equal(got, []client.Parked{tells}) {
					t.Errorf("parked %+v, want %+v", got, tells)
				}
			})
		})
	}
}

// TestConsumeParksOnce puts a subscriber back before an event that was parked: it is tried again, and if it fails
// again, with another error, nothing is parked a second time.
func TestConsumeParksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 2)
		cfg := of(func(c *client.ConsumeConfig) { c.Tries = 1 })
		for _, err := range []error{errBad, errors.New("worse"), errBad} {
			c := consume(t, s, cfg, failing(1, err))
			if got := c.handled(); !slices.Equal(got, []int{1, 2}) {
				t.Errorf("handled %v", got)
			}
			c.end(client.StopDrained)
			if err := s.ResetSubscriber(t.Context(), "s", ""); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.parked(t, "s"); len(got) != 1 || got[0].Error != "bad event" {
			t.Errorf("parked %+v", got)
		}
	})
}

// TestConsumeParksThroughFaults: an event is passed over only once it is parked.
func TestConsumeParksThroughFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 2)
		tries := 0
		s.breaks(func(op string) (before, after error) {
			if op != "append" || tries == 4 {
				return nil, nil
			}
			if tries++; tries == 4 {
				return nil, errCut
			}
			return errCut, nil
		})
		c := consume(t, s, of(func(c *client.ConsumeConfig) { c.Tries = 1 }), failing(1, errBad))
		after(3 * time.Second)
		if got := c.handled(); !slices.Equal(got, []int{1}) || s.acked(t, "s") != 0 {
			t.Errorf("handled %v and acknowledged up to %d before it could park", got, s.acked(t, "s"))
		}
		after(time.Minute)
		if got := c.handled(); !slices.Equal(got, []int{2}) || len(s.parked(t, "s")) != 1 {
			t.Errorf("handled %v and parked %+v", got, s.parked(t, "s"))
		}
		c.end(client.StopDrained)
	})
}

// TestConsumeLeavesParkedAlone: a subscriber to everything does not get what it parked, and one to what is parked
// does not park it again.
func TestConsumeLeavesParkedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 2)
		bad := func(context.Context, int) error { return errBad }
		all := consume(t, s, client.ConsumeConfig{Name: "all", Tries: 1}, bad)
		if got := all.handled(); !slices.Equal(got, []int{1, 2}) || len(s.parked(t, "all")) != 2 {
			t.Errorf("handled %v and parked %+v", got, s.parked(t, "all"))
		}
		after(time.Minute)
		if got := all.handled(); got != nil {
			t.Errorf("handled %v, which it has parked", got)
		}
		all.end(client.StopDrained)
		for name, events := range map[string]event.ReadArgs{
			"category": {Category: client.ParkedCategory}, "stream": {Stream: event.StreamOf(client.ParkedCategory, "all")},
		} {
			c := consume(t, s, client.ConsumeConfig{Name: name, Events: events, Tries: 1}, bad)
			stopped := c.wait(client.StopFailed)
			if !errors.Is(stopped, errBad) || stopped.Position == "" || len(c.handled()) != 1 {
				t.Errorf("%s: got %v", name, stopped)
			}
		}
	})
}

func TestConsumeWithoutParking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 5)
		cfg := of(func(c *client.ConsumeConfig) { c.Tries, c.NoParking, c.Shards = 2, true, 1 })
		c := consume(t, s, cfg, failing(4, errBad))
		stopped := c.wait(client.StopFailed)
		page, err := s.Memory.Read(t.Context(), event.ReadArgs{Stream: "a.1", FromVersion: 4, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(stopped, errBad) || stopped.Position != page.Events[0].Position || stopped.Key != "s" {
			t.Errorf("got %+v", stopped)
		}
		if n := s.acked(t, "s"); n != 3 || s.parked(t, "s") != nil {
			t.Errorf("acknowledged up to %d, and parked %+v", n, s.parked(t, "s"))
		}
		if got := c.handled(); !slices.Equal(got, []int{1, 2, 3, 4, 4}) {
			t.Errorf("handled %v", got)
		}
	})
}

// TestConsumeStopsDuringABackoff: a shutdown does not wait for the next try.
func TestConsumeStopsDuringABackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 5)
		c := consume(t, s, of(func(c *client.ConsumeConfig) { c.MinBackoff, c.MaxBackoff = time.Hour, time.Hour }), failing(4, errBad))
		after(time.Minute)
		start := time.Now()
		c.end(client.StopDrained)
		if took := time.Since(start); took != 0 {
			t.Errorf("took %s to stop", took)
		}
		if n := s.acked(t, "s"); n != 3 {
			t.Errorf("acknowledged up to %d, want 3", n)
		}
	})
}

// TestConsumeFinishesTheEventInHand: a shutdown does not end the handler's context until it has waited enough.
func TestConsumeFinishesTheEventInHand(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		acked int
		after time.Duration
		cause error
	}{
		"in time":  {9 * time.Second, 1, 9 * time.Second, nil},
		"too late": {time.Hour, 0, 10 * time.Second, client.ErrDrain},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stages(1)[0]
				s.fill(t, "a.1", 1, 5)
				var cause error
				consuming := consume(t, s, of(nil), func(ctx context.Context, _ int) error {
					select {
					case <-time.After(c.takes):
						return nil
					case <-ctx.Done():
						cause = context.Cause(ctx)
						return cause
					}
				})
				synctest.Wait()
				start := time.Now()
				consuming.end(client.StopDrained)
				if took := time.Since(start); took != c.after || !errors.Is(cause, c.cause) {
					t.Errorf("took %s, want %s; the handler's context ended with %v, want %v", took, c.after, cause, c.cause)
				}
				if n := s.acked(t, "s"); n != c.acked || len(consuming.handled()) != 1 || s.parked(t, "s") != nil {
					t.Errorf("acknowledged up to %d, want %d, and parked %+v", n, c.acked, s.parked(t, "s"))
				}
			})
		})
	}
}

// TestConsumeTimesHandlersOut: one that hangs fails, and its event is parked.
func TestConsumeTimesHandlersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 2)
		c := consume(t, s, of(func(c *client.ConsumeConfig) { c.Timeout, c.Tries = time.Second, 2 }), func(ctx context.Context, n int) error {
			if n == 2 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		after(10 * time.Second)
		if got := c.handled(); !slices.Equal(got, []int{1, 1, 2}) || len(s.parked(t, "s")) != 1 {
			t.Errorf("handled %v and parked %+v", got, s.parked(t, "s"))
		}
		c.end(client.StopDrained)
	})
}
