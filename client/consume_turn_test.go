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

// hanging handles an event only when its context ends, and tells why it did.
func hanging(ended chan error) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error {
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil // it says that it is done, but nobody will listen
	}
}

// TestConsumeTakesTurns: one works, the other stands by, and goes on when the first leaves.
func TestConsumeTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(2)
		s[0].fill(t, "a.1", 1, 3)
		first := consume(t, s[0], of(nil), nil)
		synctest.Wait()
		second := consume(t, s[1], of(nil), nil)
		after(time.Minute)
		s[0].fill(t, "a.1", 4, 3)
		after(time.Minute)
		if a, b := first.handled(), second.handled(); !slices.Equal(a, upTo(1, 6)) || b != nil {
			t.Errorf("handled %v and %v", a, b)
		}
		first.end(client.StopDrained)
		s[0].fill(t, "a.1", 7, 3)
		after(2 * time.Second)
		if got := second.handled(); !slices.Equal(got, upTo(7, 9)) {
			t.Errorf("handled %v in a quarter of the silence after the other left", got)
		}
		second.end(client.StopDrained)
	})
}

// TestConsumeTakesOverFromTheSilent cuts a worker off while it handles an event. Its context ends before another
// worker begins with the same event.
func TestConsumeTakesOverFromTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(2)
		s[0].fill(t, "a.1", 1, 1)
		ended := make(chan error, 1)
		first := consume(t, s[0], of(nil), hanging(ended))
		synctest.Wait()
		second := consume(t, s[1], of(nil), nil)
		after(time.Minute)
		if got := second.handled(); got != nil || len(ended) != 0 {
			t.Errorf("handled %v, while the other was alive", got)
		}
		s[0].cut(true)
		start := time.Now()
		if cause := <-ended; !errors.Is(cause, client.ErrSilent) {
			t.Errorf("the handler's context ended with %v", cause)
		}
		if silent := time.Since(start); silent < 6*time.Second || silent > 11*time.Second {
			t.Errorf("the handler's context ended after %s, want the rest of 11 s since the last sign of life", silent)
		}
		if got := second.handled(); got != nil {
			t.Errorf("handled %v while the other still did", got)
		}
		after(6 * time.Second)
		if got := second.handled(); !slices.Equal(got, []int{1}) || s[0].acked(t, "s") != 1 {
			t.Errorf("handled %v when the other had been silent for long enough", got)
		}
		s[0].cut(false)
		after(time.Minute)
		if got := first.handled(); !slices.Equal(got, []int{1}) {
			t.Errorf("the first worker handled %v when it was back, want no more than before", got)
		}
		second.end(client.StopDrained)
		s[0].fill(t, "a.1", 2, 1)
		after(3 * time.Second)
		if got := first.handled(); !slices.Equal(got, []int{2}) {
			t.Errorf("the first worker handled %v when it was its turn again", got)
		}
		first.stop(errEnough)
		<-ended
		first.wait(client.StopDrained)
	})
}

// TestConsumeSurvivesAShortCut: a worker that is cut off for less than the silence keeps its claim.
func TestConsumeSurvivesAShortCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(2)
		ended := make(chan error, 1)
		s[0].fill(t, "a.1", 1, 1)
		first := consume(t, s[0], of(nil), hanging(ended))
		synctest.Wait()
		second := consume(t, s[1], of(nil), nil)
		for range 5 {
			after(10 * time.Second)
			s[0].cut(true)
			after(6 * time.Second)
			s[0].cut(false)
		}
		after(time.Minute)
		if got := second.handled(); got != nil || len(ended) != 0 {
			t.Errorf("handled %v, and the claim was lost %d times", got, len(ended))
		}
		first.stop(errEnough)
		<-ended
		first.wait(client.StopDrained)
		second.end(client.StopDrained)
	})
}

// TestConsumeLosesItsClaim has somebody else claim the subscriber while an event is handled.
func TestConsumeLosesItsClaim(t *testing.T) {
	for _, stops := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := stages(1)[0]
			s.fill(t, "a.1", 1, 1)
			ended := make(chan error, 1)
			c := consume(t, s, of(func(c *client.ConsumeConfig) { c.StopWhenFenced = stops }), hanging(ended))
			after(time.Second)
			other := ulid.Make()
			if err := s.UpsertSubscriber(t.Context(), "s", other); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if cause := <-ended; !errors.Is(cause, event.ErrFenced) || time.Since(start) > 4*time.Second {
				t.Errorf("the handler's context ended with %v after %s", cause, time.Since(start))
			}
			synctest.Wait()
			if sub := s.subscriber(t, "s"); sub.Worker != other || sub.Cursor != "" {
				t.Errorf("a worker that had lost its claim left %+v", sub)
			}
			if stops {
				if stopped := c.wait(client.StopFenced); !errors.Is(stopped, event.ErrFenced) || stopped.Key != "s" {
					t.Errorf("got %+v", stopped)
				}
				return
			}
			c.handled()
			after(11 * time.Second)
			if got := c.handled(); got != nil {
				t.Errorf("handled %v within the silence of the other", got)
			}
			after(5 * time.Second)
			if got := c.handled(); !slices.Equal(got, []int{1}) {
				t.Errorf("handled %v after the silence of the other", got)
			}
			c.stop(errEnough)
			<-ended
			c.wait(client.StopDrained)
		})
	}
}

// TestConsumeIsReset puts a subscriber back while it is worked for: its worker starts over.
func TestConsumeIsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 5)
		c := consume(t, s, of(nil), nil)
		after(time.Minute)
		c.handled()
		if err := s.ResetSubscriber(t.Context(), "s", ""); err != nil {
			t.Fatal(err)
		}
		after(7 * time.Second)
		if got := c.handled(); !slices.Equal(got, upTo(1, 5)) {
			t.Errorf("handled %v after the reset", got)
		}
		c.end(client.StopDrained)
	})
}

// TestConsumeClaimsThoughNobodySaysSo loses the reply to every claim.
func TestConsumeClaimsThoughNobodySaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		s.fill(t, "a.1", 1, 3)
		lost := 0
		s.breaks(func(op string) (before, after error) {
			if op == "claim" && lost < 3 {
				lost++
				return nil, &event.UnknownError{Err: errCut}
			}
			return nil, nil
		})
		c := consume(t, s, of(nil), nil)
		after(7 * time.Second) // a quarter of the silence at most after each
		if got := c.handled(); !slices.Equal(got, upTo(1, 3)) {
			t.Errorf("handled %v", got)
		}
		c.end(client.StopDrained)
	})
}

// TestConsumeLeavesWhatItMayHaveClaimed: it is told to stop while it claims, and does not hear whether it has.
func TestConsumeLeavesWhatItMayHaveClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		ready, claims := make(chan struct{}), 0
		var c *consuming
		s.breaks(func(op string) (before, after error) {
			if op != "claim" {
				return nil, nil
			}
			if claims++; claims > 1 {
				return nil, nil
			}
			<-ready
			c.stop(errEnough)
			return nil, &event.UnknownError{Err: errCut}
		})
		c = consume(t, s, of(nil), nil)
		close(ready)
		c.wait(client.StopDrained)
		if sub := s.subscriber(t, "s"); sub.Worker != (ulid.ULID{}) || sub.Seen.IsZero() {
			t.Errorf("left the subscriber as %+v", sub)
		}
	})
}

// TestConsumeSharesShards: two processes share four subscribers, each in its order, and one takes all of them when
// the other is gone.
func TestConsumeSharesShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(2)
		cfg := func(most int) client.ConsumeConfig {
			return of(func(c *client.ConsumeConfig) { c.Shards, c.MaxShards = 4, most })
		}
		first := consume(t, s[0], cfg(2), nil)
		after(3 * time.Second)
		second := consume(t, s[1], cfg(4), nil)
		after(10 * time.Second)
		streams := []event.Stream{"a.1", "a.2", "a.3", "a.4", "a.5", "a.6", "a.7", "a.8"}
		for i := range 80 {
			s[0].fill(t, streams[i%8], i+1, 1)
		}
		a, b := first.handled(), second.handled()
		if len(a) == 0 || len(b) == 0 || !slices.Equal(slices.Sorted(slices.Values(append(slices.Clone(a), b...))), upTo(1, 80)) {
			t.Errorf("handled %v and %v", a, b)
		}
		for _, got := range [][]int{a, b} {
			last := make(map[int]int)
			for _, n := range got {
				if n <= last[n%8] {
					t.Errorf("handled %d behind %d of the same stream", n, last[n%8])
				}
				last[n%8] = n
			}
		}
		first.end(client.StopDrained)
		after(3 * time.Second)
		for i := range 80 {
			s[0].fill(t, streams[i%8], 81+i, 1)
		}
		if got := second.handled(); !slices.Equal(slices.Sorted(slices.Values(got)), upTo(81, 160)) {
			t.Errorf("handled %v when the other had left", got)
		}
		if page, err := s[0].Subscribers(t.Context(), "", 0); err != nil || len(page) != 4 || page[0].Key != "s/1-of-4" {
			t.Errorf("the subscribers are %+v, %v", page, err)
		}
		second.end(client.StopDrained)
	})
}

// TestConsumeStopsAllShards: when one cannot go on, the others leave in order.
func TestConsumeStopsAllShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stages(1)[0]
		for i := range 8 {
			s.fill(t, event.StreamOf("a", string(rune('1'+i))), i+1, 1)
		}
		cfg := of(func(c *client.ConsumeConfig) { c.Shards, c.NoParking, c.Tries = 4, true, 1 })
		stopped := consume(t, s, cfg, failing(5, errBad)).wait(client.StopFailed)
		if !errors.Is(stopped, errBad) || stopped.Key == "s" {
			t.Errorf("got %+v", stopped)
		}
		for _, sub := range must(s.Subscribers(t.Context(), "", 0)) {
			if sub.Worker != (ulid.ULID{}) {
				t.Errorf("%s was not given back", sub.Key)
			}
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
