package sqlstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"natsaccord/event"
	"natsaccord/sqlstore"
)

// TestLostLock: when the connection is gone that holds the lock on the database, the store says so though nobody writes, and refuses
// every write from then on.
func TestLostLock(t *testing.T) {
	url := server.Database(t)
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url, Cluster: "c", Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	select {
	case <-s.Failed():
		t.Fatal("the store says that it has failed")
	default:
	}
	if err := s.Failure(); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var ended int
	const end = `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	if err := conn.QueryRow(t.Context(), end).Scan(&ended); err != nil || ended != 1 {
		t.Fatalf("ended %d connections, %v", ended, err)
	}
	select {
	case <-s.Failed():
	case <-time.After(10 * time.Second):
		t.Fatal("the store does not say that it has failed")
	}
	if err := s.Failure(); !errors.Is(err, sqlstore.ErrFailed) {
		t.Errorf("got %v, want %v", err, sqlstore.ErrFailed)
	}
	if _, err := s.Append(t.Context(), event.Append{Events: []event.Event{{Stream: "a.1", Type: "T", Data: []byte("1")}}}); !errors.Is(err, sqlstore.ErrFailed) {
		t.Errorf("a write came to %v, want %v", err, sqlstore.ErrFailed)
	}
}
