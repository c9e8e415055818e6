package sqlstore_test

import (
	"path/filepath"
	"testing"

	"natsaccord/accord"
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
