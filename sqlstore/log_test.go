package sqlstore_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/sqlstore"
)

// TestLogBeyondItsWatermark has another store take over a log most of which lies beyond the watermark, more than a part holds: all that is
// said to be applied must come with it.
func TestLogBeyondItsWatermark(t *testing.T) {
	const count = 1500
	onBoth(t, func(t *testing.T, url string) {
		from, batch := open(t, url), appends(t, count)
		if err := from.AppendRecords(t.Context(), records(batch), &accord.Scalars{Watermark: at(15)}); err != nil {
			t.Fatal(err)
		}
		if _, err := from.Apply(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		into := openAs(t, sqlstore.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "b.db"), Cluster: "c", Node: "n2", Nodes: []string{"n1", "n2"}})
		var report accord.CaughtUp
		for cursor, more := "", true; more; more = cursor != "" {
			part, err := from.ReadLog(t.Context(), accord.Timestamp{}, cursor)
			if err != nil {
				t.Fatal(err)
			}
			if cursor, report, err = into.MergeLog(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
		applied := 0
		for _, rec := range report.Records {
			if rec.Status == accord.StatusApplied {
				applied++
			}
		}
		if events, _, err := into.Stats(t.Context()); err != nil || events != count || applied != count {
			t.Errorf("got %d events, %d transactions said to be applied, %v, want %d", events, applied, err, count)
		}
	})
}

// TestBundleAtTheEndOfAPart has another store take over a log in which the bound of a part falls into a bundle: what shares a
// transaction must come together, for the next part begins behind it.
func TestBundleAtTheEndOfAPart(t *testing.T) {
	const count = 999
	onBoth(t, func(t *testing.T, url string) {
		from, batch := open(t, url), appends(t, count)
		batch = append(batch, bundleOf(t, 10+count, 3), bundleOf(t, 11+count, 3))
		if err := from.AppendRecords(t.Context(), records(batch), &accord.Scalars{Watermark: at(20 + count)}); err != nil {
			t.Fatal(err)
		}
		if _, err := from.Apply(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		load(t, from) // so that the watermark is in the database
		into := openAs(t, sqlstore.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "b.db"), Cluster: "c", Node: "n2", Nodes: []string{"n1", "n2"}})
		parts := 0
		for cursor, more := "", true; more; more = cursor != "" {
			part, err := from.ReadLog(t.Context(), accord.Timestamp{}, cursor)
			if err != nil {
				t.Fatal(err)
			}
			if cursor, _, err = into.MergeLog(t.Context(), part); err != nil {
				t.Fatal(err)
			}
			parts++
		}
		if events, _, err := into.Stats(t.Context()); err != nil || events != count+6 || parts < 2 {
			t.Errorf("got %d events in %d parts, %v, want %d", events, parts, err, count+6)
		}
		for _, id := range commandIDs(batch[count:]) {
			if got, err := into.Outcome(t.Context(), id); err != nil || len(got.Events) != 1 || got.TxnID != id {
				t.Errorf("%s: got %+v, %v", id, got, err)
			}
		}
	})
}

// bundleOf is a transaction of n appends of an event.
func bundleOf(t *testing.T, hlc uint64, n int) accord.Execution {
	t.Helper()
	var c event.Command
	for i := range n {
		part, err := event.NewAppend(event.Append{RequestID: fmt.Sprintf("%d-%d", hlc, i), Events: []event.Event{note("a.bundled", 0)}}, event.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		c.Bundle = append(c.Bundle, part)
	}
	return executing(t, hlc, c)
}

// TestRepeatThatCameWithALog: a transaction that repeats a request, and a claim that was fenced, were under way at a node when
// it took over a log in which they are applied, below the watermark. The log tells of the first one only by its request, and of
// the other nothing: neither must be said to have been done.
func TestRepeatThatCameWithALog(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		first := event.Append{RequestID: "r", Events: []event.Event{note("a.1", 0), note("a.2", 0)}}
		batch := []accord.Execution{
			execution(t, 10, first), execution(t, 11, first), execution(t, 12, event.Append{RequestID: "r", Events: []event.Event{note("a.3", 0)}}),
			executing(t, 13, event.Command{Claim: &event.Claim{Key: "k", Worker: ulid.ULID{2}}}),
			executing(t, 14, event.Command{Ack: &event.Ack{Key: "k", Worker: ulid.ULID{1}}}), // fenced
		}
		from := openAs(t, sqlstore.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "b.db"), Cluster: "c", Node: "n2", Nodes: []string{"n1", "n2"}})
		want, err := from.Apply(t.Context(), batch)
		if err != nil || !want[1].Duplicate || !want[2].Reused || !want[4].Fenced {
			t.Fatalf("got %+v, %v", want, err)
		}
		if err := from.AppendRecords(t.Context(), records(batch), &accord.Scalars{Watermark: at(20)}); err != nil {
			t.Fatal(err)
		}
		load(t, from) // so that the watermark is in the database
		part, err := from.ReadLog(t.Context(), accord.Timestamp{}, "")
		if err != nil {
			t.Fatal(err)
		}
		into := open(t, url)
		if _, _, err := into.MergeLog(t.Context(), part); err != nil {
			t.Fatal(err)
		}
		passed := records(batch)
		for i := range passed {
			passed[i].Status = accord.StatusApplied
		}
		if err := into.AppendRecords(t.Context(), passed, nil); err != nil {
			t.Fatal(err)
		}
		load(t, into) // the records are in the database
		got, err := into.Apply(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		want[3], want[4] = event.Outcome{}, event.Outcome{} // nobody can tell
		for i := range want {
			if g, w := fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want[i]); g != w {
				t.Errorf("%d: got %s,\nwant %s", i, g, w)
			}
		}
	})
}
