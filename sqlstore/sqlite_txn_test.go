package sqlstore

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
)

// TestWhatIsLostStopsAllWrites: if what was put cannot be committed, by whoever is the next to write, nothing is written any more: it would stand behind
// a gap. Effects that were written in part are no part of it either.
func TestWhatIsLostStopsAllWrites(t *testing.T) {
	ctx := context.Background()
	good := func(n uint64) *effects {
		e := newEffects()
		at := accord.Timestamp{HLC: n, Node: 1, Kind: accord.KindWrite}
		e.events = []event.Event{{Stream: "a.1", Version: n, Type: "T", Data: []byte("1"), TxnID: at.String(), Position: event.PositionAt(at.String(), 0), RecordedAt: time.UnixMicro(1)}}
		e.applied = []accord.Record{{ID: accord.TxnID{Timestamp: at}, Txn: &accord.Txn{Body: []byte{1}}, Status: accord.StatusApplied, ExecuteAt: at}}
		e.events[0].ID[15] = byte(n)
		return e
	}
	twice := func(n uint64) *effects {
		e := good(n)
		e.events = append(e.events, e.events[0])
		return e
	}
	for name, c := range map[string]struct {
		spoil func(*sqlite) error // after the first effects were put
		next  func(*sqlite) error // finds out
	}{
		"show": {unfulfilled, func(s *sqlite) error { return s.show(ctx) }},
		"exec": {unfulfilled, func(s *sqlite) error { return s.exec(ctx, `UPDATE node SET published = ''`) }},
		"put":  {nil, func(s *sqlite) error { _, err := s.put(ctx, twice(2)); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := Open(ctx, Config{URL: "sqlite:" + t.TempDir() + "/a.db", Cluster: "c", Node: "n1", Nodes: []string{"n1", "n2"}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			s := store.engine.(*sqlite)
			if c.spoil != nil {
				if err := prepareUnfulfilled(s); err != nil {
					t.Fatal(err)
				}
			}
			if shown, err := s.put(ctx, good(1)); err != nil || shown {
				t.Fatalf("got %t, %v", shown, err)
			}
			if c.spoil != nil {
				if err := c.spoil(s); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.next(s); err == nil {
				t.Fatal("that what was put is lost is not told")
			}
			_, put := s.put(ctx, good(3))
			for what, err := range map[string]error{"show": s.show(ctx), "put": put, "exec": s.exec(ctx, `UPDATE node SET published = ''`)} {
				if err == nil {
					t.Errorf("%s succeeds after what was put is lost", what)
				}
			}
			var events int
			if err := s.readers.QueryRow(`SELECT count(*) FROM event`).Scan(&events); err != nil || events != 0 {
				t.Errorf("%d events are in the database, %v", events, err)
			}
		})
	}
}

// prepareUnfulfilled makes a table whose rows cannot be committed, and unfulfilled adds one to what was put.
func prepareUnfulfilled(s *sqlite) error {
	ctx := context.Background()
	for _, text := range []string{`PRAGMA foreign_keys = ON`, `CREATE TABLE parent (id integer PRIMARY KEY)`, `CREATE TABLE child (id integer REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`} {
		if err := s.run(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

func unfulfilled(s *sqlite) error { return s.run(context.Background(), `INSERT INTO child VALUES (1)`) }
