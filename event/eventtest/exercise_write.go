package eventtest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

func exercisePlaces(t *testing.T, s suite) {
	one, two := s.stream(1), s.stream("2.with.dots")
	before := time.Now().Add(-time.Minute)
	s.write(t, note(one, "a"), note(two, "b"), note(one, "c"))
	s.write(t, note(one, "d"))
	first, second := s.of(t, one), s.of(t, two)
	contiguous(t, one, first)
	contiguous(t, two, second)
	if len(first) != 3 || len(second) != 1 {
		t.Fatalf("streams have %d and %d events, want 3 and 1", len(first), len(second))
	}
	if p := second[0].Position; p <= first[0].Position || p >= first[1].Position {
		t.Errorf("a write's events stand at %s, %s, %s: not in its order", first[0].Position, p, first[1].Position)
	}
	if first[0].TxnID == "" || first[0].TxnID != first[1].TxnID || first[0].TxnID != second[0].TxnID || first[0].TxnID == first[2].TxnID {
		t.Errorf("transactions are %s, %s, %s and %s, want three of one and one of another", first[0].TxnID, second[0].TxnID, first[1].TxnID, first[2].TxnID)
	}
	for _, e := range append(first, second...) {
		if e.ID == (ulid.ULID{}) {
			t.Errorf("%s@%d has no id", e.Stream, e.Version)
		}
		if e.RecordedAt.Location() != time.UTC || e.RecordedAt.Before(before) || e.RecordedAt.After(time.Now().Add(time.Minute)) {
			t.Errorf("%s@%d was recorded at %s, want about now in UTC", e.Stream, e.Version, e.RecordedAt)
		}
	}
}

// exerciseKeeps holds that every byte comes back, whatever lies between.
func exerciseKeeps(t *testing.T, s suite) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	stream := s.stream("kept-ü.x")
	events := []event.Event{
		{Data: []byte(`{"b":1.0,"a":[1e2,-0,null,true],"a":"twice"}`)},
		{Data: []byte("{\"html\":\"<a href='x'>&amp;</a>\",\"line\":\"\u2028\u2029\",\"escaped\":\"\\u003c\\/\\u00fc\"}")},
		{Data: []byte(`"ü€😀"`), Metadata: map[string]string{"a": "<&>", "empty": "", "ünicode key": "line\nbreak \"quoted\" \u2028"}},
		{Data: []byte(`12345678901234567890.123456789`), Tags: []string{"a", "b<"}, RoutingKey: "eu/<west>"},
		{Data: every, Binary: true},
		{Data: []byte{}, Binary: true},
		{Data: []byte(`{"json":"as bytes"}`), Binary: true},
		{Data: []byte(`null`)},
		{Data: []byte(`"` + strings.Repeat("long ", 10000) + `"`)},
	}
	for i := range events {
		events[i].Stream, events[i].ID, events[i].Type = stream, ulid.Make(), fmt.Sprintf("Type-%d<ü>", i)
		events[i].Version = uint64(i + 1)
	}
	s.write(t, events...)
	got := s.of(t, stream)
	if len(got) != len(events) {
		t.Fatalf("got %d events, want %d", len(got), len(events))
	}
	for i := range got {
		if kept := asWritten(got[i]); !reflect.DeepEqual(kept, asWritten(events[i])) {
			t.Errorf("got %+v, want %+v", kept, events[i])
		}
	}
}

// asWritten takes away what the store adds, and the difference between empty and nil.
func asWritten(e event.Event) event.Event {
	e.Position, e.TxnID, e.RecordedAt = "", "", time.Time{}
	e.Data = append([]byte{}, e.Data...)
	if len(e.Tags) == 0 {
		e.Tags = nil
	}
	if len(e.Metadata) == 0 {
		e.Metadata = nil
	}
	return e
}

func exerciseVersions(t *testing.T, s suite) {
	stream := s.stream(1)
	s.write(t, versioned(stream, 1), versioned(stream, 2))
	s.write(t, versioned(stream, 0), versioned(stream, 4))
	for _, version := range []uint64{1, 4, 6, 1000} {
		err := s.Write(t.Context(), []event.Event{versioned(stream, version)})
		conflict, ok := errors.AsType[*event.ConflictError](err)
		want := event.Conflict{Stream: stream, Want: event.Expect(version - 1), Have: 4}
		if ok && conflict.Early && conflict.Have > uint64(want.Want) && conflict.Have < want.Have {
			want.Have = conflict.Have // it is what a node had applied
		}
		if !ok || conflict.Conflict != want || !slices.Equal(conflict.All, []event.Conflict{want}) {
			t.Errorf("version %d: got %+v, want the conflict %+v", version, err, want)
		}
		if event.SafeToRetry(err) {
			t.Errorf("version %d: %v says that the same may succeed", version, err)
		}
	}
	if got := s.of(t, stream); len(got) != 4 {
		t.Errorf("the stream has %d events after conflicts, want 4", len(got))
	}
	s.write(t, versioned(stream, 5))
	contiguous(t, stream, s.of(t, stream))
}

func exerciseAtomic(t *testing.T, s suite) {
	one, two, three := s.stream(1), s.stream(2), s.stream(3)
	s.write(t, note(one, "a"), note(two, "b"))
	err := s.Write(t.Context(), []event.Event{note(three, "new"), note(one, "free"), versioned(two, 9), versioned(one, 7)})
	conflict, ok := errors.AsType[*event.ConflictError](err)
	want := []event.Conflict{{Stream: two, Want: 8, Have: 1}, {Stream: one, Want: 5, Have: 1}}
	if !ok || !slices.Equal(conflict.All, want) || conflict.Conflict != want[0] {
		t.Errorf("got %+v, want all of %+v", err, want)
	}
	for stream, version := range map[event.Stream]uint64{one: 1, two: 1, three: 0} {
		if got := s.version(t, stream); got != version {
			t.Errorf("%s has %d events after a refused write, want %d", stream, got, version)
		}
	}
}

func exerciseTaken(t *testing.T, s suite) {
	stream, other := s.stream(1), s.stream(2)
	e := note(stream, "once")
	e.ID = ulid.Make()
	s.write(t, e)
	e.Stream = other
	err := s.Write(t.Context(), []event.Event{note(other, "beside"), e})
	if taken, ok := errors.AsType[*event.IDTakenError](err); !ok || !slices.Equal(taken.IDs, []string{e.ID.String()}) {
		t.Errorf("got %v, want that %s is taken", err, e.ID)
	}
	if n := s.version(t, other); n != 0 {
		t.Errorf("%s has %d events, want none", other, n)
	}
}

func exerciseRefusals(t *testing.T, s suite) {
	stream := s.stream(1)
	twice := note(stream, "twice")
	twice.ID = ulid.Make()
	large := note(stream, "")
	large.Data, large.Binary = make([]byte, 300<<10), true
	for name, c := range map[string]struct {
		events []event.Event
		large  bool
	}{
		"no events":      {nil, false},
		"a bad stream":   {[]event.Event{note("nowhere", "")}, false},
		"no type":        {[]event.Event{{Stream: stream, Data: []byte("1")}}, false},
		"no JSON":        {[]event.Event{{Stream: stream, Type: "T", Data: []byte("{")}}, false},
		"a bad second":   {[]event.Event{note(stream, "good"), {Stream: stream, Type: "a b", Data: []byte("1")}}, false},
		"an id twice":    {[]event.Event{twice, twice}, false},
		"a large event":  {[]event.Event{large}, true},
		"many events":    {slices.Repeat([]event.Event{note(stream, "")}, 1001), true},
		"large together": {slices.Repeat([]event.Event{{Stream: stream, Type: "T", Binary: true, Data: make([]byte, 200<<10)}}, 4), true},
	} {
		err := s.Write(t.Context(), c.events)
		_, invalid := errors.AsType[*event.InvalidError](err)
		_, tooLarge := errors.AsType[*event.TooLargeError](err)
		if invalid == c.large || tooLarge != c.large {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if n := s.version(t, stream); n != 0 {
		t.Errorf("refused writes wrote %d events", n)
	}
}
