package eventtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"natsaccord/event"
)

func exerciseReadNothing(t *testing.T, s suite) {
	for _, args := range []event.ReadArgs{
		{Stream: s.stream(1)},
		{Stream: s.stream(1), Backward: true},
		{Stream: s.stream(1), FromVersion: 5},
		{Category: s.category},
		{Category: s.category, Types: []string{"T"}, RoutingKey: "k"},
	} {
		page, err := s.Read(t.Context(), args)
		if err != nil || len(page.Events) != 0 || !page.End || page.Head != (event.Head{}) {
			t.Errorf("read %+v: got %+v, %v, want nothing", args, page, err)
		}
	}
	stream := s.stream(2)
	s.write(t, note(stream, "a"), note(stream, "b"))
	events := s.of(t, stream)
	for _, args := range []event.ReadArgs{
		{Stream: stream, After: events[1].Position},
		{Stream: stream, Before: events[0].Position, Backward: true},
	} {
		page, err := s.Read(t.Context(), args)
		if err != nil || len(page.Events) != 0 || !page.End || page.Next != max(args.After, args.Before) || page.Head.Version != 2 {
			t.Errorf("read %+v: got %+v, %v, want nothing, and to read on from there", args, page, err)
		}
	}
}

func exercisePages(t *testing.T, s suite) {
	stream := s.stream(1)
	const n = 10
	for i := range n {
		s.write(t, note(stream, fmt.Sprint(i)), note(s.stream("other"), ""))
	}
	forward := s.of(t, stream)
	contiguous(t, stream, forward)
	backward := slices.Clone(forward)
	slices.Reverse(backward)
	for limit := range n + 2 {
		for _, back := range []bool{false, true} {
			args, want := event.ReadArgs{Stream: stream, Limit: limit, Backward: back}, forward
			if back {
				want = backward
			}
			page, err := s.Read(t.Context(), args)
			if err != nil {
				t.Fatalf("read %+v: %v", args, err)
			}
			size := min(n, limit)
			if limit == 0 { // the default
				size = n
			}
			if len(page.Events) != size || page.End != (size == n) || page.Next != want[size-1].Position {
				t.Errorf("read %+v: got %d events, end %v, next %s", args, len(page.Events), page.End, page.Next)
			}
			if page.Head != (event.Head{Version: n, Position: forward[n-1].Position}) {
				t.Errorf("read %+v: the head is %+v", args, page.Head)
			}
			if got := s.all(t, args); !reflect.DeepEqual(got, want) {
				t.Errorf("read %+v to the end: got %+v, want %+v", args, got, want)
			}
		}
	}
}

// exercisePageBytes: MaxBytes makes pages short, but never empty.
func exercisePageBytes(t *testing.T, s suite) {
	stream := s.stream(1)
	for range 6 {
		s.write(t, event.Event{Stream: stream, Type: "T", Binary: true, Data: make([]byte, 4000)})
	}
	want := s.of(t, stream)
	for _, size := range []int{1, 4000, 10000, 1 << 20} {
		args := event.ReadArgs{Stream: stream, MaxBytes: size}
		page, err := s.Read(t.Context(), args)
		if err != nil {
			t.Fatalf("read %+v: %v", args, err)
		}
		if n := len(page.Events); n == 0 || n > 1 && 4000*n > size || page.End != (n == 6) {
			t.Errorf("read %+v: got %d events, end %v", args, n, page.End)
		}
		if got := s.all(t, args); !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v to the end: got %d events, want %d", args, len(got), len(want))
		}
	}
	if page, err := s.Read(t.Context(), event.ReadArgs{Stream: stream, MaxBytes: 1 << 20}); err != nil || len(page.Events) != 6 {
		t.Errorf("with room for all: got %d events, %v", len(page.Events), err)
	}
}

// exerciseSelections compares reads of every kind with what a look at each event selects.
func exerciseSelections(t *testing.T, s suite) {
	random := rand.New(rand.NewPCG(1, 2))
	second := suite{s.Executor, s.category + "-b"}
	streams := []event.Stream{s.stream(1), s.stream("1.x"), s.stream(2), second.stream(1)}
	for range 20 {
		var events []event.Event
		for range 1 + random.IntN(3) {
			e := note(streams[random.IntN(len(streams))], "")
			e.Type = []string{"A", "B", "C"}[random.IntN(3)]
			e.RoutingKey = []string{"", "eu", "us"}[random.IntN(3)]
			e.Tags = [][]string{nil, {"new"}, {"large", "new"}, {"large", "tag's-\"own\""}}[random.IntN(4)]
			events = append(events, e)
		}
		s.write(t, events...)
	}
	// Every stream has events by now: the seed is fixed.
	log := s.all(t, s.settled(t, event.ReadArgs{Category: s.category}, streams...))
	log = append(log, second.all(t, s.settled(t, event.ReadArgs{Category: second.category}, streams...))...)
	slices.SortFunc(log, func(a, b event.Event) int {
		if a.Position < b.Position {
			return -1
		}
		return 1
	})
	for range 150 {
		args := anyArgs(random, s, streams, log)
		want := selected(args, log)
		if got := s.all(t, s.settled(t, args, streams...)); !reflect.DeepEqual(got, want) {
			t.Fatalf("read %+v: got %v, want %v", args, places(got), places(want))
		}
	}
}

// anyArgs draws a read that selects only from the suite's own events.
func anyArgs(random *rand.Rand, s suite, streams []event.Stream, log []event.Event) event.ReadArgs {
	args := event.ReadArgs{Category: s.category, Limit: 1 + random.IntN(len(log)), Backward: random.IntN(2) == 0}
	switch random.IntN(3) {
	case 0:
		args.Category = ""
		args.Stream = streams[random.IntN(len(streams))]
	case 1:
		args.Stream = streams[random.IntN(len(streams))]
		args.Category = args.Stream.Category()
		args.FromVersion = uint64(random.IntN(8))
	}
	if random.IntN(2) == 0 {
		args.Types = []string{"A", "C", "none"}[:1+random.IntN(3)]
	}
	if random.IntN(3) == 0 {
		args.RoutingKey = "eu"
	}
	if random.IntN(3) == 0 {
		args.Tags = [][]string{{"new"}, {"large", "new"}, {"tag's-\"own\""}, {"new", "none"}}[random.IntN(4)]
	}
	if random.IntN(3) == 0 {
		args.After = log[random.IntN(len(log))].Position
	}
	if random.IntN(3) == 0 {
		args.Before = log[random.IntN(len(log))].Position
	}
	return args
}

// selected is what args selects from log: what is left when everything else is taken away, one field at a time.
func selected(args event.ReadArgs, log []event.Event) []event.Event {
	var found []event.Event
	for _, e := range log {
		versions := args.FromVersion == 0 || e.Version == args.FromVersion || (e.Version > args.FromVersion) != args.Backward
		place := (args.Stream == "" || args.Stream == e.Stream) && (args.Category == "" || args.Category == e.Stream.Category())
		kind := (len(args.Types) == 0 || slices.Contains(args.Types, e.Type)) && (args.RoutingKey == "" || args.RoutingKey == e.RoutingKey)
		for _, tag := range args.Tags {
			kind = kind && slices.Contains(e.Tags, tag)
		}
		position := e.Position > args.After && (args.Before == "" || e.Position < args.Before)
		if versions && place && kind && position {
			found = append(found, e)
		}
	}
	if args.Backward {
		slices.Reverse(found)
	}
	return found
}

func places(events []event.Event) []string {
	var found []string
	for i := range events {
		found = append(found, fmt.Sprintf("%s@%d", events[i].Stream, events[i].Version))
	}
	return found
}

// exerciseLog reads the log as a whole, between two events so that it need not be short.
func exerciseLog(t *testing.T, s suite) {
	streams := []event.Stream{s.stream(1), event.StreamOf(s.category+"-b", "1")}
	for i := range 12 {
		s.write(t, note(streams[i/3%2], fmt.Sprint(i)))
	}
	first, last := s.of(t, streams[0])[0].Position, s.of(t, streams[1])[5].Position
	for _, backward := range []bool{false, true} {
		args := event.ReadArgs{After: first, Before: last, Limit: 4, Backward: backward}
		var got []string
		for _, e := range s.all(t, s.settled(t, args, streams...)) {
			if slices.Contains(streams, e.Stream) {
				got = append(got, string(e.Data))
			}
		}
		var want []string
		for i := 1; i < 11; i++ {
			want = append(want, string(note("", fmt.Sprint(i)).Data))
		}
		if backward {
			slices.Reverse(want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("backward %v: got %q, want %q", backward, got, want)
		}
	}
}

func exerciseReadRefusals(t *testing.T, s suite) {
	_, err := s.Read(t.Context(), event.ReadArgs{Category: s.category, FromVersion: 1})
	if _, ok := errors.AsType[*event.InvalidError](err); !ok {
		t.Errorf("from a version of no stream: got %v", err)
	}
}
