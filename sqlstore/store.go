package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"natsaccord/accord"
	"natsaccord/event"
)

// Config says which database, and whose. URL is required.
type Config struct {
	// URL is "postgres://…" (also "postgresql://…"), "sqlite:PATH", or "sqlite::memory:" for a database that is
	// gone when the Store is closed.
	URL string

	// Cluster, Node and Nodes (all nodes' names) are written into a new database. A database of another
	// cluster, node or membership is refused with ErrForeign. All empty: a store without consensus.
	Cluster string
	Node    string
	Nodes   []string

	// AllowUnsafe opens Postgres servers with fsync or full_page_writes off, and unencrypted connections that
	// leave this machine.
	AllowUnsafe bool

	Limits event.Limits // of Append; default event.DefaultLimits
	Logger *slog.Logger // default slog.Default
}

// Errors of Open, and of a Store that cannot go on.
var (
	// ErrLocked: another process has the database open.
	ErrLocked = errors.New("sqlstore: database is in use by another process")
	// ErrForeign: the database belongs to another node, cluster or membership.
	ErrForeign = errors.New("sqlstore: database belongs to another node")
	// ErrUnsafe: the database would lose acknowledged data at a crash, or the connection is open to others.
	ErrUnsafe = errors.New("sqlstore: unsafe")
	// ErrFailed: an earlier write failed, and what is durable is unknown; open the store again.
	ErrFailed = errors.New("sqlstore: store has failed")
)

// engine is what differs between the databases.
type engine interface {
	kind() string
	// journal writes records and scalars in one synced transaction.
	journal(ctx context.Context, rows []row, scalars *accord.Scalars) error
	// records yields all of accord_txn by txn_id.
	records(ctx context.Context) iter.Seq2[accord.Record, error]
	// transact loads the state that wanted names, has decide evaluate it, and writes what that comes to, in
	// one transaction, synced or not.
	transact(ctx context.Context, synced bool, wanted *wanted, decide func(*loaded) *effects) error
	// query runs a read with $1… as placeholders.
	query(ctx context.Context, sql string, args ...any) (rows, error)
	// exec runs one synced statement.
	exec(ctx context.Context, sql string, args ...any) error
	close() error
}

// rows is what is common to the drivers' results.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// Store is one open database. Its methods may be called concurrently.
type Store struct {
	cfg         Config
	engine      engine
	incarnation uint64
	syncs       atomic.Uint64
	failed      atomic.Pointer[error]
	events      atomic.Uint64
	last        atomic.Pointer[event.Position]
	writer      *writer
	closing     sync.Once
}

var _ event.Executor = (*Store)(nil)

// Open opens and locks a database, brings its tables up to date, and counts its incarnation.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Limits == (event.Limits{}) {
		cfg.Limits = event.DefaultLimits()
	}
	s := &Store{cfg: cfg}
	var err error
	switch {
	case strings.HasPrefix(cfg.URL, "postgres://"), strings.HasPrefix(cfg.URL, "postgresql://"):
		s.engine, err = openPostgres(ctx, cfg, s.fail)
	case strings.HasPrefix(cfg.URL, "sqlite:"):
		s.engine, err = openSQLite(ctx, cfg, strings.TrimPrefix(cfg.URL, "sqlite:"))
	default:
		err = fmt.Errorf("sqlstore: URL %q, want postgres://… or sqlite:PATH", cfg.URL)
	}
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.engine.close())
	}
	return s, nil
}

// begin identifies the database and finds out where its log ends.
func (s *Store) begin(ctx context.Context) error {
	if err := s.identify(ctx); err != nil {
		return err
	}
	events, last, err := s.count(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: find the end of the log: %w", err)
	}
	s.events.Store(events)
	s.last.Store(&last)
	s.writer, err = newWriter(s, last)
	return err
}

// count looks at the whole log, once.
func (s *Store) count(ctx context.Context) (events uint64, last event.Position, err error) {
	found, err := s.engine.query(ctx, `SELECT count(*), coalesce(max(position), '') FROM event`)
	if err != nil {
		return 0, "", err
	}
	defer found.Close()
	for found.Next() {
		if err := found.Scan(&events, (*string)(&last)); err != nil {
			return 0, "", err
		}
	}
	return events, last, found.Err()
}

// Close ends the writer and gives the database free. It may be called more than once.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		s.writer.close()
		s.fail(event.ErrClosed)
		err = s.engine.close()
	})
	return err
}

// fail makes every later write fail: what is durable is not known any more, or the lock is lost.
func (s *Store) fail(cause error) { s.failed.CompareAndSwap(nil, &cause) }

// usable returns why the store must not be written to, if it must not.
func (s *Store) usable() error {
	if cause := s.failed.Load(); cause != nil {
		return fmt.Errorf("%w: %w", ErrFailed, *cause)
	}
	return nil
}

// Kind returns "postgres" or "sqlite".
func (s *Store) Kind() string { return s.engine.kind() }

// Incarnation returns how often the database has been opened. It was synced before Open returned.
func (s *Store) Incarnation() uint64 { return s.incarnation }

// Syncs returns how many synced commits the store has made.
func (s *Store) Syncs() uint64 { return s.syncs.Load() }

// Stats returns how many events the log has, and the position of the last.
func (s *Store) Stats(context.Context) (events uint64, last event.Position, err error) {
	return s.events.Load(), *s.last.Load(), nil
}

// wrote keeps Stats current.
func (s *Store) wrote(events []event.Event) {
	s.events.Add(uint64(len(events)))
	for i := range events {
		for {
			last := s.last.Load()
			if events[i].Position <= *last || s.last.CompareAndSwap(last, &events[i].Position) {
				break
			}
		}
	}
}
