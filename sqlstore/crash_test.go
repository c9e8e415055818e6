package sqlstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/sqlstore"
)

// onAll runs a test on a new database of each kind, with its journal in each place.
func onAll(t *testing.T, test func(t *testing.T, cfg sqlstore.Config)) {
	for _, journal := range []string{"files", "sql"} {
		onBoth(t, func(t *testing.T, url string) {
			t.Run("journal="+journal, func(t *testing.T) {
				cfg := sqlstore.Config{URL: url, Cluster: "c", Node: "n1", Nodes: []string{"n1", "n2"}, Journal: sqlstore.JournalInSQL}
				if journal == "files" {
					cfg.Journal = filepath.Join(t.TempDir(), "journal")
				}
				test(t, cfg)
			})
		})
	}
}

// appends makes so many appends to one stream, due at 10, 11 and so on.
func appends(t *testing.T, count int) []accord.Execution {
	batch := make([]accord.Execution, count)
	for i := range batch {
		batch[i] = execution(t, uint64(10+i), event.Append{RequestID: fmt.Sprint("r", i), Events: []event.Event{note("a.1", uint64(i+1))}})
	}
	return batch
}

func records(batch []accord.Execution) []accord.Record {
	all := make([]accord.Record, len(batch))
	for i := range batch {
		all[i] = batch[i].Record
	}
	return all
}

// TestOpeningExecutesAgain: what was executed below the recorded watermark, and lost, is executed again in order; what
// lies above is left to the node.
func TestOpeningExecutesAgain(t *testing.T) {
	onAll(t, func(t *testing.T, cfg sqlstore.Config) {
		batch := appends(t, 4)
		s := openAs(t, cfg)
		if err := s.AppendRecords(t.Context(), records(batch), &accord.Scalars{Watermark: at(12)}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAs(t, cfg)
		if head, err := s.Head(t.Context(), "a.1"); err != nil || head.Version != 3 {
			t.Errorf("got %+v, %v, want version 3", head, err)
		}
		_, found := load(t, s)
		if len(found) != 4 || found[2].Status != accord.StatusApplied || found[3].Status != accord.StatusStable {
			t.Errorf("got %+v", found)
		}
		outcomes, err := s.Apply(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for i := range outcomes {
			if o := &outcomes[i]; !o.Committed || o.Duplicate || o.Streams[0].Version != uint64(i+1) {
				t.Errorf("%d: got %+v", i, o)
			}
		}
		if events, _, _ := s.Stats(t.Context()); events != 4 {
			t.Errorf("there are %d events, want 4", events)
		}
	})
}

// TestAnAppliedRecordIsNoProofOfEffects: a record may say that a transaction is applied whose effects have not been written
// when a crash comes.
func TestAnAppliedRecordIsNoProofOfEffects(t *testing.T) {
	onAll(t, func(t *testing.T, cfg sqlstore.Config) {
		batch := appends(t, 1)
		s := openAs(t, cfg)
		promised := batch[0].Record
		promised.Status, promised.Txn, promised.Promised = accord.StatusApplied, nil, accord.Ballot{Timestamp: at(99)}
		for _, group := range [][]accord.Record{records(batch), {promised}} {
			if err := s.AppendRecords(t.Context(), group, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAs(t, cfg)
		if _, found := load(t, s); found[0].Status != accord.StatusStable || found[0].Promised != promised.Promised || found[0].Txn == nil {
			t.Errorf("got %+v", found)
		}
	})
}

// TestPromisesOutliveTheMark: a promise that was recorded before a transaction is marked applied is kept.
func TestPromisesOutliveTheMark(t *testing.T) {
	onAll(t, func(t *testing.T, cfg sqlstore.Config) {
		batch := appends(t, 1)
		s := openAs(t, cfg)
		promised := batch[0].Record
		promised.Promised = accord.Ballot{Timestamp: at(99)}
		if err := s.AppendRecords(t.Context(), []accord.Record{promised}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Apply(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		_, found := load(t, s)
		if cfg.Journal == sqlstore.JournalInSQL {
			found[0].Promised = promised.Promised // the row is the record as executed; what conflicts is decided
		}
		if found[0].Status != accord.StatusApplied || found[0].Promised != promised.Promised {
			t.Errorf("got %+v", found)
		}
	})
}

// TestTheMarkOutlivesOlderRecords: whoever executes does not wait for the journal, so that what it was told of a
// transaction earlier may come after the mark that it is applied.
func TestTheMarkOutlivesOlderRecords(t *testing.T) {
	onAll(t, func(t *testing.T, cfg sqlstore.Config) {
		batch := appends(t, 2)
		s := openAs(t, cfg)
		if _, err := s.Apply(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		load(t, s) // what is applied is written
		older := records(batch)
		for i := range older {
			older[i].Status, older[i].ExecuteAt, older[i].Deps = accord.StatusPreAccepted, accord.Timestamp{}, nil
		}
		older[1].Txn = nil
		if err := s.AppendRecords(t.Context(), older, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, found := load(t, openAs(t, cfg))
		for i := range found {
			if want := batch[i].Record; found[i].Status != accord.StatusApplied || found[i].ExecuteAt != want.ExecuteAt || found[i].Deps == nil {
				t.Errorf("got %+v", found[i])
			}
		}
		if len(found) != len(batch) {
			t.Errorf("got %d records, want %d", len(found), len(batch))
		}
	})
}

// copyDatabase copies a SQLite database as a power cut would leave it.
func copyDatabase(t *testing.T, path, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPowerCut takes the database as it was at several moments, and the journal as it was at the end: everything that
// the journal holds is there again.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	cfg := sqlstore.Config{URL: "sqlite:" + path, Cluster: "c", Node: "n1", Nodes: []string{"n1", "n2"}}
	s := openAs(t, cfg)
	batch := appends(t, 60)
	var want []event.Outcome
	var copies []string
	for i := 0; i < len(batch); i += 10 {
		part := batch[i : i+10]
		if err := s.AppendRecords(t.Context(), records(part), &accord.Scalars{HLCLimit: 1000, Watermark: part[9].Record.ExecuteAt}); err != nil {
			t.Fatal(err)
		}
		outcomes, err := s.Apply(t.Context(), part)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, outcomes...)
		if i%20 == 0 {
			if _, err := s.Head(t.Context(), "a.1"); err != nil { // has it written
				t.Fatal(err)
			}
		}
		copies = append(copies, filepath.Join(t.TempDir(), "a.db"))
		copyDatabase(t, path, copies[len(copies)-1])
	}
	for i, to := range copies {
		if err := os.CopyFS(to+".journal", os.DirFS(path+".journal")); err != nil {
			t.Fatal(err)
		}
		after := cfg
		after.URL = "sqlite:" + to
		s := openAs(t, after)
		scalars, found := load(t, s)
		if scalars.Watermark != at(69) || len(found) != len(batch) {
			t.Errorf("copy %d: got watermark %s and %d records", i, scalars.Watermark, len(found))
		}
		for j := range batch {
			got, err := s.Outcome(t.Context(), batch[j].Record.ID.String())
			if err != nil || !reflect.DeepEqual(got, want[j]) {
				t.Fatalf("copy %d: outcome %d: got %+v, %v, want %+v", i, j, got, err, want[j])
			}
		}
	}
}

func TestJournalBelongsToTheDatabase(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	cfg := sqlstore.Config{URL: "sqlite:" + path, Cluster: "c", Node: "n1", Nodes: []string{"n1", "n2"}}
	s := openAs(t, cfg)
	if err := s.AppendRecords(t.Context(), []accord.Record{full(10)}, nil); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "old.db")
	copyDatabase(t, path, old)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	inSQL, lost, other := cfg, cfg, cfg
	inSQL.Journal = sqlstore.JournalInSQL
	lost.Journal = filepath.Join(dir, "empty")
	other.URL, other.Journal = "sqlite:"+old, path+".journal" // the files it needs were given up since
	for name, cfg := range map[string]sqlstore.Config{"in SQL": inSQL, "lost": lost, "older database": other} {
		s, err := sqlstore.Open(t.Context(), cfg)
		if !errors.Is(err, sqlstore.ErrJournal) {
			t.Errorf("%s: got %v, want ErrJournal", name, err)
			if err == nil {
				_ = s.Close()
			}
		}
	}
	s = openAs(t, cfg)
	if _, found := load(t, s); len(found) != 1 {
		t.Errorf("%d records are left, want 1", len(found))
	}
}

// TestFilesAreGivenUp: what the database holds durably needs no files.
func TestFilesAreGivenUp(t *testing.T) {
	dir := t.TempDir()
	cfg := sqlstore.Config{URL: "sqlite:" + filepath.Join(dir, "a.db"), Cluster: "c", Node: "n1", Nodes: []string{"n1", "n2"}}
	s := openAs(t, cfg)
	big := full(10)
	big.Txn = &accord.Txn{Keys: accord.Keys{"sa.1"}, Body: []byte(strings.Repeat("x", 1<<20))}
	for i := range 80 { // more than two files hold
		big.ID, big.ExecuteAt = txn(uint64(10+i)), at(uint64(10+i))
		if err := s.AppendRecords(t.Context(), []accord.Record{big}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, found := load(t, s); len(found) != 80 {
		t.Errorf("got %d records, want 80", len(found))
	}
	left, err := filepath.Glob(filepath.Join(dir, "a.db.journal", "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("got files %q, %v, want one", left, err)
	}
}

// TestShippedLogIsComplete reads the log for another node while transactions are applied and the watermark moves: everything
// up to the watermark that comes with it is there.
func TestShippedLogIsComplete(t *testing.T) {
	onAll(t, func(t *testing.T, cfg sqlstore.Config) {
		s := openAs(t, cfg)
		batch := appends(t, 60)
		done := make(chan error, 1)
		go func() {
			for i := range batch {
				one := batch[i : i+1]
				err := s.AppendRecords(t.Context(), records(one), nil)
				if err == nil {
					_, err = s.Apply(t.Context(), one)
				}
				if err == nil {
					err = s.AppendRecords(t.Context(), nil, &accord.Scalars{Watermark: one[0].Record.ExecuteAt})
				}
				if err != nil {
					done <- err
					return
				}
			}
			close(done)
		}()
		for running := true; running; {
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
				running = false
			default:
			}
			encoded, err := s.ReadLog(t.Context(), accord.Timestamp{}, "")
			if err != nil {
				t.Fatal(err)
			}
			var part struct {
				Events []struct{ Position event.Position }
				End    struct{ Watermark accord.Timestamp }
			}
			if err := json.Unmarshal(encoded, &part); err != nil {
				t.Fatal(err)
			}
			below := 0
			for _, e := range part.Events {
				if e.Position.ExecuteAt() <= part.End.Watermark.String() {
					below++
				}
			}
			if w := part.End.Watermark; !w.IsZero() && uint64(below) != w.HLC-9 {
				t.Fatalf("%d events up to %s, want %d", below, w, w.HLC-9)
			}
		}
	})
}

// TestRotationThatFails: a store whose journal cannot begin another file fails, and notes nothing of the file that there is not.
func TestRotationThatFails(t *testing.T) {
	dir := t.TempDir()
	url := "sqlite:" + dir + "/a.db"
	for range 2 { // so that the first file is not needed any more
		if err := openStore(t, url).Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := openStore(t, url), error(nil)
	if err := os.Rename(dir+"/a.db.journal", dir+"/away"); err != nil {
		t.Fatal(err)
	}
	data := fmt.Appendf(nil, "%q", strings.Repeat("x", 250<<10))
	for n := uint64(1); n < 200 && err == nil; n++ { // until the file is full
		x := execution(t, n, event.Append{RequestID: fmt.Sprint("r", n), Events: []event.Event{{Stream: "a.1", Type: "T", Data: data}}})
		err = s.AppendRecords(t.Context(), []accord.Record{x.Record}, nil)
	}
	if err == nil {
		t.Fatal("another file was begun in no directory")
	}
	if err := os.Rename(dir+"/away", dir+"/a.db.journal"); err != nil {
		t.Fatal(err)
	}
	_ = s.Close() // it has failed
	if err := openStore(t, url).Close(); err != nil {
		t.Error(err)
	}
}

func openStore(t *testing.T, url string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url, Cluster: "c", Node: "n1", Nodes: []string{"n1", "n2"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
