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

	"natsaccord/client"
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
// finds it by itself within a minute as it reads its log again, names the position, and sends clients to other nodes; when the row is as
// it was, it answers again.
func TestDamagedRowIsReported(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel() // with nothing tuned, it takes a minute
		d := newDamage(t, sqliteStores(t))
		d.is(t, "data", `{"damaged":true}`, d.position)
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		d := newDamage(t, []string{postgres.Database(t), postgres.Database(t), postgres.Database(t)}, "--scrub-every", "1s")
		d.is(t, "data", `{"damaged":true}`, d.position)
		d.is(t, "id", `no id at all`, d.position) // cannot even be read
		d.is(t, "position", d.position+"0", d.position)
	})
}

// damage is done to the second node of a cluster that has taken the real input.
type damage struct {
	*cluster
	db       *sql.DB
	position string // of the event behind 2,345 others
	id       string
	events   int
}

func newDamage(t *testing.T, stores []string, flags ...string) *damage {
	d := &damage{cluster: startOn(t, stores, embeddednats.Config{Port: embeddednats.AnyPort}, flags...), events: 3735}
	d.run("import", realInput)
	d.wants(d.run("verify"), "3 nodes agree on 3735 events")
	d.db = open(t, d.stores[1])
	if err := d.db.QueryRow(`SELECT position, id FROM event ORDER BY position LIMIT 1 OFFSET 2345`).Scan(&d.position, &d.id); err != nil {
		t.Fatal(err)
	}
	return d
}

// set changes a column of the event, and returns what it was. The version and the stream find it, which are not damaged.
func (d *damage) set(t *testing.T, column, to string) (was string) {
	t.Helper()
	const event = `(SELECT stream FROM event WHERE position = $1 OR id = $2), (SELECT version FROM event WHERE position = $1 OR id = $2)`
	if err := d.db.QueryRow(`SELECT CAST(`+column+` AS text) FROM event WHERE (stream, version) = (`+event+`)`, d.position, d.id).Scan(&was); err != nil {
		t.Fatal(err)
	}
	if _, err := d.db.Exec(`UPDATE event SET `+column+` = $3 WHERE (stream, version) = (`+event+`)`, d.position, d.id, to); err != nil {
		t.Fatal(err)
	}
	return was
}

// is damages a column and checks who says what, and that all is well when it is mended.
func (d *damage) is(t *testing.T, column, to, reported string) {
	t.Helper()
	was := d.set(t, column, to)
	began := time.Now()
	out, err := exec.Command(accord.path(t), "verify", "--server", d.server).CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); !failed || !strings.Contains(string(out), reported) {
		t.Errorf("%s: verify: got %v, %s, want %s", column, err, out, reported)
	}
	t.Logf("%s: verify: %s", column, out)
	s := d.state(t, 1, "diverged")
	took := time.Since(began)
	t.Logf("%s: reported after %s: %s", column, took.Round(time.Millisecond), s.Alarm)
	if took > time.Minute {
		t.Errorf("%s: reported %s after the damage, want a minute at most", column, took)
	}
	if !strings.Contains(s.Alarm, "has changed at "+reported+", behind 2345 events") {
		t.Errorf("%s: the alarm says %q, want %s", column, s.Alarm, reported)
	}
	d.refuses(t, "n2")
	for i := range 10 { // others answer in its place
		if _, err := d.client.Append(t.Context(), event.Append{Events: []event.Event{{Stream: "after.1", Type: "T", Data: fmt.Append(nil, i)}}}); err != nil {
			t.Error(err)
		}
	}
	d.set(t, column, was)
	d.state(t, 1, "ready")
	d.events += 10
	d.wants(d.run("verify"), fmt.Sprintf("3 nodes agree on %d events", d.events))
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
	// A client tries again until its time is up: this one has time, and few tries.
	const patience = 30 * time.Second
	at, err := client.New(c.nc, client.Options{Node: node, Tries: 1, TryTimeout: patience, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	within := func(call func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return call(ctx)
	}
	read := func(args event.ReadArgs) func(context.Context) error {
		return func(ctx context.Context) error { _, err := at.Read(ctx, args); return err }
	}
	err = within(func(ctx context.Context) error {
		_, err := at.Append(ctx, event.Append{Events: []event.Event{{Stream: "after.1", Type: "T", Data: []byte("1")}}})
		return err
	})
	if !errors.Is(err, event.ErrDiverged) {
		t.Errorf("append at %s: got %v, want that it refuses", node, err)
	}
	for _, consistency := range []event.Consistency{event.Linearizable, event.Frontier, event.AtLeast} {
		if err := within(read(event.ReadArgs{Stream: "after.1", Consistency: consistency})); !errors.Is(err, event.ErrDiverged) {
			t.Errorf("read at %s, %s: got %v, want that it refuses", node, consistency, err)
		}
	}
	if err := within(read(event.ReadArgs{Limit: 1, Consistency: event.Local})); err != nil {
		t.Errorf("local read at %s: %v", node, err)
	}
}
