package sqlstore_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named "pgx"

	"natsaccord/event"
	"natsaccord/sqlstore"
)

// TestTagsAreLookedUp: a read by tag, from wherever and in whatever category, goes by the table of tags from its position on, and never over
// the events of others: what it costs is what it finds.
func TestTagsAreLookedUp(t *testing.T) {
	const n = 3000
	onBoth(t, func(t *testing.T, url string) {
		s := openAs(t, sqlstore.Config{URL: url, Cluster: "c", Node: "n1"})
		for i := 0; i < n; i += 100 {
			var events []event.Event
			for j := i; j < i+100; j++ {
				tags := []string{"hot", fmt.Sprint("one-", j)}
				events = append(events, event.Event{Stream: event.StreamOf("a", fmt.Sprint(j)), Type: "T", Data: []byte("1"), Tags: tags})
			}
			if err := s.Write(t.Context(), events); err != nil {
				t.Fatal(err)
			}
		}
		page, err := s.Read(t.Context(), event.ReadArgs{Tags: []string{"hot"}, Backward: true, Limit: 3})
		if err != nil || len(page.Events) != 3 {
			t.Fatalf("got %d events, %v", len(page.Events), err)
		}
		late := page.Next
		driver, name := "pgx", url
		if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
			driver, name = "sqlite", "file:"+path
		}
		db, err := sql.Open(driver, name)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if driver == "pgx" {
			if _, err := db.Exec(`ANALYZE`); err != nil { // as the server does by itself, later
				t.Fatal(err)
			}
		}
		for _, args := range []event.ReadArgs{
			{Tags: []string{"one-17"}}, {Tags: []string{"one-17"}, Category: "a"}, {Tags: []string{"one-17"}, Category: "a", Types: []string{"T"}, Backward: true},
			{Tags: []string{"hot"}, Category: "a", After: late}, {Tags: []string{"hot"}, After: late}, {Tags: []string{"hot"}, Before: late, Backward: true, Limit: 2},
			{Tags: []string{"hot", "one-17"}, Before: late, Category: "a"}, {Tags: []string{"one-17", "hot"}, Backward: true},
		} {
			text, values := sqlstore.SelectText(args)
			plan := explain(t, db, url, text, values...)
			if !strings.Contains(plan, "first") || strings.Contains(plan, "SCAN event") || strings.Contains(plan, "Seq Scan on event") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("read %+v is done by\n%s", args, plan)
			}
		}
	})
}

// TestHeadsAreReadFromTheIndex: to look up the head of a stream takes no row of an event, which would be one more page from anywhere in
// the log.
func TestHeadsAreReadFromTheIndex(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := openAs(t, sqlstore.Config{URL: url, Cluster: "c", Node: "n1"})
		var events []event.Event
		for i := range 3000 {
			events = append(events, event.Event{Stream: event.StreamOf("a", fmt.Sprint(i%1000)), Type: "T", Data: []byte("1")})
		}
		for part := range slices.Chunk(events, 100) {
			if err := s.Write(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
		driver, name, text, want := "pgx", url, sqlstore.PostgresHeads, "Index Only Scan"
		var streams any = []string{"a.1", "a.2"}
		if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
			driver, name, text, streams, want = "sqlite", "file:"+path, sqlstore.SQLiteHeads, `["a.1","a.2"]`, "USING COVERING INDEX event_stream_version"
		}
		db, err := sql.Open(driver, name)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if driver == "pgx" {
			if _, err := db.Exec(`VACUUM ANALYZE event`); err != nil { // as the server does by itself, later
				t.Fatal(err)
			}
		}
		if plan := explain(t, db, url, text, streams); !strings.Contains(plan, want) || strings.Contains(plan, "PRIMARY KEY") {
			t.Errorf("heads are looked up by\n%s", plan)
		}
	})
}

// explain returns how the database would do a read.
func explain(t *testing.T, db *sql.DB, url, text string, values ...any) string {
	t.Helper()
	if strings.HasPrefix(url, "sqlite:") {
		text = "EXPLAIN QUERY PLAN " + text
	} else {
		text = "EXPLAIN " + text
	}
	rows, err := db.QueryContext(t.Context(), text, values...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		row := make([]any, len(columns))
		for i := range row {
			row[i] = new(any)
		}
		if err := rows.Scan(row...); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprint(*row[len(row)-1].(*any)))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(slices.Clip(lines), "\n")
}
