package sqlstore_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named "pgx"

	"natsaccord/accord"
	"natsaccord/sqlstore"
)

// TestPruneTakesWhatIsOver looks at which rows of accord_txn go: of transactions that are over those that have not changed
// for long enough, of fences all that are over.
func TestPruneTakesWhatIsOver(t *testing.T) {
	kindAt := func(kind accord.Kind, hlc uint64) accord.TxnID {
		return accord.TxnID{Timestamp: accord.Timestamp{HLC: hlc, Node: 200, Kind: kind}}
	}
	const redundant, passed = 100, 90 // before which all is closed, and up to which all is applied
	now := uint64(time.Now().UnixMicro())
	records := map[string]accord.Record{
		"a write that is over":              {ID: kindAt(accord.KindWrite, 10), Status: accord.StatusStable, ExecuteAt: at(10)},
		"a read that is over":               {ID: kindAt(accord.KindRead, 11), Status: accord.StatusStable, ExecuteAt: at(11)},
		"an undecided write from before":    {ID: kindAt(accord.KindWrite, 12), Status: accord.StatusPreAccepted},
		"a fence that is over":              {ID: kindAt(accord.KindFence, 20), Status: accord.StatusStable, ExecuteAt: at(20)},
		"an exclusive fence that is over":   {ID: kindAt(accord.KindFenceX, 21), Status: accord.StatusStable, ExecuteAt: at(21)},
		"a fence that never came to an end": {ID: kindAt(accord.KindFence, 22), Status: accord.StatusAccepted, ExecuteAt: at(22), AcceptedBallot: accord.Ballot{Timestamp: at(1)}},
		"a write that is to be executed":    {ID: kindAt(accord.KindWrite, 30), Status: accord.StatusStable, ExecuteAt: at(passed + 1)},
		"a fence beyond the watermark":      {ID: kindAt(accord.KindFence, 31), Status: accord.StatusStable, ExecuteAt: at(passed + 1)},
		"a fence of the present":            {ID: kindAt(accord.KindFence, redundant), Status: accord.StatusStable, ExecuteAt: at(redundant)},
		"a write of the present":            {ID: kindAt(accord.KindWrite, redundant+1), Status: accord.StatusPreAccepted},
		"a write of this moment":            {ID: kindAt(accord.KindWrite, now), Status: accord.StatusPreAccepted},
	}
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		var all []accord.Record
		for _, rec := range records {
			all = append(all, rec)
		}
		if err := s.AppendRecords(t.Context(), all, &accord.Scalars{RedundantBefore: at(redundant), Watermark: at(passed)}); err != nil {
			t.Fatal(err)
		}
		load(t, s) // all of it is in the database
		prune := func(before time.Time, want ...string) {
			t.Helper()
			if n, err := s.Prune(t.Context(), before); err != nil || int(n) != len(want) {
				t.Errorf("pruned %d rows, %v, want %d", n, err, len(want))
			}
			there := standing(t, url)
			for _, name := range want {
				if there[records[name].ID.String()] {
					t.Errorf("%s still stands in accord_txn", name)
				}
			}
		}
		prune(time.Now().Add(-time.Hour), "a fence that is over", "an exclusive fence that is over", "a fence that never came to an end")
		prune(time.Now().Add(time.Hour), "a write that is over", "a read that is over", "an undecided write from before")
		prune(time.Now().Add(time.Hour))
		var left []string
		there := standing(t, url)
		for name, rec := range records {
			if there[rec.ID.String()] {
				left = append(left, name)
			}
		}
		slices.Sort(left)
		want := []string{
			"a fence beyond the watermark", "a fence of the present", "a write of the present", "a write of this moment", "a write that is to be executed",
		}
		if !slices.Equal(left, want) {
			t.Errorf("left are %q, want %q", left, want)
		}
	})
}

// TestFencesAreFoundByTheirIndex: fences stand among any number of transactions that are kept.
func TestFencesAreFoundByTheirIndex(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "a.db")
	open(t, url)
	var plan string
	each(t, url, `EXPLAIN QUERY PLAN `+sqlstore.DeleteFences, func(scan func(...any) error) error {
		var id, parent, unused int
		var detail string
		err := scan(&id, &parent, &unused, &detail)
		plan += detail + "\n"
		return err
	}, "x", "x", 1)
	if !strings.Contains(plan, "accord_txn_fence (txn_id<?)") {
		t.Errorf("the plan is\n%s", plan)
	}
}

// standing returns which transactions have a row in accord_txn.
func standing(t *testing.T, url string) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	each(t, url, `SELECT txn_id FROM accord_txn`, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		found[id] = true
		return err
	})
	return found
}

// each runs a query beside the store.
func each(t *testing.T, url, query string, row func(scan func(...any) error) error, args ...any) {
	t.Helper()
	driver, name := "pgx", url
	if path, isFile := strings.CutPrefix(url, "sqlite:"); isFile {
		driver, name = "sqlite", "file:"+filepath.ToSlash(path)
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		if err := row(found.Scan); err != nil {
			t.Fatal(err)
		}
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
}
