package sqlstore

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/sqlstore/pgtest"
)

// TestMigrationsTakeTheirTablesAlong goes back to the tables before the last migration, and forward again: what is there
// stays, and is found by the TxnID whether or not it executed at that.
func TestMigrationsTakeTheirTablesAlong(t *testing.T) {
	var server pgtest.Server
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	for name, url := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "a.db"), "postgres": server.Database(t)} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{URL: url, Cluster: "c", Node: "n1", Nodes: []string{"n1", "n2"}, Journal: JournalInSQL, Logger: slog.New(slog.DiscardHandler)}
			want := fill(t, cfg)
			for range 2 {
				backAndForth(t, cfg)
				if got := held(t, cfg); !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

// fill has a new database execute one append at its TxnID and one later, and returns what it holds.
func fill(t *testing.T, cfg Config) []string {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var batch []accord.Execution
	for i, id := range []string{"fast", "slow"} {
		cmd, err := event.NewAppend(event.Append{RequestID: id, Events: []event.Event{{Stream: event.StreamOf("a", id), Type: "T", Data: []byte("1")}}}, event.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		body, err := cmd.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		at := accord.Timestamp{HLC: uint64(100 + i), Kind: accord.KindWrite, Node: 1}
		rec := accord.Record{ID: accord.TxnID{Timestamp: at}, Status: accord.StatusStable, ExecuteAt: at, Deps: &accord.Deps{}, Txn: &accord.Txn{Keys: accord.Keys{"k"}, Body: body}}
		rec.ExecuteAt.HLC += uint64(i)
		batch = append(batch, accord.Execution{Record: rec})
	}
	if _, err := s.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return held(t, cfg)
}

// held returns the request of each transaction in the journal, as found by its TxnID.
func held(t *testing.T, cfg Config) (found []string) {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, records, err := s.Load(t.Context())
	for rec, failed := range records {
		outcome, missing := s.Outcome(t.Context(), rec.ID.String())
		err = errors.Join(err, failed, missing)
		found = append(found, rec.ID.String()+" "+rec.Status.String()+" "+rec.ExecuteAt.String()+" "+outcome.RequestID)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 {
		t.Fatalf("found %q", found)
	}
	return found
}

func backAndForth(t *testing.T, cfg Config) {
	t.Helper()
	dialect, db, done, err := openBare(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := done(); err != nil {
			t.Error(err)
		}
	}()
	provider, err := migrator(dialect, db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}
