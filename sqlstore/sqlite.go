package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver named "sqlite"

	"natsaccord/accord"
)

// sqlite is one SQLite file: one connection that writes, and several that read. A mutex rather than the
// database's own lock keeps writers in line, so that none ever finds it busy.
type sqlite struct {
	work    *work
	lock    *flock.Flock
	temp    string // directory to remove on close, for ":memory:"
	readers *sql.DB
	db      *sql.DB // of the writing connection

	writing    sync.Mutex
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	insertions map[insertionSize]direct
	args       arguments // of the insertion being made
	synced     bool      // what PRAGMA synchronous is set to
	open       bool      // a transaction holds what was put and is not shown
	lost       error     // why that was not committed, after which nothing is written any more
	memory     bool      // never sync

	reading          sync.Mutex
	readerStatements map[string]*sql.Stmt
}

func openSQLite(ctx context.Context, cfg Config, work *work, path string) (_ engine, err error) {
	s := &sqlite{work: work, statements: make(map[string]*sql.Stmt), insertions: make(map[insertionSize]direct), readerStatements: make(map[string]*sql.Stmt)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if path == ":memory:" {
		// A private file without syncs: as fast as memory, and readers do not wait for the writer.
		s.memory = true
		if s.temp, err = os.MkdirTemp("", "accord-memory-"); err != nil {
			return nil, fmt.Errorf("sqlstore: make a directory: %w", err)
		}
		path = filepath.Join(s.temp, "accord.db")
	}
	if err := s.acquire(path); err != nil {
		return nil, err
	}
	if err := s.connect(ctx, path); err != nil {
		return nil, fmt.Errorf("sqlstore: open %s: %w", path, err)
	}
	if err := migrate(ctx, "sqlite", s.db); err != nil {
		return nil, err
	}
	return s, nil
}

// acquire takes the lock against another process.
func (s *sqlite) acquire(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("sqlstore: make a directory: %w", err)
	}
	lock := flock.New(path + ".lock")
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("sqlstore: lock %s: %w", path, err)
	}
	if !locked {
		return fmt.Errorf("%w: %s", ErrLocked, path)
	}
	s.lock = lock
	return nil
}

func (s *sqlite) connect(ctx context.Context, path string) (err error) {
	name := "file:" + (&url.URL{Path: path}).EscapedPath()
	if s.db, err = sql.Open("sqlite", name+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(10000)&_pragma=cache_size(-65536)&_txlock=immediate"); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(2) // the writing connection, and one for migrations before there is any writing
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return err
	}
	if err := s.sync(ctx, true); err != nil {
		return err
	}
	if s.readers, err = sql.Open("sqlite", name+"?_pragma=busy_timeout(10000)&_pragma=query_only(1)&_pragma=cache_size(-16384)"); err != nil {
		return err
	}
	most := max(4, runtime.NumCPU())
	s.readers.SetMaxOpenConns(most)
	s.readers.SetMaxIdleConns(most) // each has its statements compiled
	return nil
}

// sync has the commits from now on synced, or not. With the write-ahead log a commit that is not synced can be
// lost in a power cut, but only together with every later one.
func (s *sqlite) sync(ctx context.Context, synced bool) error {
	level := "NORMAL"
	switch {
	case s.memory:
		level = "OFF"
	case synced:
		level = "FULL"
	}
	_, err := s.conn.ExecContext(ctx, "PRAGMA synchronous = "+level)
	s.synced = synced
	return err
}

func (s *sqlite) kind() string { return "sqlite" }

// prepare returns a statement of the writing connection, compiled once, to be run once.
func (s *sqlite) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	s.work.statements.Add(1)
	if stmt := s.statements[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, query)
	if err == nil {
		s.statements[query] = stmt
	}
	return stmt, err
}

// keptStatements is how many statements of readers stay compiled: of what may be selected there are more combinations.
const keptStatements = 250

// isFull tells whether a statement of readers that is not compiled is not to be.
func (s *sqlite) isFull(query string) bool {
	s.reading.Lock()
	defer s.reading.Unlock()
	return len(s.readerStatements) >= keptStatements && s.readerStatements[query] == nil
}

// prepareReader returns a statement of the reading connections, compiled once for each.
func (s *sqlite) prepareReader(ctx context.Context, query string) (*sql.Stmt, error) {
	s.work.statements.Add(1)
	s.reading.Lock()
	defer s.reading.Unlock()
	if stmt := s.readerStatements[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.readers.PrepareContext(ctx, query)
	if err == nil {
		s.readerStatements[query] = stmt
	}
	return stmt, err
}

// run executes a statement of the writing connection.
func (s *sqlite) run(ctx context.Context, query string, args ...any) error {
	stmt, err := s.prepare(ctx, query)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx, args...)
	return err
}

// sqlRows makes *sql.Rows a rows.
type sqlRows struct{ *sql.Rows }

// Close drops the error: Err has told it.
func (r sqlRows) Close() { _ = r.Rows.Close() }

func (s *sqlite) query(ctx context.Context, query string, args ...any) (rows, error) {
	query = numbered(query)
	if s.isFull(query) {
		s.work.statements.Add(1)
		return closing(s.readers.QueryContext(ctx, query, args...))
	}
	stmt, err := s.prepareReader(ctx, query)
	if err != nil {
		return nil, err
	}
	return closing(stmt.QueryContext(ctx, args...))
}

func closing(found *sql.Rows, err error) (rows, error) {
	if err != nil {
		return nil, err
	}
	return sqlRows{found}, nil
}

func (s *sqlite) snapshot(ctx context.Context, read func(query) error) error {
	tx, err := s.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	err = read(query{func(ctx context.Context, query string, args ...any) (rows, error) {
		return closing(tx.QueryContext(ctx, numbered(query), args...))
	}})
	return errors.Join(err, tx.Rollback())
}

// numbered turns $1 into SQLite's ?1.
func numbered(query string) string { return strings.ReplaceAll(query, "$", "?") }

func (s *sqlite) prune(ctx context.Context, d deletion) (pruned int64, err error) {
	args := []any{d.below.String(), d.passed.String(), pruneBatch}
	if d.before != nil {
		args = append(args, d.before.UTC().Format(updatedLayout))
	}
	err = s.transaction(ctx, false, func(ctx context.Context) error {
		stmt, err := s.prepare(ctx, numbered(d.text))
		if err != nil {
			return err
		}
		result, err := stmt.ExecContext(ctx, args...)
		if err != nil {
			return err
		}
		pruned, err = result.RowsAffected()
		return err
	})
	return pruned, err
}

// updatedLayout is how accord_txn.updated_at holds times, in milliseconds.
const updatedLayout = "2006-01-02T15:04:05.000Z"

func (s *sqlite) exec(ctx context.Context, query string, args ...any) error {
	return s.transaction(ctx, true, func(ctx context.Context) error { return s.run(ctx, numbered(query), args...) })
}

func (s *sqlite) records(ctx context.Context, scalars accord.Scalars) iter.Seq2[accord.Record, error] {
	return func(yield func(accord.Record, error) bool) {
		found, err := s.query(ctx, selectRecords, scalars.RedundantBefore.String(), scalars.Watermark.String())
		if err != nil {
			yield(accord.Record{}, err)
			return
		}
		yieldRecords(found, yield)
	}
}

// yieldRecords yields what was found, and closes it.
func yieldRecords(found rows, yield func(accord.Record, error) bool) {
	defer found.Close()
	for found.Next() {
		rec, err := scanRecord(found.Scan)
		if !yield(rec, err) || err != nil {
			return
		}
	}
	if err := found.Err(); err != nil {
		yield(accord.Record{}, err)
	}
}

func (s *sqlite) close() error {
	errs := []error{s.closeInsertions()}
	for _, stmt := range s.statements { // those of readers go with their connections
		errs = append(errs, stmt.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	for _, db := range []*sql.DB{s.readers, s.db} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
	}
	if s.temp != "" {
		errs = append(errs, os.RemoveAll(s.temp))
	}
	return errors.Join(errs...)
}
