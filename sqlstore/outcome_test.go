package sqlstore_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/sqlstore"
)

// everyKind is a batch in which every kind of command comes to every outcome that it can have.
func everyKind(t *testing.T) []accord.Execution {
	t.Helper()
	a, b, nobody := ulid.ULID{1}, ulid.ULID{2}, ulid.ULID{}
	r := event.Append{RequestID: "r", Events: []event.Event{note("a.1", 0), note("a.2", 0)}}
	conflict := event.Append{RequestID: "refused", Events: []event.Event{note("a.1", 7)}}
	other := event.Append{RequestID: "r", Events: []event.Event{note("a.3", 0)}}
	place := event.PositionAt(at(10).String(), 1)
	name := event.SnapshotName{Stream: "a.1", Name: "n"}
	var batch []accord.Execution
	for i, a := range []event.Append{r, conflict, r, conflict, other} {
		batch = append(batch, execution(t, uint64(10+i), a))
	}
	for i, c := range []event.Command{
		{Claim: &event.Claim{Key: "k", Worker: a}},
		{Ack: &event.Ack{Key: "k", Worker: a, Position: place, Lag: 3}},
		{Ack: &event.Ack{Key: "k", Worker: b, Position: place}}, // fenced
		{TakeOver: &event.TakeOver{Key: "k", Worker: b, Previous: a}},
		{TakeOver: &event.TakeOver{Key: "k", Worker: a, Previous: nobody}}, // fenced
		{Ack: &event.Ack{Key: "k", Worker: a, Position: place}},            // fenced
		{Reset: &event.Reset{Key: "k", Position: place}},
		{Ack: &event.Ack{Key: "k", Worker: b, Position: place}}, // fenced
		{PutSnapshot: &event.Snapshot{Stream: "a.1", Name: "n", Version: 2}},
		{PutSnapshot: &event.Snapshot{Stream: "a.1", Name: "n", Version: 1}}, // older, and passed over
		{DropSnapshot: &name},
	} {
		batch = append(batch, executing(t, uint64(20+i), c))
	}
	return append(batch, bundled(t))
}

// bundled is a transaction of five appends: one commits, one is refused, one repeats the first, one takes its id for
// something else, and one builds on the first.
func bundled(t *testing.T) accord.Execution {
	t.Helper()
	yes := event.Append{RequestID: "bundled", Events: []event.Event{note("a.1", 0), note("a.4", 0)}}
	no := event.Append{RequestID: "refused-in-a-bundle", Events: []event.Event{note("a.4", 7)}}
	other := event.Append{RequestID: "bundled", Events: []event.Event{note("a.4", 0)}}
	last := event.Append{RequestID: "last", Events: []event.Event{note("a.4", 2)}}
	var c event.Command
	for _, a := range []event.Append{yes, no, yes, other, last} {
		part, err := event.NewAppend(a, event.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		c.Bundle = append(c.Bundle, part)
	}
	return executing(t, 40, c)
}

// commandIDs returns what each command of a batch is known by.
func commandIDs(batch []accord.Execution) (ids []string) {
	for i := range batch {
		for part := range event.CountCommands(batch[i].Record.Txn.Body) {
			ids = append(ids, event.PartID(batch[i].Record.ID.String(), part))
		}
	}
	return ids
}

// TestEveryOutcomeIsReadBack applies a batch a second time, as after a crash, and asks for each outcome by its
// TxnID. What had been refused must not be told to have been done.
func TestEveryOutcomeIsReadBack(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		batch := everyKind(t)
		want, err := s.Apply(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		fenced := ""
		ids := commandIDs(batch)
		for i := range want {
			if want[i].Fenced {
				fenced += ids[i] + " "
			}
		}
		if b := want[len(want)-5:]; !b[0].Committed || len(b[1].Conflicts) != 1 || !b[2].Duplicate || !b[3].Reused || b[4].Position != event.PositionAt(at(40).String(), 2) {
			t.Fatalf("got of the bundle %+v", b)
		}
		if n := strings.Count(fenced, " "); n != 4 || !want[0].Committed || !want[2].Duplicate || !want[4].Reused {
			t.Fatalf("got %+v", want)
		}
		state, err := s.Subscriber(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, url)
		again, err := s.Apply(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			if !reflect.DeepEqual(again[i], want[i]) {
				t.Errorf("%d applied again: got %+v, want %+v", i, again[i], want[i])
			}
			if got, err := s.Outcome(t.Context(), id); err != nil || !reflect.DeepEqual(got, want[i]) {
				t.Errorf("%d by its TxnID: got %+v, %v, want %+v", i, got, err, want[i])
			}
		}
		if now, err := s.Subscriber(t.Context(), "k"); err != nil || now != state {
			t.Errorf("the subscriber is %+v, %v, and was %+v", now, err, state)
		}
		for _, id := range []string{txn(99).String(), txn(40).String() + "-5", txn(10).String() + "-1"} {
			if got, err := s.Outcome(t.Context(), id); !errors.Is(err, event.ErrNotFound) {
				t.Errorf("of %s, that never was: got %+v, %v", id, got, err)
			}
		}
	})
}

// TestOutcomesComeWithALog has another store take over the log: it knows every outcome as the first one does.
func TestOutcomesComeWithALog(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		from, batch := open(t, url), everyKind(t)
		want, err := from.Apply(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		into, err := sqlstore.Open(t.Context(), sqlstore.Config{
			URL: "sqlite:" + filepath.Join(t.TempDir(), "b.db"), Cluster: "c", Node: "n2", Nodes: []string{"n1", "n2"},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer into.Close()
		for cursor, more := "", true; more; more = cursor != "" {
			part, err := from.ReadLog(t.Context(), accord.Timestamp{}, cursor)
			if err != nil {
				t.Fatal(err)
			}
			if cursor, _, err = into.MergeLog(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
		for i, id := range commandIDs(batch) {
			if got, err := into.Outcome(t.Context(), id); err != nil || !reflect.DeepEqual(got, want[i]) {
				t.Errorf("%d: got %+v, %v, want %+v", i, got, err, want[i])
			}
		}
		there, err := from.Subscriber(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		if here, err := into.Subscriber(t.Context(), "k"); err != nil || here != there || here.Seen.IsZero() {
			t.Errorf("got %+v, %v, want %+v", here, err, there)
		}
	})
}

// TestRequestsOutliveTheirTransactions takes the rows of accord_txn away, as retention does, and has the same
// transactions come again: neither they nor others with their request ids may write a second time.
func TestRequestsOutliveTheirTransactions(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		batch := everyKind(t)[:5]
		first, err := s.Apply(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if n := forget(t, url); n != len(batch) {
			t.Fatalf("forgot %d transactions, want %d", n, len(batch))
		}
		s = open(t, url)
		if _, records := load(t, s); len(records) != 0 {
			t.Fatalf("%d records are left", len(records))
		}
		later := []accord.Execution{
			execution(t, 90, event.Append{RequestID: "r", Events: []event.Event{note("a.1", 0), note("a.2", 0)}}),
			execution(t, 91, event.Append{RequestID: "refused", Events: []event.Event{note("a.1", 7)}}),
			execution(t, 92, event.Append{RequestID: "r", Events: []event.Event{note("a.1", 0)}}),
		}
		again, err := s.Apply(t.Context(), append(batch[:2:2], later...))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []event.Outcome{first[0], first[1], first[2], first[3], first[4]} {
			if !reflect.DeepEqual(again[i], want) {
				t.Errorf("%d: got %+v, want %+v", i, again[i], want)
			}
		}
		if events, _, _ := s.Stats(t.Context()); events != 2 {
			t.Errorf("there are %d events, want 2", events)
		}
		for _, id := range []string{"r", batch[0].Record.ID.String()} {
			if got, err := s.Outcome(t.Context(), id); err != nil || !reflect.DeepEqual(got, first[0]) {
				t.Errorf("outcome of %s: got %+v, %v, want %+v", id, got, err, first[0])
			}
		}
	})
}

// forget deletes all of accord_txn, and returns how much that was.
func forget(t *testing.T, url string) int {
	t.Helper()
	const forget = `DELETE FROM accord_txn`
	if path, isFile := strings.CutPrefix(url, "sqlite:"); isFile {
		db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		result, err := db.ExecContext(t.Context(), forget)
		if err != nil {
			t.Fatal(err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			t.Fatal(err)
		}
		return int(n)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	tag, err := conn.Exec(t.Context(), forget)
	if err != nil {
		t.Fatal(err)
	}
	return int(tag.RowsAffected())
}
