package event_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

func tagged(typ string, tags ...string) event.Event {
	return event.Event{Stream: "a.1", Type: typ, Data: []byte("1"), Tags: tags}
}

func absent(after event.Position, items ...event.Match) *event.Absence {
	return &event.Absence{Items: items, After: after}
}

func TestWatchSeesTheFirstThatMatches(t *testing.T) {
	for name, c := range map[string]struct {
		match event.Match
		after event.Position
		want  int // -1: none
	}{
		"any type":          {match: event.Match{Tags: []string{"x"}}, want: 0},
		"one type":          {match: event.Match{Types: []string{"B"}, Tags: []string{"x"}}, want: 1},
		"one of two types":  {match: event.Match{Types: []string{"B", "C"}, Tags: []string{"x"}}, want: 1},
		"all tags":          {match: event.Match{Tags: []string{"x", "y"}}, want: 2},
		"no such type":      {match: event.Match{Types: []string{"D"}, Tags: []string{"x"}}, want: -1},
		"no such tag":       {match: event.Match{Tags: []string{"z"}}, want: -1},
		"after the first":   {match: event.Match{Tags: []string{"x"}}, after: "0", want: 1},
		"after the last":    {match: event.Match{Tags: []string{"x"}}, after: "9", want: -1},
		"at the last of it": {match: event.Match{Tags: []string{"y"}}, after: "2", want: -1},
	} {
		log := []event.Event{tagged("A", "x"), tagged("B", "x"), tagged("C", "x", "y")}
		w := event.Watch{Match: c.match, After: c.after}
		for i := range log {
			log[i].Position = event.Position(fmt.Sprint(i))
			w.See(&log[i])
		}
		if got := w.Found; (got == nil) != (c.want < 0) || got != nil && got.Position != log[c.want].Position {
			t.Errorf("%s: got %+v, want event %d", name, got, c.want)
		}
	}
}

// TestEvaluateAbsence: what an earlier command of a batch has written counts, and what forbids an append is told.
func TestEvaluateAbsence(t *testing.T) {
	s := newState()
	register := func(id string, after event.Position) event.Outcome {
		c, err := event.NewAppend(event.Append{
			RequestID: id, Events: []event.Event{tagged("Registered", "email:a@b.c")},
			Absent: absent(after, event.Match{Tags: []string{"other"}}, event.Match{Types: []string{"Registered"}, Tags: []string{"email:a@b.c"}}),
		}, event.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range c.Append.Absent.Watches() {
			if s.Watches[w.Key()] == nil {
				s.Watches[w.Key()] = &w
			}
		}
		return s.Evaluate(c, event.Moment{TxnID: id, ExecuteAt: fmt.Sprintf("%024d", len(s.Requests)+1)}).Outcome
	}
	first := register("1", "")
	if !first.Committed {
		t.Fatalf("got %+v", first)
	}
	second := register("2", "")
	if want := []event.Existing{{Item: 1, Ref: first.Events[0]}}; second.Committed || !slices.Equal(second.Existing, want) {
		t.Errorf("got %+v, want it refused for %+v", second, want)
	}
	_, err := second.Result()
	if exists, ok := errors.AsType[*event.ExistsError](err); !ok || exists.RequestID != "2" || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("got %v", err)
	}
	if repeat := register("2", ""); !repeat.Duplicate || !slices.Equal(repeat.Existing, second.Existing) {
		t.Errorf("got %+v, want the first refusal again", repeat)
	}
	if third := register("3", first.Position); !third.Committed {
		t.Errorf("got %+v, want what lies before to be allowed", third)
	}
}

func TestAbsenceIsChecked(t *testing.T) {
	many := func(n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprint("t", i))
		}
		return names
	}
	for field, a := range map[string]*event.Absence{
		"absent.items":         absent(""),
		"absent.after":         absent("x", event.Match{Tags: []string{"a"}}),
		"absent.items[1].tags": absent("", event.Match{Tags: []string{"a"}}, event.Match{Types: []string{"A"}}),
		"absent.items[0].type": absent("", event.Match{Types: []string{""}, Tags: []string{"a"}}),
	} {
		_, err := event.NewAppend(event.Append{Absent: a, Events: []event.Event{tagged("A")}}, event.DefaultLimits())
		if invalid, ok := errors.AsType[*event.InvalidError](err); !ok || !strings.HasPrefix(invalid.Field, field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
	for name, a := range map[string]*event.Absence{
		"items": {Items: slices.Repeat([]event.Match{{Tags: []string{"a"}}}, 17)},
		"types": absent("", event.Match{Types: many(17), Tags: []string{"a"}}),
		"tags":  absent("", event.Match{Tags: many(17)}),
	} {
		_, err := event.NewAppend(event.Append{Absent: a, Events: []event.Event{tagged("A")}}, event.DefaultLimits())
		if large, ok := errors.AsType[*event.TooLargeError](err); !ok || large.Size != 17 || large.Limit != 16 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestAbsenceMeetsWhatItForbids: an append that demands an absence shares a key with every append that could break it.
func TestAbsenceMeetsWhatItForbids(t *testing.T) {
	keys := func(a event.Append) []string {
		c, err := event.NewAppend(a, event.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		return c.Keys()
	}
	guarded := event.Append{Events: []event.Event{{Stream: "b.1", Type: "A", Data: []byte("1")}}, Absent: absent("", event.Match{Tags: []string{"y", "x"}})}
	meets := func(a, b []string) bool {
		return slices.ContainsFunc(a, func(key string) bool { return slices.Contains(b, key) })
	}
	if !meets(keys(guarded), keys(event.Append{Events: []event.Event{tagged("A", "z", "x", "y")}})) {
		t.Error("an event with all tags has no key in common")
	}
	if meets(keys(guarded), keys(event.Append{Events: []event.Event{tagged("A")}})) {
		t.Error("an event without tags has a key in common")
	}
}

func TestAbsenceChangesTheHash(t *testing.T) {
	hash := func(a *event.Absence) event.Hash {
		c, err := event.NewAppend(event.Append{Absent: a, Events: []event.Event{tagged("A")}}, event.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		return c.Hash
	}
	one, other := absent("", event.Match{Tags: []string{"a", "b"}}), absent("", event.Match{Tags: []string{"a"}}, event.Match{Tags: []string{"b"}})
	if same := absent("", event.Match{Tags: []string{"b", "a", "b"}}); hash(one) != hash(same) {
		t.Error("the order of tags makes another request")
	}
	if hash(one) == hash(other) || hash(one) == hash(nil) {
		t.Error("another absence makes the same request")
	}
}

func newState() *event.State {
	return &event.State{
		Heads: make(map[event.Stream]event.Head), Requests: make(map[string]event.Request), Taken: make(map[ulid.ULID]bool),
		Watches: make(map[string]*event.Watch),
	}
}
