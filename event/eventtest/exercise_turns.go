package eventtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// subscriptions is the same store as what workers need of it.
func (s suite) subscriptions(t *testing.T) event.Subscriptions {
	t.Helper()
	x, ok := s.Executor.(event.Subscriptions)
	if !ok {
		t.Fatalf("%T is no event.Subscriptions", s.Executor)
	}
	return x
}

// state checks where a subscriber is, but for when its worker was seen, which it returns.
func (s suite) state(t *testing.T, want event.Subscriber) event.Subscriber {
	t.Helper()
	got, err := s.subscriptions(t).Subscriber(t.Context(), want.Key)
	if err != nil {
		t.Fatalf("subscriber %s: %v", want.Key, err)
	}
	want.Seen = got.Seen
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	return got
}

func exerciseTurns(t *testing.T, s suite) {
	x, key := s.subscriptions(t), s.category+"/1-of-3"
	a, b, nobody := ulid.Make(), ulid.Make(), ulid.ULID{}
	place := s.position(t, 1)
	if got := s.state(t, event.Subscriber{Key: key}); !got.Seen.IsZero() {
		t.Errorf("a worker that never was was seen at %s", got.Seen)
	}
	for i, step := range []struct {
		worker, previous ulid.ULID
		refused          bool
		now              ulid.ULID
	}{
		{a, b, true, nobody},
		{a, nobody, false, a},
		{a, nobody, false, a}, // repeated
		{b, nobody, true, a},
		{nobody, b, true, a},
		{b, a, false, b},
		{a, a, true, b},
		{b, b, false, b}, // a heartbeat
		{nobody, b, false, nobody},
		{nobody, b, false, nobody},
		{a, nobody, false, a},
	} {
		err := x.TakeOver(t.Context(), key, step.worker, step.previous)
		if refused := errors.Is(err, event.ErrFenced); refused != step.refused || !refused && err != nil {
			t.Errorf("turn %d: got %v, want it refused to be %v", i, err, step.refused)
		}
		s.state(t, event.Subscriber{Key: key, Worker: step.now})
	}
	for _, worker := range []ulid.ULID{b, nobody} {
		if err := s.Acknowledge(t.Context(), key, worker, place, 0); !errors.Is(err, event.ErrFenced) {
			t.Errorf("%s acknowledges out of turn: got %v", worker, err)
		}
	}
	before := s.state(t, event.Subscriber{Key: key, Worker: a})
	if err := s.Acknowledge(t.Context(), key, a, place, 5); err != nil {
		t.Fatal(err)
	}
	after := s.state(t, event.Subscriber{Key: key, Worker: a, Cursor: place, Lag: 5})
	if !after.Seen.After(before.Seen) {
		t.Errorf("seen at %s, and after an acknowledgement at %s", before.Seen, after.Seen)
	}
	if err := x.TakeOver(t.Context(), key, nobody, a); err != nil {
		t.Fatal(err)
	}
	if s.running(t, key, nobody) || s.running(t, key, a) {
		t.Error("a subscriber without a worker is running")
	}
}

// exerciseRivals: of those who take over from the same worker one does, and the others are told.
func exerciseRivals(t *testing.T, s suite) {
	x, key := s.subscriptions(t), s.category
	var won atomic.Int32
	together(func(w int) {
		switch err := x.TakeOver(t.Context(), key, ulid.Make(), ulid.ULID{}); {
		case err == nil:
			won.Add(1)
		case !errors.Is(err, event.ErrFenced):
			t.Errorf("worker %d: %v", w, err)
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d workers took over, want one", won.Load())
	}
}

func exerciseReset(t *testing.T, s suite) {
	x, key, worker := s.subscriptions(t), s.category, ulid.Make()
	first, second := s.position(t, 1), s.position(t, 1)
	s.claim(t, key, worker)
	if err := s.Acknowledge(t.Context(), key, worker, second, 3); err != nil {
		t.Fatal(err)
	}
	for _, to := range []event.Position{first, second, ""} {
		if err := x.ResetSubscriber(t.Context(), key, to); err != nil {
			t.Fatalf("reset to %q: %v", to, err)
		}
		s.state(t, event.Subscriber{Key: key, Cursor: to})
		if err := s.Acknowledge(t.Context(), key, worker, second, 0); !errors.Is(err, event.ErrFenced) {
			t.Errorf("the old worker acknowledges: got %v", err)
		}
	}
	for name, err := range map[string]error{
		"take over nothing":    x.TakeOver(t.Context(), "", worker, worker),
		"claim for nobody":     s.UpsertSubscriber(t.Context(), key, ulid.ULID{}),
		"reset nothing":        x.ResetSubscriber(t.Context(), "", first),
		"reset to a bad place": x.ResetSubscriber(t.Context(), key, "x"),
	} {
		if _, ok := errors.AsType[*event.InvalidError](err); !ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func exerciseList(t *testing.T, s suite) {
	x, worker := s.subscriptions(t), ulid.Make()
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprintf("%s/%d", s.category, i))
		s.claim(t, want[i], worker)
	}
	var place event.Position
	for _, limit := range []int{0, 1, 2, 5, 100} {
		var keys []string
		for after := s.category; ; after = keys[len(keys)-1] {
			found, err := x.Subscribers(t.Context(), after, limit)
			if err != nil {
				t.Fatal(err)
			}
			ours := 0
			for _, sub := range found {
				if strings.HasPrefix(sub.Key, s.category+"/") && sub.Worker == worker && sub.Cursor == place && !sub.Seen.IsZero() {
					keys = append(keys, sub.Key)
					ours++
				}
			}
			if ours == 0 || ours < len(found) {
				break
			}
		}
		if !slices.Equal(keys, want) {
			t.Errorf("in pages of %d: got %q, want %q", limit, keys, want)
		}
	}
}

func exerciseCount(t *testing.T, s suite) {
	place := s.position(t, 3)
	s.write(t, note(s.stream("a"), "1"), note(s.stream("a"), "2"), event.Event{Stream: s.stream("b"), Type: "Other", Data: []byte("1"), RoutingKey: "k"})
	for _, c := range []struct {
		args event.ReadArgs
		want uint64
	}{
		{event.ReadArgs{Category: s.category}, 6},
		{event.ReadArgs{Category: s.category, After: place}, 3},
		{event.ReadArgs{Category: s.category, After: place, Limit: 1}, 3},
		{event.ReadArgs{Category: s.category, Before: place}, 2},
		{event.ReadArgs{Stream: s.stream("a")}, 2},
		{event.ReadArgs{Category: s.category, Types: []string{"Other"}}, 1},
		{event.ReadArgs{Category: s.category, RoutingKey: "k"}, 1},
		{event.ReadArgs{Category: s.category + "x"}, 0},
	} {
		if got := s.count(t, c.args, c.want); got != c.want {
			t.Errorf("%+v: got %d, want %d", c.args, got, c.want)
		}
	}
}

// count counts until there are at least n: what is counted is what is complete for ever, which may be a little
// behind.
func (s suite) count(t *testing.T, args event.ReadArgs, n uint64) uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		got, err := s.subscriptions(t).Count(ctx, args)
		if err != nil {
			t.Fatalf("count %+v: %v", args, err)
		}
		if got >= n || ctx.Err() != nil {
			return got
		}
	}
}
