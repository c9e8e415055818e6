package eventtest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"natsaccord/event"
)

// patience is how long one read waits for an event that is on its way.
const patience = 5 * time.Second

// exerciseConsistencies reads with every consistency, in both directions, a stream, a category and the log, with and
// without selections. What was acknowledged is seen by all but Frontier and Local at once.
func exerciseConsistencies(t *testing.T, s suite) {
	streams := []event.Stream{s.stream(1), s.stream(2)}
	var last event.Position
	for i := range 9 {
		e := note(streams[i%2], fmt.Sprint(i))
		e.Type, e.RoutingKey, e.Tags = []string{"A", "B", "C"}[i%3], []string{"", "eu"}[i/2%2], [][]string{nil, {"new"}, {"large", "new"}}[i%3]
		s.write(t, e)
		page, err := s.Read(t.Context(), event.ReadArgs{Stream: streams[i%2], Backward: true, Limit: 1})
		if err != nil || len(page.Events) != 1 {
			t.Fatalf("read %s: got %+v, %v", streams[i%2], page, err)
		}
		last = page.Events[0].Position
	}
	written := append(s.of(t, streams[0]), s.of(t, streams[1])...)
	slices.SortFunc(written, byPosition)
	before := written[0].Position[:len(written[0].Position)-1] // of nothing that is written here
	for _, consistency := range []event.Consistency{event.Linearizable, event.AtLeast, event.Frontier, event.Local} {
		if consistency == event.Frontier {
			s.passed(t, last)
		}
		for _, args := range []event.ReadArgs{
			{Stream: streams[0]}, {Category: s.category}, {After: before, Before: last + "~"},
			{Stream: streams[1], Types: []string{"A", "B"}}, {Category: s.category, Types: []string{"B", "C"}, RoutingKey: "eu"},
			{Category: s.category, Tags: []string{"large", "new"}}, {Stream: streams[0], FromVersion: 3}, {Category: s.category, MaxBytes: 500},
		} {
			for _, backward := range []bool{false, true} {
				args.Consistency, args.MinPosition, args.Backward, args.Limit = consistency, last, backward, 2
				if args.Before != "" {
					args.Before, args.After = "", written[0].Position
				}
				s.reads(t, args, written)
			}
		}
	}
}

func byPosition(a, b event.Event) int {
	switch {
	case a.Position < b.Position:
		return -1
	case a.Position > b.Position:
		return 1
	}
	return 0
}

// reads checks what a read selects from what was written. The log may hold events of others.
func (s suite) reads(t *testing.T, args event.ReadArgs, written []event.Event) {
	t.Helper()
	var got []event.Event
	for _, e := range s.all(t, args) {
		if e.Stream.Category() == s.category {
			got = append(got, e)
		}
	}
	if want := selected(args, written); !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v: got %v, want %v", args, places(got), places(want))
	}
}

// passed waits until the frontier has passed a position.
func (s suite) passed(t *testing.T, p event.Position) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		page, err := s.Read(t.Context(), event.ReadArgs{Category: s.category + "-nothing", After: p, Consistency: event.Frontier, Wait: 20 * time.Millisecond})
		if err != nil {
			t.Fatalf("wait for the frontier: %v", err)
		}
		if page.Frontier >= p {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %s the frontier is %s, want it past %s", patience, page.Frontier, p)
		}
	}
}

// exerciseFrontier: every page tells the frontier; it never goes back, and what a reader of it has passed is past.
func exerciseFrontier(t *testing.T, s suite) {
	var frontier event.Position
	seen := 0
	args := event.ReadArgs{Category: s.category, Consistency: event.Frontier, Wait: time.Second}
	for i := range 20 {
		s.write(t, note(s.stream(i%3), fmt.Sprint(i)))
		page, err := s.Read(t.Context(), args)
		if err != nil {
			t.Fatal(err)
		}
		if page.Frontier < frontier {
			t.Errorf("the frontier goes back from %s to %s", frontier, page.Frontier)
		}
		frontier = page.Frontier
		for j := range page.Events {
			if page.Events[j].Position <= args.After || page.Events[j].Position > frontier {
				t.Errorf("read behind %s up to %s an event at %s", args.After, frontier, page.Events[j].Position)
			}
		}
		if page.Next < args.After || page.Next > max(frontier, args.After) {
			t.Errorf("after %s, at the frontier %s: reads on from %s", args.After, frontier, page.Next)
		}
		args.After = page.Next
		seen += len(page.Events)
	}
	for end := time.Now().Add(patience); seen < 20 && time.Now().Before(end); {
		page, err := s.Read(t.Context(), args)
		if err != nil {
			t.Fatal(err)
		}
		args.After = page.Next
		seen += len(page.Events)
	}
	if seen != 20 {
		t.Errorf("read %d events, want 20", seen)
	}
}

// exerciseWaits: a read that finds nothing waits for what it selects, whatever else is written.
func exerciseWaits(t *testing.T, s suite) {
	for i, args := range []event.ReadArgs{
		{Stream: s.stream("0-x"), Consistency: event.Local},
		{Stream: s.stream("1-x"), Consistency: event.Linearizable},
		{Stream: s.stream("2-x"), Consistency: event.Frontier},
		{Category: s.category + "-3", Consistency: event.Local},
		{Category: s.category + "-4", Consistency: event.Frontier},
		{Category: s.category + "-5", Consistency: event.Linearizable},
		{Category: s.category + "-6", Consistency: event.Frontier, Tags: []string{"wanted"}},
		{Category: s.category + "-7", Consistency: event.Frontier, Types: []string{"Wanted"}},
	} {
		want := note(args.Stream, "wanted")
		if args.Stream == "" {
			want = note(event.StreamOf(args.Category, "1"), "wanted")
		}
		other := note(event.StreamOf(want.Stream.Category(), "other"), "")
		want.Tags, want.Type = []string{"wanted"}, "Wanted"
		if len(args.Tags)+len(args.Types) == 0 {
			other.Stream = s.stream(fmt.Sprint("other-", i))
		}
		found := make(chan event.Page, 1)
		go func() { found <- s.first(t, args) }()
		s.write(t, other)
		s.write(t, want)
		page := <-found
		if len(page.Events) != 1 || string(page.Events[0].Data) != string(want.Data) {
			t.Errorf("read %+v: got %v, want what was waited for", args, places(page.Events))
		}
	}
}

// first reads until something is there, waiting meanwhile.
func (s suite) first(t *testing.T, args event.ReadArgs) event.Page {
	args.Wait = time.Second
	for end := time.Now().Add(patience); ; {
		page, err := s.Read(t.Context(), args)
		if err != nil || len(page.Events) > 0 || time.Now().After(end) {
			if err != nil {
				t.Errorf("read %+v: %v", args, err)
			}
			return page
		}
		if args.Backward {
			args.Before = page.Next
		} else {
			args.After = page.Next
		}
	}
}

// exerciseFollowing: a reader of the frontier that begins anywhere and follows sees what is written meanwhile by
// many: all of it, once, in order.
func exerciseFollowing(t *testing.T, s suite) {
	want := writers * rounds * 2
	followed := make(chan []event.Event, 1)
	go func() {
		var got []event.Event
		args := event.ReadArgs{Category: s.category, Consistency: event.Frontier, Limit: 7}
		for len(got) < want {
			page := s.first(t, args)
			if len(page.Events) == 0 {
				break
			}
			got = append(got, page.Events...)
			args.After = page.Next
		}
		followed <- got
	}()
	together(func(w int) {
		for i := range rounds {
			if err := s.Write(t.Context(), []event.Event{note(s.stream(w), fmt.Sprint(i)), note(s.stream("shared"), fmt.Sprint(w, "-", i))}); err != nil {
				t.Errorf("writer %d: %v", w, err)
			}
		}
	})
	got := <-followed
	if !slices.IsSortedFunc(got, byPosition) || len(slices.CompactFunc(slices.Clone(got), func(a, b event.Event) bool { return a.ID == b.ID })) != want {
		t.Errorf("followed %d events, want %d, each once and in order: %v", len(got), want, places(got))
	}
}
