package sqlstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/event/eventtest"
	"natsaccord/sqlstore"
	"natsaccord/sqlstore/pgtest"
)

var server pgtest.Server

func TestMain(m *testing.M) {
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop Postgres:", err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// onBoth runs a test on a new database of each kind.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "a.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, server.Database(t)) })
}

func open(t *testing.T, url string) *sqlstore.Store {
	t.Helper()
	return openAs(t, sqlstore.Config{URL: url, Cluster: "c", Node: "n1", Nodes: []string{"n1", "n2"}})
}

func openAs(t *testing.T, cfg sqlstore.Config) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestExecutor(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := openAs(t, sqlstore.Config{URL: url})
		eventtest.Exercise(t, func(*testing.T) event.Executor { return s })
	})
}

func at(hlc uint64) accord.Timestamp {
	return accord.Timestamp{HLC: hlc, Node: 1, Kind: accord.KindWrite}
}
func txn(hlc uint64) accord.TxnID { return accord.TxnID{Timestamp: at(hlc)} }

// full is a record with something in every field.
func full(hlc uint64) accord.Record {
	proposed, decided := accord.NewDeps(at(1), []accord.TxnID{txn(2), txn(3)}), accord.NewDeps(at(4), nil)
	return accord.Record{
		ID: txn(hlc), Txn: &accord.Txn{Keys: accord.NewKeys([]accord.Key{"sa.1", "c\"x"}), Body: []byte{0, 1, 2}}, Status: accord.StatusStable,
		Promised: accord.Ballot{Timestamp: accord.Timestamp{HLC: 9, Node: 2}}, Vote: at(hlc), VoteFast: true, VoteRejected: true,
		AcceptedBallot: accord.Ballot{Timestamp: accord.Timestamp{HLC: 8, Node: 2}}, ExecuteAt: at(hlc + 1), AcceptedDeps: &proposed, Deps: &decided,
	}
}

func load(t *testing.T, s *sqlstore.Store) (accord.Scalars, []accord.Record) {
	t.Helper()
	scalars, records, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []accord.Record
	for rec, err := range records {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rec)
	}
	return scalars, all
}

func TestJournalKeepsEveryField(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		bare := accord.Record{ID: txn(20), Promised: accord.Ballot{Timestamp: at(21)}}
		want := accord.Scalars{HLCLimit: 7, Epoch: 1, ConflictFloor: at(1), RejectFloor: at(2), Watermark: at(3), RedundantBefore: at(4)}
		if err := s.AppendRecords(t.Context(), []accord.Record{full(10), bare}, &want); err != nil {
			t.Fatal(err)
		}
		scalars, records := load(t, s)
		if scalars != want {
			t.Errorf("got scalars %+v, want %+v", scalars, want)
		}
		if expected := []accord.Record{full(10), bare}; !reflect.DeepEqual(records, expected) {
			t.Errorf("got %+v, want %+v", records, expected)
		}
	})
}

func TestLaterRecordReplacesEarlierButKeepsTheBody(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		first, second, third := full(10), full(10), full(10)
		first.Status = accord.StatusPreAccepted
		second.Status, second.Txn = accord.StatusAccepted, nil
		third.Txn = nil
		for _, group := range [][]accord.Record{{first, second}, {third}} {
			if err := s.AppendRecords(t.Context(), group, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, records := load(t, s); !reflect.DeepEqual(records, []accord.Record{full(10)}) {
			t.Errorf("got %+v, want %+v", records, full(10))
		}
	})
}

// execution makes an append that is due at hlc.
func execution(t *testing.T, hlc uint64, a event.Append) accord.Execution {
	t.Helper()
	cmd, err := event.NewAppend(a, event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return executing(t, hlc, cmd)
}

// executing makes a command that is due at hlc.
func executing(t *testing.T, hlc uint64, cmd event.Command) accord.Execution {
	t.Helper()
	body, err := cmd.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	rec := full(hlc)
	rec.ExecuteAt, rec.Txn = at(hlc), &accord.Txn{Keys: accord.NewKeys([]accord.Key{"sa.1"}), Body: body}
	return accord.Execution{Record: rec}
}

func note(stream event.Stream, version uint64) event.Event {
	return event.Event{Stream: stream, Version: version, Type: "Noted", Data: []byte(`{"n":1}`)}
}

func TestApplyIsExactlyOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		batch := []accord.Execution{
			execution(t, 10, event.Append{RequestID: "r1", Events: []event.Event{note("a.1", 0), note("a.2", 0)}}),
			execution(t, 11, event.Append{RequestID: "r2", Events: []event.Event{note("a.1", 1)}}),
			execution(t, 12, event.Append{RequestID: "r1", Events: []event.Event{note("a.1", 0), note("a.2", 0)}}),
			execution(t, 13, event.Append{RequestID: "r1", Events: []event.Event{note("a.3", 0)}}),
		}
		first, err := s.Apply(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		if !first[0].Committed || first[1].Committed || !first[2].Duplicate || !first[3].Reused {
			t.Fatalf("got %+v", first)
		}
		if c := first[1].Conflicts; len(c) != 1 || c[0] != (event.Conflict{Stream: "a.1", Want: 0, Have: 1}) {
			t.Errorf("got conflicts %+v", c)
		}
		again, err := s.Apply(t.Context(), batch[:2])
		if err != nil || !reflect.DeepEqual(again, first[:2]) {
			t.Errorf("applied again: got %+v, %v, want %+v", again, err, first[:2])
		}
		if events, _, _ := s.Stats(t.Context()); events != 2 {
			t.Errorf("got %d events, want 2", events)
		}
		sticky := batch[0].Record
		sticky.Txn = nil
		if err := s.AppendRecords(t.Context(), []accord.Record{sticky}, nil); err != nil {
			t.Fatal(err)
		}
		if _, records := load(t, s); records[0].Status != accord.StatusApplied {
			t.Errorf("a later record made %s of applied", records[0].Status)
		}
	})
}

func TestApplyIsAllOrNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		good := execution(t, 10, event.Append{Events: []event.Event{note("a.1", 0)}})
		bad := good
		bad.Record.ID, bad.Record.Txn = txn(11), &accord.Txn{Body: []byte("no command")}
		if _, err := s.Apply(t.Context(), []accord.Execution{good, bad}); !errors.Is(err, event.ErrMalformed) {
			t.Fatalf("got %v, want a malformed command", err)
		}
		if head, err := s.Head(t.Context(), "a.1"); err != nil || head.Version != 0 {
			t.Errorf("got %+v, %v, want nothing written", head, err)
		}
	})
}

func TestDisjointBatchesSideBySide(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		const lanes, each = 4, 25
		var running sync.WaitGroup
		for lane := range lanes {
			running.Go(func() {
				for i := range each {
					stream := event.Stream(fmt.Sprintf("a.%d", lane))
					x := execution(t, uint64(1000*(lane+1)+i), event.Append{Events: []event.Event{note(stream, uint64(i+1))}})
					if outcomes, err := s.Apply(t.Context(), []accord.Execution{x}); err != nil || !outcomes[0].Committed {
						t.Errorf("got %+v, %v", outcomes, err)
					}
				}
			})
		}
		running.Wait()
		if events, _, _ := s.Stats(t.Context()); events != lanes*each {
			t.Errorf("got %d events, want %d", events, lanes*each)
		}
	})
}

func TestSecondOpenIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		open(t, url)
		_, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url, Cluster: "c", Node: "n1", Nodes: []string{"n1", "n2"}})
		if !errors.Is(err, sqlstore.ErrLocked) {
			t.Errorf("got %v, want ErrLocked", err)
		}
	})
}

func TestReopen(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		receipt, err := s.Append(t.Context(), event.Append{RequestID: "r", Events: []event.Event{note("a.1", 0)}})
		if err != nil {
			t.Fatal(err)
		}
		incarnation := s.Incarnation()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for name, other := range map[string]sqlstore.Config{
			"node":    {URL: url, Cluster: "c", Node: "n2", Nodes: []string{"n1", "n2"}},
			"cluster": {URL: url, Cluster: "d", Node: "n1", Nodes: []string{"n1", "n2"}},
			"members": {URL: url, Cluster: "c", Node: "n1", Nodes: []string{"n1", "n2", "n3"}},
		} {
			if _, err := sqlstore.Open(t.Context(), other); !errors.Is(err, sqlstore.ErrForeign) {
				t.Errorf("other %s: got %v, want ErrForeign", name, err)
			}
		}
		s = open(t, url)
		if s.Incarnation() != incarnation+1 {
			t.Errorf("got incarnation %d, want %d", s.Incarnation(), incarnation+1)
		}
		later, err := s.Append(t.Context(), event.Append{Events: []event.Event{note("a.1", 2)}})
		if err != nil || later.Position <= receipt.Position {
			t.Errorf("got %+v, %v, want a position behind %s", later, err, receipt.Position)
		}
		again, err := s.Append(t.Context(), event.Append{RequestID: "r", Events: []event.Event{note("a.1", 0)}})
		if err != nil || !again.Duplicate || again.Position != receipt.Position {
			t.Errorf("got %+v, %v, want the first receipt", again, err)
		}
	})
}

// TestJournalAndApplySideBySide writes the records of transactions while they are applied: in whatever order each
// of the two takes its rows, neither may fail.
func TestJournalAndApplySideBySide(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		for round := range uint64(60) {
			var records []accord.Record
			var batch []accord.Execution
			for i := range uint64(40) {
				hlc := 1000*(round+1) + i
				x := execution(t, hlc, event.Append{Events: []event.Event{note("a.1", 0)}})
				rec := x.Record
				if i%2 == 0 {
					rec.Txn = nil // recorded before
				}
				records, batch = append(records, rec), append(batch, x)
			}
			var running sync.WaitGroup
			running.Go(func() {
				if err := s.AppendRecords(t.Context(), records, nil); err != nil {
					t.Error(err)
				}
			})
			running.Go(func() {
				if _, err := s.Apply(t.Context(), batch); err != nil {
					t.Error(err)
				}
			})
			running.Wait()
		}
	})
}

func TestPublishedIsRemembered(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		if p, err := s.Published(t.Context()); err != nil || p != "" {
			t.Errorf("at first: got %q, %v", p, err)
		}
		want := event.PositionAt(at(7).String(), 3)
		if err := s.SetPublished(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if err := s.AppendRecords(t.Context(), nil, &accord.Scalars{HLCLimit: 9}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if p, err := open(t, url).Published(t.Context()); err != nil || p != want {
			t.Errorf("after a restart: got %q, %v, want %s", p, err, want)
		}
	})
}

func TestMarksAreRemembered(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		if m, err := s.Mark(t.Context(), 1<<62); err != nil || m != (event.Digest{}) {
			t.Errorf("at first: got %+v, %v", m, err)
		}
		mark := func(n uint64) event.Digest {
			return event.Digest{To: n, Position: event.PositionAt(at(n).String(), 0), Sum: strings.Repeat("a", 64)}
		}
		for _, n := range []uint64{10, 20, 30} {
			if err := s.AddMark(t.Context(), mark(n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.AddMark(t.Context(), event.Digest{To: 20, Sum: "other"}); err != nil {
			t.Errorf("again: %v", err)
		}
		for events, want := range map[uint64]event.Digest{9: {}, 10: mark(10), 29: mark(20), 1 << 62: mark(30)} {
			if m, err := s.Mark(t.Context(), events); err != nil || m != want {
				t.Errorf("of at most %d events: got %+v, %v, want %+v", events, m, err, want)
			}
		}
	})
}
