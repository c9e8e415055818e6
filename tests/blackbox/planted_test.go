package blackbox

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"natsaccord/event"
)

// TestDeletedRowIsFound takes one acknowledged event out of one node's database, behind its back: the end of a run must see it.
func TestDeletedRowIsFound(t *testing.T) {
	c := startCluster(t, sqliteStorage(t, 3), "--scrub-every", "1h") // or the nodes find it first, and do not answer
	l := newLedger()
	for range 20 {
		if err := l.mark(t.Context(), c.clients[0]); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.settle(ctx, l); err != nil {
		t.Fatal(err)
	}
	judged := func() error {
		logs, err := c.logs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return checkLogs(logs, l.requests)
	}
	if _, err := c.verify(); err != nil {
		t.Error(err)
	}
	if err := judged(); err != nil {
		t.Error("before anything is damaged: ", err)
	}
	for i := range c.nodes {
		deleteRow(t, c.storage.urls[i], l.requests[7].receipt.Position)
		if _, err := c.verify(); i == 0 && err == nil {
			t.Error("accord verify finds nothing")
		}
		if err := judged(); err == nil || !strings.Contains(err.Error(), "is lost") {
			t.Errorf("deleted at %d nodes: got %v", i+1, err)
		}
	}
}

func deleteRow(t *testing.T, store string, p event.Position) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(store, "sqlite:")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	done, err := db.Exec(`DELETE FROM event WHERE position = ?`, string(p))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := done.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("deleted %d rows, %v", n, err)
	}
}
