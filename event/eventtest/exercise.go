// Package eventtest holds what every event.Executor has to keep to, as one suite, and an Executor in memory.
package eventtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// Exercise holds the Executor that open returns to every promise of event.Executor. It opens one, and leaves its
// closing to t.Cleanup. The store may hold other events already, and may be written to by others meanwhile: the
// suite uses names of its own. Of positions it assumes their order only.
func Exercise(t *testing.T, open func(t *testing.T) event.Executor) {
	x := open(t)
	exercises := exercises()
	for _, name := range slices.Sorted(maps.Keys(exercises)) {
		t.Run(name, func(t *testing.T) { exercises[name](t, suite{x, strings.ToLower(ulid.Make().String())}) })
	}
}

func exercises() map[string]func(*testing.T, suite) {
	return map[string]func(*testing.T, suite){
		"write/places":              exercisePlaces,
		"write/keeps what it gets":  exerciseKeeps,
		"write/exact versions":      exerciseVersions,
		"write/all or nothing":      exerciseAtomic,
		"write/taken ids":           exerciseTaken,
		"write/absent":              exerciseAbsence,
		"write/concurrent, absent":  exerciseConcurrentAbsence,
		"write/refuses":             exerciseRefusals,
		"write/concurrent, any":     exerciseConcurrentAny,
		"write/concurrent, exact":   exerciseConcurrentExact,
		"write/concurrent, streams": exerciseConcurrentStreams,
		"read/nothing":              exerciseReadNothing,
		"read/pages":                exercisePages,
		"read/bytes":                exercisePageBytes,
		"read/selects":              exerciseSelections,
		"read/log":                  exerciseLog,
		"read/refuses":              exerciseReadRefusals,
		"read/consistencies":        exerciseConsistencies,
		"read/frontier":             exerciseFrontier,
		"read/waits":                exerciseWaits,
		"read/follows":              exerciseFollowing,
		"subscriber/life":           exerciseSubscriber,
		"subscriber/fence":          exerciseFence,
		"subscriber/never back":     exerciseNeverBack,
		"subscriber/concurrent":     exerciseConcurrentWorkers,
		"subscriber/turns":          exerciseTurns,
		"subscriber/rivals":         exerciseRivals,
		"subscriber/reset":          exerciseReset,
		"subscriber/list":           exerciseList,
		"subscriber/count":          exerciseCount,
		"subscriber/refuses":        exerciseSubscriberRefusals,
		"snapshot/life":             exerciseSnapshot,
		"snapshot/highest version":  exerciseSnapshotVersions,
		"snapshot/concurrent":       exerciseConcurrentSnapshots,
		"snapshot/refuses":          exerciseSnapshotRefusals,
		"snapshot/names":            exerciseSnapshotNames,
	}
}

// suite is one test's view of the Executor.
type suite struct {
	event.Executor
	category string // nobody else's
}

func (s suite) stream(id any) event.Stream { return event.StreamOf(s.category, fmt.Sprint(id)) }

// note is an event of a stream's next version, told apart by text.
func note(stream event.Stream, text string) event.Event {
	return event.Event{Stream: stream, Type: "Noted", Data: fmt.Appendf(nil, "{\"text\":%q}", text)}
}

// versioned is a note that wants to become an exact version.
func versioned(stream event.Stream, version uint64) event.Event {
	e := note(stream, fmt.Sprint(version))
	e.Version = version
	return e
}

// write writes what must succeed.
func (s suite) write(t *testing.T, events ...event.Event) {
	t.Helper()
	if err := s.Write(t.Context(), events); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// all reads page by page to the end.
func (s suite) all(t *testing.T, args event.ReadArgs) []event.Event {
	t.Helper()
	var events []event.Event
	for {
		page, err := s.Read(t.Context(), args)
		if err != nil {
			t.Fatalf("read %+v: %v", args, err)
		}
		events = append(events, page.Events...)
		if page.End {
			return events
		}
		if len(page.Events) == 0 {
			t.Fatalf("read %+v: a page is empty, but not the end", args)
		}
		if args.Backward {
			args.Before = page.Next
		} else {
			args.After = page.Next
		}
	}
}

// of reads a stream, and with it everything that was acknowledged on it.
func (s suite) of(t *testing.T, stream event.Stream) []event.Event {
	t.Helper()
	return s.all(t, event.ReadArgs{Stream: stream})
}

// version is how many events a stream has.
func (s suite) version(t *testing.T, stream event.Stream) uint64 {
	t.Helper()
	page, err := s.Read(t.Context(), event.ReadArgs{Stream: stream, Limit: 1})
	if err != nil {
		t.Fatalf("read %s: %v", stream, err)
	}
	return page.Head.Version
}

// settled completes args so that a read of more than one stream sees all that was acknowledged on these streams:
// a node answers such reads by default from where the log is complete, which may be a little behind.
func (s suite) settled(t *testing.T, args event.ReadArgs, streams ...event.Stream) event.ReadArgs {
	t.Helper()
	args.Consistency = event.AtLeast
	for _, stream := range streams {
		page, err := s.Read(t.Context(), event.ReadArgs{Stream: stream, Limit: 1})
		if err != nil {
			t.Fatalf("read %s: %v", stream, err)
		}
		args.MinPosition = max(args.MinPosition, page.Head.Position)
	}
	return args
}

// texts returns the data of events, sorted.
func texts(events []event.Event) []string {
	var found []string
	for i := range events {
		found = append(found, string(events[i].Data))
	}
	slices.Sort(found)
	return found
}

// contiguous checks that events are a stream's, from version 1 on, in order.
func contiguous(t *testing.T, stream event.Stream, events []event.Event) {
	t.Helper()
	var last event.Position
	for i := range events {
		e := &events[i]
		if e.Stream != stream || e.Version != uint64(i)+1 || e.Position <= last {
			t.Fatalf("event %d is %s@%d at %s behind %s, want %s@%d", i, e.Stream, e.Version, e.Position, last, stream, i+1)
		}
		last = e.Position
	}
}
