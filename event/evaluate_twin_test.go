package event_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"natsaccord/event"
)

// twin is Evaluate done naively: it keeps all events in a slice and all that was ever asked, and looks for
// everything from the start.
type twin struct {
	events   []event.Event
	asked    []event.Command
	outcomes []event.Outcome // of asked
}

func (w *twin) version(stream event.Stream) (n uint64) {
	for _, e := range w.events {
		if e.Stream == stream {
			n++
		}
	}
	return n
}

func (w *twin) evaluate(c event.Command, at event.Moment) event.Outcome {
	for i, asked := range w.asked {
		if asked.Append.RequestID != c.Append.RequestID {
			continue
		}
		if asked.Hash != c.Hash {
			return event.Outcome{Receipt: event.Receipt{RequestID: c.Append.RequestID, TxnID: w.outcomes[i].TxnID}, Reused: true}
		}
		again := w.outcomes[i]
		again.Duplicate = true
		return again
	}
	outcome := w.append(c.Append, at)
	w.asked, w.outcomes = append(w.asked, c), append(w.outcomes, outcome)
	return outcome
}

func (w *twin) append(a *event.Append, at event.Moment) event.Outcome {
	o := event.Outcome{Receipt: event.Receipt{RequestID: a.RequestID, TxnID: at.TxnID}}
	for _, c := range a.Conditions {
		have := w.version(c.Stream)
		if c.Expect == event.ExpectExists && have == 0 || c.Expect >= 0 && uint64(c.Expect) != have {
			o.Conflicts = append(o.Conflicts, event.Conflict{Stream: c.Stream, Want: c.Expect, Have: have})
		}
	}
	before := slices.Clone(w.events)
	var failed []event.Stream
	for i, e := range a.Events {
		if slices.ContainsFunc(before, func(old event.Event) bool { return old.ID == e.ID }) {
			o.IDTaken = append(o.IDTaken, e.ID.String())
		}
		have := w.version(e.Stream)
		if e.Version != 0 && e.Version != have+1 && !slices.Contains(failed, e.Stream) {
			failed = append(failed, e.Stream)
			want := e.Version - 1
			if own := countOf(a.Events[:i], e.Stream); own <= want { // as before the append
				want, have = want-own, have-own
			}
			o.Conflicts = append(o.Conflicts, event.Conflict{Stream: e.Stream, Want: event.Expect(want), Have: have})
			have = w.version(e.Stream)
		}
		e.Version, e.Position, e.TxnID, e.RecordedAt = have+1, event.PositionAt(at.ExecuteAt, i), at.TxnID, at.Time
		w.events = append(w.events, e)
	}
	if o.Conflicts != nil || o.IDTaken != nil {
		w.events = before
		return o
	}
	o.Committed = true
	for _, e := range w.events[len(before):] {
		o.Events = append(o.Events, event.Ref{ID: e.ID, Stream: e.Stream, Version: e.Version, Position: e.Position})
		o.Position = e.Position
		if !slices.ContainsFunc(o.Streams, func(v event.StreamVersion) bool { return v.Stream == e.Stream }) {
			o.Streams = append(o.Streams, event.StreamVersion{Stream: e.Stream, Version: w.version(e.Stream)})
		}
	}
	return o
}

func TestEvaluateAgreesWithTwin(t *testing.T) {
	seen := make(map[string]bool)
	rapid.Check(t, func(t *rapid.T) {
		s, w := emptyState(), &twin{}
		var log []event.Event
		for i := range rapid.IntRange(1, 25).Draw(t, "steps") {
			command := twinCommand(t)
			got, want := s.Evaluate(command, at(i+1)), w.evaluate(command, at(i+1))
			if !reflect.DeepEqual(got.Outcome, want) {
				t.Fatalf("step %d, %+v: got %+v, want %+v", i, command.Append, got.Outcome, want)
			}
			log = append(log, got.Events...)
			note(seen, want)
		}
		if !reflect.DeepEqual(log, w.events) {
			t.Fatalf("wrote %+v, want %+v", log, w.events)
		}
		for stream, head := range s.Heads {
			if head.Version != w.version(stream) {
				t.Fatalf("the head of %s is %+v, want version %d", stream, head, w.version(stream))
			}
		}
	})
	for _, kind := range []string{"committed", "duplicate", "reused", "conflict", "taken"} {
		if !seen[kind] {
			t.Errorf("nothing was ever %s: the test shows less than it says", kind)
		}
	}
}

func countOf(events []event.Event, stream event.Stream) (n uint64) {
	for i := range events {
		if events[i].Stream == stream {
			n++
		}
	}
	return n
}

func note(seen map[string]bool, o event.Outcome) {
	for kind, is := range map[string]bool{
		"committed": o.Committed, "duplicate": o.Duplicate, "reused": o.Reused, "conflict": o.Conflicts != nil, "taken": o.IDTaken != nil,
	} {
		seen[kind] = seen[kind] || is
	}
}

// twinCommand draws from so few names that everything collides.
func twinCommand(t *rapid.T) event.Command {
	stream := rapid.SampledFrom([]event.Stream{"a.1", "a.2", "b.1"})
	a := &event.Append{RequestID: fmt.Sprint(rapid.IntRange(0, 30).Draw(t, "request"))}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		a.Conditions = append(a.Conditions, event.Condition{Stream: stream.Draw(t, "stream"), Expect: event.Expect(rapid.IntRange(-2, 4).Draw(t, "expect"))})
	}
	ids := rapid.SliceOfNDistinct(rapid.IntRange(1, 200), 1, 4, rapid.ID[int]).Draw(t, "ids")
	for _, n := range ids {
		version := max(0, rapid.IntRange(-4, 6).Draw(t, "version"))
		a.Events = append(a.Events, event.Event{ID: ulid.ULID{1, byte(n)}, Stream: stream.Draw(t, "stream"), Version: uint64(version)})
	}
	return event.Command{Append: a, Hash: event.Hash{byte(rapid.IntRange(0, 1).Draw(t, "hash"))}}
}

// TestCommandsWithoutCommonKeysCommute holds that commands without a common key may be evaluated in either order.
func TestCommandsWithoutCommonKeysCommute(t *testing.T) {
	tried := 0
	rapid.Check(t, func(t *rapid.T) {
		var setup []event.Command
		for range rapid.IntRange(0, 6).Draw(t, "setup") {
			setup = append(setup, twinCommand(t))
		}
		a, b := twinCommand(t), twinCommand(t)
		if slices.ContainsFunc(a.Keys(), func(key string) bool { return slices.Contains(b.Keys(), key) }) {
			return
		}
		tried++
		run := func(swap bool) (x, y event.Evaluation, s *event.State) {
			s = emptyState()
			for i, c := range setup {
				s.Evaluate(c, at(i+1))
			}
			if swap {
				y = s.Evaluate(b, at(102))
				return s.Evaluate(a, at(101)), y, s
			}
			x = s.Evaluate(a, at(101))
			return x, s.Evaluate(b, at(102)), s
		}
		x1, y1, s1 := run(false)
		x2, y2, s2 := run(true)
		if !reflect.DeepEqual(x1, x2) || !reflect.DeepEqual(y1, y2) || !reflect.DeepEqual(s1, s2) {
			t.Fatalf("%+v and %+v do not commute", a, b)
		}
	})
	if tried == 0 {
		t.Error("no two commands were ever apart: the test shows nothing")
	}
}

func TestKeys(t *testing.T) {
	got := appending("r", []event.Condition{{Stream: "a.1"}, {Stream: "b.1"}}, event.Event{ID: id(1), Stream: "b.1"}, event.Event{ID: id(2), Stream: "c.1"}).Keys()
	want := []string{"cr", "e" + id(1).String(), "e" + id(2).String(), "sa.1", "sb.1", "sc.1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	name := event.SnapshotName{Stream: "a.1", Name: "n"}
	for _, pair := range [][2]event.Command{
		{{Claim: &event.Claim{Key: "k"}}, {Ack: &event.Ack{Key: "k"}}},
		{{TakeOver: &event.TakeOver{Key: "k"}}, {Ack: &event.Ack{Key: "k"}}},
		{{Reset: &event.Reset{Key: "k"}}, {Ack: &event.Ack{Key: "k"}}},
		{{PutSnapshot: &event.Snapshot{Stream: "a.1", Name: "n"}}, {DropSnapshot: &name}},
	} {
		if a, b := pair[0].Keys(), pair[1].Keys(); len(a) != 1 || !slices.Equal(a, b) {
			t.Errorf("keys are %q and %q, want one and the same", a, b)
		}
	}
}
