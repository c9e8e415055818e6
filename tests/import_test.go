package tests

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
)

const realInput = "../testdata/git-history.jsonl"

func TestImportIntoThreeProcessesOnPostgres(t *testing.T) {
	stores := []string{postgres.Database(t), postgres.Database(t), postgres.Database(t)}
	c := start(t, stores)
	c.wants(c.run("import", realInput, "--concurrency", "32"), "1419 committed (3735 events), 0 duplicates, 0 refused, 0 unknown")
	c.wants(c.run("verify"), "3 nodes agree on 3735 events")
	c.wants(c.run("import", realInput), "0 committed (0 events), 1419 duplicates, 0 refused, 0 unknown")
	c.wants(c.run("verify"), "3 nodes agree on 3735 events")
	first := rows(t, stores[0])
	if len(first) != 3735 {
		t.Fatalf("got %d rows, want 3735", len(first))
	}
	for i, url := range stores[1:] {
		if !slices.Equal(first, rows(t, url)) {
			t.Errorf("the rows of node %d differ from those of node 1", i+2)
		}
	}
	contiguous(t, stores[0])
}

// rows returns all of a database's events as text, in position order.
func rows(t *testing.T, url string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	found, err := conn.Query(t.Context(), `SELECT event::text FROM event ORDER BY position`)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// contiguous checks that every stream's versions run from 1 without a gap, in position order.
func contiguous(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var wrong int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM (
SELECT version, row_number() OVER (PARTITION BY stream ORDER BY position) AS want FROM event) AS v WHERE version <> want`).Scan(&wrong); err != nil {
		t.Fatal(err)
	}
	if wrong != 0 {
		t.Errorf("%d events have a version out of line", wrong)
	}
}
