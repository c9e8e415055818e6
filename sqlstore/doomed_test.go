package sqlstore_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/sqlstore"
)

// command makes an append with a request id of now, if it has none.
func command(t *testing.T, a event.Append) event.Command {
	t.Helper()
	cmd, err := event.NewAppend(a, event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

func expecting(stream event.Stream, x event.Expect) event.Append {
	return event.Append{Conditions: []event.Condition{{Stream: stream, Expect: x}}, Events: []event.Event{note(stream, 0)}}
}

// TestLastTxn: the store tells at once which transaction wrote to a stream last, whatever has looked at it since, and nothing if it
// would have to find out.
func TestLastTxn(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		check := func(s *sqlstore.Store, want string) {
			t.Helper()
			if got := s.LastTxn("a.1"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		apply := func(at uint64, a event.Append) string {
			t.Helper()
			x := execution(t, at, a)
			if _, err := s.Apply(t.Context(), []accord.Execution{x}); err != nil {
				t.Fatal(err)
			}
			return x.Record.ID.String()
		}
		check(s, "")
		check(s, apply(10, event.Append{Events: []event.Event{note("a.1", 0), note("a.1", 0)}}))
		last := apply(20, event.Append{Events: []event.Event{note("a.2", 0), note("a.1", 0)}})
		check(s, last)
		apply(30, expecting("a.1", 1)) // is refused
		apply(40, event.Append{Conditions: []event.Condition{{Stream: "a.1", Expect: 3}}, Events: []event.Event{note("a.2", 0)}})
		check(s, last)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, url)
		check(s, "")
		apply(50, expecting("a.1", 1))
		check(s, "")
	})
}

func TestDoomed(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		old, used := ulid.MustNew(1, nil).String(), ulid.Make().String()
		first := event.Append{RequestID: used, Events: []event.Event{note("a.1", 0), note("a.1", 0), note("a.2", 0)}}
		if _, err := s.Apply(t.Context(), []accord.Execution{execution(t, 10, first)}); err != nil {
			t.Fatal(err)
		}
		as := func(id string, a event.Append) event.Append { a.RequestID = id; return a }
		many := event.Append{
			Conditions: []event.Condition{{Stream: "a.1", Expect: 1}, {Stream: "a.2", Expect: 5}, {Stream: "a.3", Expect: event.ExpectExists}, {Stream: "a.4", Expect: 3}},
			Events:     []event.Event{note("a.2", 1), note("a.5", 0)},
		}
		one := []event.Conflict{{Stream: "a.1", Want: 1, Have: 2}}
		for name, c := range map[string]struct {
			a    event.Append
			want []event.Conflict
		}{
			"behind":                        {expecting("a.1", 1), one},
			"far behind":                    {expecting("a.1", event.ExpectNone), []event.Conflict{{Stream: "a.1", Want: 0, Have: 2}}},
			"an event behind":               {event.Append{Events: []event.Event{note("a.1", 2)}}, one},
			"many":                          {many, []event.Conflict{one[0], {Stream: "a.2", Want: 0, Have: 1}}},
			"as it is":                      {expecting("a.1", 2), nil},
			"ahead":                         {expecting("a.1", 3), nil},
			"an event in time":              {event.Append{Events: []event.Event{note("a.1", 3)}}, nil},
			"an event ahead":                {event.Append{Events: []event.Event{note("a.1", 4)}}, nil},
			"any":                           {expecting("a.1", event.ExpectAny), nil},
			"exists, and nothing is known":  {expecting("a.9", event.ExpectExists), nil},
			"none, and nothing is known":    {expecting("a.9", event.ExpectNone), nil},
			"the request that was applied":  {as(used, first), nil},
			"its id with other content":     {as(used, expecting("a.1", 1)), nil},
			"an id of long ago":             {as(old, expecting("a.1", 1)), nil},
			"an id that is no time":         {as("r", expecting("a.1", 1)), nil},
			"an id that is written small":   {as("01jdttj5zq0000000000000000", expecting("a.1", 1)), nil},
			"something that must not exist": {event.Append{Absent: &event.Absence{Items: []event.Match{{Tags: []string{"x"}}}}, Events: []event.Event{note("a.1", 0)}}, nil},
		} {
			if got := s.Doomed(command(t, c.a)); !slices.Equal(got, c.want) {
				t.Errorf("%s: got %+v, want %+v", name, got, c.want)
			}
		}
		if got := s.Doomed(event.Command{Claim: &event.Claim{Key: "k"}}); got != nil {
			t.Errorf("a claim: got %+v", got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := open(t, url).Doomed(command(t, expecting("a.1", 1))); got != nil {
			t.Errorf("opened again, and nothing is known: got %+v", got)
		}
	})
}

// random draws an append on a few streams that demands something.
func random(rng *rand.Rand) event.Append {
	stream := func() event.Stream { return event.Stream(fmt.Sprint("a.", rng.IntN(3))) }
	a := event.Append{RequestID: ulid.Make().String()}
	for range 1 + rng.IntN(2) {
		a.Events = append(a.Events, note(stream(), 0))
	}
	if rng.IntN(3) == 0 {
		a.Events[0].Version = uint64(rng.IntN(12))
	}
	seen := make(map[event.Stream]bool)
	for range rng.IntN(3) {
		if s := stream(); !seen[s] {
			seen[s] = true
			a.Conditions = append(a.Conditions, event.Condition{Stream: s, Expect: event.Expect(rng.IntN(14) - 2)})
		}
	}
	return a
}

// TestDoomedIsRefusedEver asks of appends, again and again, whether they are doomed, and evaluates them some time: after a yes
// they are refused, for what was told or more of it, and what has committed is never doomed.
func TestDoomedIsRefusedEver(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, rng := open(t, url), rand.New(rand.NewPCG(1, 1))
		var waiting, committed []event.Append
		told := make(map[string][]event.Conflict)
		doomed, refused := 0, 0
		for hlc := range uint64(400) {
			waiting = append(waiting, random(rng))
			for _, a := range waiting {
				if conflicts := s.Doomed(command(t, a)); conflicts != nil {
					told[a.RequestID] = conflicts
				} else if told[a.RequestID] != nil {
					t.Fatalf("%+v is not doomed any more", a)
				}
			}
			for _, a := range committed {
				if conflicts := s.Doomed(command(t, a)); conflicts != nil {
					t.Fatalf("%+v has committed, and is doomed: %+v", a, conflicts)
				}
			}
			if len(waiting) < 5 {
				continue
			}
			i := rng.IntN(len(waiting))
			a := waiting[i]
			waiting = slices.Delete(waiting, i, i+1)
			outcomes, err := s.Apply(t.Context(), []accord.Execution{execution(t, 10+hlc, a)})
			if err != nil {
				t.Fatal(err)
			}
			if outcomes[0].Committed {
				committed = append(committed, a)
			} else {
				refused++
			}
			if conflicts := told[a.RequestID]; conflicts != nil {
				doomed++
				checkDoomed(t, conflicts, outcomes[0])
			}
		}
		if doomed < 50 || len(committed) < 50 || doomed > refused {
			t.Errorf("%d were doomed, %d refused and %d committed", doomed, refused, len(committed))
		}
	})
}

// checkDoomed checks that what was told early is among what an append is refused for.
func checkDoomed(t *testing.T, early []event.Conflict, outcome event.Outcome) {
	t.Helper()
	for _, c := range early {
		if !slices.ContainsFunc(outcome.Conflicts, func(o event.Conflict) bool { return o.Stream == c.Stream && o.Want == c.Want && o.Have >= c.Have }) {
			t.Errorf("told %+v, and then came to %+v", c, outcome)
		}
	}
}

// TestCommittedIsNeverDoomed has appends, each of which wants the version before its own, applied one after the other, while
// others ask of all of them whether they are doomed. Two wrong answers must be noticed.
func TestCommittedIsNeverDoomed(t *testing.T) {
	for name, c := range map[string]struct {
		ask   func(s *sqlstore.Store, c event.Command) []event.Conflict
		wrong bool
	}{
		"right":                   {(*sqlstore.Store).Doomed, false},
		"by heads alone":          {(*sqlstore.Store).DoomedByHeads, true},
		"at the version it wants": {(*sqlstore.Store).DoomedInTime, true},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string) {
				a := &asker{store: open(t, url), ask: c.ask}
				a.prepare(t)
				a.run(t)
				if c.wrong != (a.wrong.Load() > 0) {
					t.Errorf("%d were doomed that committed", a.wrong.Load())
				}
			})
		})
	}
}

// asker asks of appends that commit, and wants to hear that they are not doomed.
type asker struct {
	store   *sqlstore.Store
	ask     func(s *sqlstore.Store, c event.Command) []event.Conflict
	mine    []event.Command
	others  []event.Command // that want the same, and come too late
	batches [][]accord.Execution
	wrong   atomic.Int64
}

// together is how many are applied at a time.
const together = 3

func (a *asker) prepare(t *testing.T) {
	for i := range 300 {
		if i%together == 0 {
			a.batches = append(a.batches, nil)
		}
		mine, last := command(t, expecting("a.1", event.Expect(i))), &a.batches[i/together]
		a.mine, a.others = append(a.mine, mine), append(a.others, command(t, expecting("a.1", event.Expect(i))))
		*last = append(*last, executing(t, uint64(10+i), mine))
	}
}

func (a *asker) check(commands []event.Command) {
	for _, c := range commands {
		if a.ask(a.store, c) != nil {
			a.wrong.Add(1)
		}
	}
}

func (a *asker) run(t *testing.T) {
	var over atomic.Bool
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			for last := false; !last; {
				last = over.Load()
				a.check(a.mine)
			}
		})
	}
	for i, batch := range a.batches {
		a.check(a.mine[i*together : (i+1)*together]) // the first of them is in time
		outcomes, err := a.store.Apply(t.Context(), batch)
		if err != nil || !outcomes[together-1].Committed {
			t.Error(outcomes, err)
			break
		}
		want := []event.Conflict{{Stream: "a.1", Want: event.Expect(i * together), Have: uint64((i + 1) * together)}}
		if got := a.store.Doomed(a.others[i*together]); !slices.Equal(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	over.Store(true)
	asking.Wait()
}

// TestNothingIsDoomedWhileALogIsMerged: of a log that is merged in parts, heads and requests need not be here together.
func TestNothingIsDoomedWhileALogIsMerged(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		batch := appends(t, 1500)
		from := openAs(t, sqlstore.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "b.db"), Cluster: "c", Node: "n2", Nodes: []string{"n1", "n2"}})
		if err := from.AppendRecords(t.Context(), records(batch), &accord.Scalars{Watermark: at(5000)}); err != nil {
			t.Fatal(err)
		}
		into := open(t, url)
		mine := []accord.Execution{execution(t, 1, event.Append{Events: []event.Event{note("b.1", 0), note("b.1", 0)}})}
		for s, batch := range map[*sqlstore.Store][]accord.Execution{from: batch, into: mine} {
			if _, err := s.Apply(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		late := func() event.Command { return command(t, expecting("b.1", 1)) }
		if into.Doomed(late()) == nil {
			t.Fatal("is not doomed before")
		}
		load(t, from) // so that the watermark is in the database
		merge := func(cursor string) string {
			part, err := from.ReadLog(t.Context(), accord.Timestamp{}, cursor)
			if err != nil {
				t.Fatal(err)
			}
			if cursor, _, err = into.MergeLog(t.Context(), part); err != nil {
				t.Fatal(err)
			}
			// The stream is looked at again, and its head known.
			if _, err := into.Apply(t.Context(), []accord.Execution{execution(t, 6000, event.Append{RequestID: "look" + cursor, Events: []event.Event{note("b.1", 9)}})}); err != nil {
				t.Fatal(err)
			}
			return cursor
		}
		cursor := merge("")
		if got := into.Doomed(late()); cursor == "" || got != nil {
			t.Fatalf("%q is missing: got %+v", cursor, got)
		}
		if err := into.Close(); err != nil {
			t.Fatal(err)
		}
		into = open(t, url)
		for cursor != "" {
			if got := into.Doomed(late()); got != nil {
				t.Errorf("%q is missing: got %+v", cursor, got)
			}
			cursor = merge(cursor)
		}
		if got := into.Doomed(late()); !reflect.DeepEqual(got, []event.Conflict{{Stream: "b.1", Want: 1, Have: 2}}) {
			t.Errorf("with all of the log: got %+v", got)
		}
	})
}
