package tests

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named "pgx"
	_ "modernc.org/sqlite"             // the driver named "sqlite"

	"natsaccord/embeddednats"
	"natsaccord/event"
)

// open opens the database of a node behind its back.
func open(t *testing.T, store string) *sql.DB {
	t.Helper()
	driver, name := "pgx", store
	if path, ok := strings.CutPrefix(store, "sqlite:"); ok {
		driver, name = "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestDamagedRowIsReported changes one row in one node's database behind its back. verify finds it by halving, the node
// finds it by itself when it reads its log again, names the position, and sends clients to other nodes; when the row is as
// it was, it answers again.
func TestDamagedRowIsReported(t *testing.T) {
	for kind, stores := range map[string]func(t *testing.T) []string{
		"SQLite": sqliteStores,
		"Postgres": func(t *testing.T) []string {
			return []string{postgres.Database(t), postgres.Database(t), postgres.Database(t)}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			c := startOn(t, stores(t), embeddednats.Config{Port: embeddednats.AnyPort}, "--scrub-every", "1s")
			c.run("import", realInput)
			c.wants(c.run("verify"), "3 nodes agree on 3735 events")
			db := open(t, c.stores[1])
			var position, data string
			if err := db.QueryRow(`SELECT position, CAST(data AS text) FROM event ORDER BY position LIMIT 1 OFFSET 2345`).Scan(&position, &data); err != nil {
				t.Fatal(err)
			}
			change := func(to string) {
				t.Helper()
				if _, err := db.Exec(`UPDATE event SET data = $1 WHERE position = $2`, to, position); err != nil {
					t.Fatal(err)
				}
			}
			change(`{"damaged":true}`)
			out, err := exec.Command(accord.path(t), "verify", "--server", c.server).CombinedOutput()
			if _, failed := errors.AsType[*exec.ExitError](err); !failed || !strings.Contains(string(out), position) {
				t.Errorf("verify: got %v, %s, want %s", err, out, position)
			}
			t.Logf("verify: %s", out)
			s := c.state(t, 1, "diverged")
			if !strings.Contains(s.Alarm, "has changed at "+position+", behind 2345 events") {
				t.Errorf("the alarm says %q, want %s", s.Alarm, position)
			}
			c.refuses(t, "n2")
			for i := range 10 { // others answer in its place
				if _, err := c.client.Append(t.Context(), event.Append{Events: []event.Event{{Stream: "after.1", Type: "T", Data: fmt.Append(nil, i)}}}); err != nil {
					t.Error(err)
				}
			}
			change(data)
			c.state(t, 1, "ready")
			c.wants(c.run("verify"), "3 nodes agree on 3745 events")
		})
	}
}

// state waits until node i is in a state, a minute at most, and returns its status.
func (c *cluster) state(t *testing.T, i int, want string) event.NodeStatus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		s, err := c.client.Status(ctx, fmt.Sprintf("n%d", i+1))
		switch {
		case ctx.Err() != nil:
			t.Fatalf("node %d is %s after a minute, want %s", i+1, s.State, want)
		case err == nil && s.State == want:
			return s
		}
		<-ticker.C
	}
}

// refuses checks that a node neither takes nor answers, but for whoever wants to look at it.
func (c *cluster) refuses(t *testing.T, node string) {
	t.Helper()
	at, err := c.client.At(node)
	if err != nil {
		t.Fatal(err)
	}
	// A client tries again until its time is up: what comes after has its own.
	within := func(timeout time.Duration, call func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		return call(ctx)
	}
	read := func(args event.ReadArgs) func(context.Context) error {
		return func(ctx context.Context) error { _, err := at.Read(ctx, args); return err }
	}
	err = within(time.Second, func(ctx context.Context) error {
		_, err := at.Append(ctx, event.Append{Events: []event.Event{{Stream: "after.1", Type: "T", Data: []byte("1")}}})
		return err
	})
	if !errors.Is(err, event.ErrDiverged) {
		t.Errorf("append at %s: got %v, want that it refuses", node, err)
	}
	for _, consistency := range []event.Consistency{event.Linearizable, event.Frontier, event.AtLeast} {
		if err := within(time.Second, read(event.ReadArgs{Stream: "after.1", Consistency: consistency})); !errors.Is(err, event.ErrDiverged) {
			t.Errorf("read at %s, %s: got %v, want that it refuses", node, consistency, err)
		}
	}
	if err := within(30*time.Second, read(event.ReadArgs{Limit: 1, Consistency: event.Local})); err != nil {
		t.Errorf("local read at %s: %v", node, err)
	}
}
