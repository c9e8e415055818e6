package event_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// id returns the n-th of the ids that these tests use.
func id(n int) (u ulid.ULID) {
	u[15] = byte(n)
	return u
}

// at returns the n-th moment of these tests.
func at(n int) event.Moment {
	return event.Moment{TxnID: fmt.Sprintf("txn%021d", n), ExecuteAt: fmt.Sprintf("%024d", n), Time: time.UnixMicro(int64(n)).UTC()}
}

func emptyState() *event.State {
	return &event.State{
		Heads: make(map[event.Stream]event.Head), Requests: make(map[string]event.Request), Taken: make(map[ulid.ULID]bool),
		Subscribers: make(map[string]event.Subscriber), Snapshots: make(map[event.SnapshotName]uint64),
	}
}

// appending makes a command of events without data.
func appending(request string, conditions []event.Condition, events ...event.Event) event.Command {
	return event.Command{Append: &event.Append{RequestID: request, Conditions: conditions, Events: events}, Hash: event.Hash{byte(len(events))}}
}

// three is a state in which a.1 has three events, with the ids 1 to 3, and a.2 one, with the id 4.
func three(t *testing.T) *event.State {
	t.Helper()
	s := emptyState()
	for i, stream := range []event.Stream{"a.1", "a.1", "a.1", "a.2"} {
		if o := s.Evaluate(appending(fmt.Sprint(i), nil, event.Event{ID: id(i + 1), Stream: stream}), at(i+1)).Outcome; !o.Committed {
			t.Fatalf("setting up: %+v", o)
		}
	}
	return s
}

func TestEvaluateConditions(t *testing.T) {
	on := func(stream event.Stream, expect event.Expect) []event.Condition {
		return []event.Condition{{Stream: stream, Expect: expect}}
	}
	version := func(stream event.Stream, n uint64, i int) event.Event {
		return event.Event{ID: id(i), Stream: stream, Version: n}
	}
	for name, c := range map[string]struct {
		conditions []event.Condition
		events     []event.Event
		conflicts  []event.Conflict
	}{
		"any":                   {on("a.9", event.ExpectAny), nil, nil},
		"exists":                {on("a.1", event.ExpectExists), nil, nil},
		"exists, but does not":  {on("a.9", event.ExpectExists), nil, []event.Conflict{{Stream: "a.9", Want: event.ExpectExists}}},
		"none":                  {on("a.9", event.ExpectNone), nil, nil},
		"none, but there is":    {on("a.1", event.ExpectNone), nil, []event.Conflict{{Stream: "a.1", Want: 0, Have: 3}}},
		"the version":           {on("a.1", 3), nil, nil},
		"an older version":      {on("a.1", 2), nil, []event.Conflict{{Stream: "a.1", Want: 2, Have: 3}}},
		"a newer version":       {on("a.1", 4), nil, []event.Conflict{{Stream: "a.1", Want: 4, Have: 3}}},
		"an impossible version": {on("a.1", -7), nil, []event.Conflict{{Stream: "a.1", Want: -7, Have: 3}}},
		"all that fail are told": {
			[]event.Condition{{Stream: "a.1", Expect: 1}, {Stream: "a.2", Expect: 1}, {Stream: "a.3", Expect: event.ExpectExists}},
			[]event.Event{version("a.4", 2, 9)},
			[]event.Conflict{{Stream: "a.1", Want: 1, Have: 3}, {Stream: "a.3", Want: event.ExpectExists}, {Stream: "a.4", Want: 1, Have: 0}},
		},
		"the next version":           {nil, []event.Event{version("a.1", 4, 9)}, nil},
		"the first version":          {nil, []event.Event{version("a.9", 1, 9)}, nil},
		"the same version":           {nil, []event.Event{version("a.1", 3, 9)}, []event.Conflict{{Stream: "a.1", Want: 2, Have: 3}}},
		"a version too far":          {nil, []event.Event{version("a.1", 5, 9)}, []event.Conflict{{Stream: "a.1", Want: 4, Have: 3}}},
		"a run of versions":          {nil, []event.Event{version("a.1", 4, 9), version("a.2", 2, 10), version("a.1", 5, 11), version("a.1", 0, 12), version("a.1", 7, 13)}, nil},
		"a run with a gap":           {nil, []event.Event{version("a.1", 4, 9), version("a.1", 6, 10)}, []event.Conflict{{Stream: "a.1", Want: 4, Have: 3}}},
		"a conflict once a stream":   {nil, []event.Event{version("a.1", 9, 9), version("a.1", 9, 10)}, []event.Conflict{{Stream: "a.1", Want: 8, Have: 3}}},
		"a version behind any":       {nil, []event.Event{version("a.1", 0, 9), version("a.1", 4, 10)}, []event.Conflict{{Stream: "a.1", Want: 2, Have: 3}}},
		"versions that its own pass": {nil, []event.Event{version("a.9", 0, 9), version("a.9", 0, 10), version("a.9", 1, 11)}, []event.Conflict{{Stream: "a.9", Want: 0, Have: 2}}},
		"conditions see no new one":  {on("a.9", event.ExpectNone), []event.Event{version("a.9", 0, 9), version("a.9", 0, 10)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if c.events == nil {
				c.events = []event.Event{{ID: id(9), Stream: "b.1"}}
			}
			got := three(t).Evaluate(appending("r", c.conditions, c.events...), at(9))
			if !reflect.DeepEqual(got.Outcome.Conflicts, c.conflicts) {
				t.Errorf("conflicts are %+v, want %+v", got.Outcome.Conflicts, c.conflicts)
			}
			if got.Outcome.Committed != (c.conflicts == nil) || (len(got.Events) > 0) != got.Outcome.Committed {
				t.Errorf("got %+v", got)
			}
			if got.Request == nil || !reflect.DeepEqual(got.Request.Outcome, got.Outcome) {
				t.Errorf("what is remembered is %+v, the outcome %+v", got.Request, got.Outcome)
			}
		})
	}
}

func TestEvaluateWrites(t *testing.T) {
	s := three(t)
	got := s.Evaluate(appending("r", nil,
		event.Event{ID: id(7), Stream: "a.2", Type: "X", Data: []byte("1")},
		event.Event{ID: id(8), Stream: "a.1"},
		event.Event{ID: id(9), Stream: "a.2"}), at(50))
	position := func(i int) event.Position { return event.PositionAt(at(50).ExecuteAt, i) }
	want := event.Receipt{
		RequestID: "r", TxnID: at(50).TxnID, Position: position(2),
		Streams: []event.StreamVersion{{Stream: "a.2", Version: 3}, {Stream: "a.1", Version: 4}},
		Events: []event.Ref{
			{ID: id(7), Stream: "a.2", Version: 2, Position: position(0)},
			{ID: id(8), Stream: "a.1", Version: 4, Position: position(1)},
			{ID: id(9), Stream: "a.2", Version: 3, Position: position(2)},
		},
	}
	if !reflect.DeepEqual(got.Outcome.Receipt, want) {
		t.Errorf("got the receipt %+v, want %+v", got.Outcome.Receipt, want)
	}
	first := event.Event{ID: id(7), Stream: "a.2", Type: "X", Data: []byte("1"), Version: 2, Position: position(0), TxnID: at(50).TxnID, RecordedAt: at(50).Time}
	if !reflect.DeepEqual(got.Events[0], first) {
		t.Errorf("got %+v, want %+v", got.Events[0], first)
	}
	if head := s.Heads["a.2"]; head != (event.Head{Version: 3, Position: position(2)}) {
		t.Errorf("the head is %+v", head)
	}
	if !s.Taken[id(9)] {
		t.Error("an id written is not taken")
	}
}

func TestEvaluateTakenIDs(t *testing.T) {
	s := three(t)
	got := s.Evaluate(appending("r", []event.Condition{{Stream: "a.1", Expect: 9}},
		event.Event{ID: id(2), Stream: "a.1"}, event.Event{ID: id(9), Stream: "a.1"}, event.Event{ID: id(4), Stream: "a.1"}), at(9))
	if want := []string{id(2).String(), id(4).String()}; !reflect.DeepEqual(got.Outcome.IDTaken, want) || got.Outcome.Committed {
		t.Errorf("got %+v, want the ids %q", got.Outcome, want)
	}
	if len(got.Outcome.Conflicts) != 1 {
		t.Errorf("a failed check is not told beside taken ids: %+v", got.Outcome)
	}
	if s.Taken[id(9)] || s.Heads["a.1"].Version != 3 {
		t.Error("a refused append changed the state")
	}
}

func TestEvaluateRepeats(t *testing.T) {
	s := three(t)
	yes := appending("yes", nil, event.Event{ID: id(7), Stream: "a.1"})
	no := appending("no", []event.Condition{{Stream: "a.1", Expect: 0}}, event.Event{ID: id(8), Stream: "a.1"})
	for name, command := range map[string]event.Command{"committed": yes, "refused": no} {
		first := s.Evaluate(command, at(10))
		heads := s.Heads["a.1"]
		again := s.Evaluate(command, at(11))
		want := first.Outcome
		want.Duplicate = true
		if !reflect.DeepEqual(again, event.Evaluation{Outcome: want}) {
			t.Errorf("%s: got %+v, want the first outcome %+v and nothing to store", name, again, want)
		}
		if s.Heads["a.1"] != heads {
			t.Errorf("%s: the repeat changed the head", name)
		}
		other := command
		other.Hash[0]++
		reused := s.Evaluate(other, at(12))
		if !reused.Outcome.Reused || reused.Outcome.Committed || reused.Outcome.TxnID != at(10).TxnID || reused.Request != nil || reused.Events != nil {
			t.Errorf("%s, with other content: got %+v", name, reused)
		}
	}
}

func TestEvaluateSubscribers(t *testing.T) {
	s := emptyState()
	p := func(i int) event.Position { return event.PositionAt(at(i).ExecuteAt, 0) }
	claim := func(worker int) event.Command {
		return event.Command{Claim: &event.Claim{Key: "k", Worker: id(worker)}}
	}
	ack := func(worker, i int, lag uint64) event.Command {
		return event.Command{Ack: &event.Ack{Key: "k", Worker: id(worker), Position: p(i), Lag: lag}}
	}
	take := func(worker, previous int) event.Command {
		return event.Command{TakeOver: &event.TakeOver{Key: "k", Worker: id(worker), Previous: id(previous)}}
	}
	reset := func(p event.Position) event.Command {
		return event.Command{Reset: &event.Reset{Key: "k", Position: p}}
	}
	state := func(worker int, cursor event.Position, lag uint64, seen int) event.Subscriber {
		return event.Subscriber{Key: "k", Worker: id(worker), Cursor: cursor, Lag: lag, Seen: at(seen).Time}
	}
	for i, step := range []struct {
		command event.Command
		fenced  bool
		want    event.Subscriber
	}{
		{ack(1, 5, 1), true, event.Subscriber{}},
		{ack(0, 5, 1), true, event.Subscriber{}}, // the zero worker is not everybody's
		{take(1, 2), true, event.Subscriber{}},
		{claim(1), false, state(1, "", 0, 3)},
		{ack(1, 5, 7), false, state(1, p(5), 7, 4)},
		{ack(1, 3, 9), false, state(1, p(5), 7, 5)}, // late
		{ack(1, 5, 6), false, state(1, p(5), 6, 6)},
		{ack(2, 8, 1), true, state(1, p(5), 6, 6)},
		{claim(2), false, state(2, p(5), 6, 8)},
		{ack(1, 9, 1), true, state(2, p(5), 6, 8)},
		{ack(2, 9, 1), false, state(2, p(9), 1, 10)},
		{take(3, 0), true, state(2, p(9), 1, 10)},
		{take(3, 1), true, state(2, p(9), 1, 10)},
		{take(0, 1), true, state(2, p(9), 1, 10)}, // nobody gives back what is not his
		{take(2, 2), false, state(2, p(9), 1, 14)},
		{take(3, 2), false, state(3, p(9), 1, 15)},
		{take(3, 2), false, state(3, p(9), 1, 16)}, // repeated
		{take(2, 2), true, state(3, p(9), 1, 16)},
		{take(0, 3), false, state(0, p(9), 1, 18)},
		{take(0, 3), false, state(0, p(9), 1, 19)},
		{ack(0, 10, 1), true, state(0, p(9), 1, 19)},
		{ack(3, 10, 1), true, state(0, p(9), 1, 19)},
		{take(4, 0), false, state(4, p(9), 1, 22)},
		{reset(p(2)), false, state(0, p(2), 0, 23)},
		{ack(4, 10, 1), true, state(0, p(2), 0, 23)},
		{take(4, 4), true, state(0, p(2), 0, 23)},
		{reset(""), false, state(0, "", 0, 26)},
	} {
		got := s.Evaluate(step.command, at(i))
		if got.Outcome.Fenced != step.fenced || got.Outcome.Committed == step.fenced || (got.Subscriber == nil) != step.fenced {
			t.Errorf("step %d: got %+v, want fenced to be %v", i, got.Outcome, step.fenced)
		}
		if s.Subscribers["k"] != step.want {
			t.Errorf("step %d: the subscriber is %+v, want %+v", i, s.Subscribers["k"], step.want)
		}
		if got.Subscriber != nil && *got.Subscriber != step.want {
			t.Errorf("step %d: stores %+v, want %+v", i, *got.Subscriber, step.want)
		}
	}
}

func TestEvaluateSnapshots(t *testing.T) {
	s := emptyState()
	put := func(version uint64) *event.Snapshot {
		return &event.Snapshot{Stream: "a.1", Name: "n", Version: version}
	}
	name := event.SnapshotName{Stream: "a.1", Name: "n"}
	for i, step := range []struct {
		command event.Command
		stored  *event.Snapshot
		there   bool
	}{
		{event.Command{DropSnapshot: &name}, nil, false},
		{event.Command{PutSnapshot: put(5)}, put(5), true},
		{event.Command{PutSnapshot: put(4)}, nil, true},
		{event.Command{PutSnapshot: put(5)}, put(5), true},
		{event.Command{PutSnapshot: &event.Snapshot{Stream: "a.1", Name: "other"}}, &event.Snapshot{Stream: "a.1", Name: "other"}, true},
		{event.Command{PutSnapshot: put(6)}, put(6), true},
		{event.Command{DropSnapshot: &name}, nil, false},
		{event.Command{PutSnapshot: put(0)}, put(0), true},
	} {
		got := s.Evaluate(step.command, at(i))
		if !got.Outcome.Committed || !reflect.DeepEqual(got.Snapshot, step.stored) || !reflect.DeepEqual(got.Drop, step.command.DropSnapshot) {
			t.Errorf("step %d: got %+v, want %+v to be stored", i, got, step.stored)
		}
		if _, there := s.Snapshots[name]; there != step.there {
			t.Errorf("step %d: there is a snapshot: %v, want %v", i, there, step.there)
		}
	}
}

func TestOutcomeResult(t *testing.T) {
	committed := event.Receipt{RequestID: "r", TxnID: "t", Position: "p"}
	if got, err := (event.Outcome{Receipt: committed, Committed: true}).Result(); err != nil || !reflect.DeepEqual(got, committed) {
		t.Errorf("committed: got %+v, %v", got, err)
	}
	conflicts := []event.Conflict{{Stream: "a.1", Want: 1, Have: 2}, {Stream: "a.2"}}
	_, err := (event.Outcome{Receipt: event.Receipt{RequestID: "r", Duplicate: true}, Conflicts: conflicts, IDTaken: []string{"x"}}).Result()
	conflict, ok := errors.AsType[*event.ConflictError](err)
	if !ok || conflict.Conflict != conflicts[0] || len(conflict.All) != 2 || conflict.RequestID != "r" || !conflict.Duplicate {
		t.Errorf("conflict: got %+v", err)
	}
	_, err = (event.Outcome{IDTaken: []string{"x"}}).Result()
	if taken, ok := errors.AsType[*event.IDTakenError](err); !ok || taken.IDs[0] != "x" {
		t.Errorf("taken: got %v", err)
	}
	_, err = (event.Outcome{Receipt: event.Receipt{RequestID: "r", TxnID: "t"}, Reused: true}).Result()
	if reused, ok := errors.AsType[*event.ReusedError](err); !ok || *reused != (event.ReusedError{RequestID: "r", TxnID: "t"}) {
		t.Errorf("reused: got %v", err)
	}
	if _, err = (event.Outcome{Fenced: true}).Result(); !errors.Is(err, event.ErrFenced) {
		t.Errorf("fenced: got %v", err)
	}
}

func TestSafeToRetry(t *testing.T) {
	for _, c := range []struct {
		err  error
		safe bool
	}{
		{nil, false},
		{errors.New("x"), false},
		{event.ErrDraining, true},
		{fmt.Errorf("node: %w", event.ErrNoQuorum), true},
		{event.ErrAborted, true},
		{event.ErrClosed, false},
		{event.ErrFenced, false},
		{event.ErrNotFound, false},
		{&event.OverloadedError{}, true},
		{&event.UnknownError{RequestID: "r", Err: event.ErrClosed}, true},
		{&event.UnknownError{Err: event.ErrClosed}, false},
		{&event.UnknownError{RequestID: "r", Err: event.ErrNoQuorum}, true},
		{&event.UnknownError{Err: event.ErrNoQuorum}, false},
		{&event.UnknownError{Err: &event.OverloadedError{}}, false},
		{&event.ConflictError{}, false},
		{&event.InvalidError{}, false},
		{&event.TooLargeError{}, false},
		{&event.ReusedError{}, false},
		{&event.IDTakenError{}, false},
	} {
		if got := event.SafeToRetry(c.err); got != c.safe {
			t.Errorf("%v: got %v, want %v", c.err, got, c.safe)
		}
	}
}
