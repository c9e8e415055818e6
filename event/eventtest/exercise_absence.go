package eventtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"natsaccord/event"
)

// appender is what Executors offer beside event.Executor.
type appender interface {
	Append(ctx context.Context, a event.Append) (event.Receipt, error)
}

// appender has the Executor append.
func (s suite) appender(t *testing.T) appender {
	t.Helper()
	x, ok := s.Executor.(appender)
	if !ok {
		t.Fatalf("a %T takes no appends", s.Executor)
	}
	return x
}

// tagged is a note with tags, which are nobody else's.
func (s suite) tagged(stream event.Stream, typ string, tags ...string) event.Event {
	e := note(stream, typ)
	e.Type, e.Tags = typ, s.tags(tags)
	return e
}

func (s suite) tags(tags []string) []string {
	own := make([]string, len(tags))
	for i, tag := range tags {
		own[i] = s.category + ":" + tag
	}
	return own
}

// without demands that no event of a type, or of any, has tags.
func (s suite) without(after event.Position, typ string, tags ...string) *event.Absence {
	m := event.Match{Tags: s.tags(tags)}
	if typ != "" {
		m.Types = []string{typ}
	}
	return &event.Absence{Items: []event.Match{m}, After: after}
}

// exerciseAbsence: an append is refused if and only if an event is there that matches, and the refusal names it.
func exerciseAbsence(t *testing.T, s suite) {
	x := s.appender(t)
	first, err := x.Append(t.Context(), event.Append{Events: []event.Event{
		s.tagged(s.stream("a"), "Registered", "mail", "user"), s.tagged(s.stream("a"), "Renamed", "user"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		absent *event.Absence
		found  int // -1: none
	}{
		"tag":                  {s.without("", "", "user"), 0},
		"type and tag":         {s.without("", "Renamed", "user"), 1},
		"both tags":            {s.without("", "", "user", "mail"), 0},
		"both tags, type":      {s.without("", "Renamed", "user", "mail"), -1},
		"another tag":          {s.without("", "", "nobody"), -1},
		"after the first":      {s.without(first.Events[0].Position, "", "user"), 1},
		"mail after the first": {s.without(first.Events[0].Position, "", "mail"), -1},
		"after the last":       {s.without(first.Position, "", "user"), -1},
	} {
		_, err := x.Append(t.Context(), event.Append{Events: []event.Event{note(s.stream(strings.ReplaceAll(name, " ", "-")), name)}, Absent: c.absent})
		if c.found < 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		exists, ok := errors.AsType[*event.ExistsError](err)
		if want := (event.Existing{Ref: first.Events[c.found]}); !ok || !slices.Equal(exists.Events, []event.Existing{want}) {
			t.Errorf("%s: got %v, want it refused for %+v", name, err, want)
		}
		if events := s.all(t, event.ReadArgs{Stream: s.stream(strings.ReplaceAll(name, " ", "-")), Consistency: event.Linearizable}); len(events) > 0 {
			t.Errorf("%s: wrote %+v", name, events)
		}
	}
}

// exerciseConcurrentAbsence: of several who register one name at once, exactly one does.
func exerciseConcurrentAbsence(t *testing.T, s suite) {
	x := s.appender(t)
	const rivals, names = 4, 5
	for i := range names {
		name := fmt.Sprint("name", i)
		won := make([]bool, rivals)
		var running sync.WaitGroup
		for j := range rivals {
			running.Go(func() {
				_, err := x.Append(t.Context(), event.Append{
					Events: []event.Event{s.tagged(s.stream(fmt.Sprint(name, j)), "Registered", name)}, Absent: s.without("", "Registered", name),
				})
				if _, refused := errors.AsType[*event.ExistsError](err); !refused && err != nil {
					t.Errorf("%s: %v", name, err)
				}
				won[j] = err == nil
			})
		}
		running.Wait()
		winners := 0
		for _, w := range won {
			if w {
				winners++
			}
		}
		if winners != 1 {
			t.Errorf("%s: %d of %d won, want 1", name, winners, rivals)
		}
	}
}
