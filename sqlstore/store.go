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
	// cluster, node or membership is refused with ErrForeign. All empty: a store without consensus, in which a
	// page's Frontier is the end of the log.
	Cluster string
	Node    string
	Nodes   []string

	// AllowUnsafe opens Postgres servers with fsync or full_page_writes off, and unencrypted connections that
	// leave this machine.
	AllowUnsafe bool

	// Journal is the directory of the journal's files, or JournalInSQL. Empty: beside the file of a SQLite database,
	// in the database otherwise. A store without consensus has no journal.
	Journal string

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
	// records yields what of accord_txn is not over for good, by txn_id.
	records(ctx context.Context, s accord.Scalars) iter.Seq2[accord.Record, error]
	// lookUp loads the state that wanted names.
	lookUp(ctx context.Context, wanted *wanted, into *loaded) error
	// transact loads the state that wanted names, has decide evaluate it, and writes what that comes to, in
	// one transaction, synced or not.
	transact(ctx context.Context, synced bool, wanted *wanted, decide func(*loaded) *effects) error
	// put writes effects, unsynced and in the order of calls. Readers may see them only after show, or the next transaction.
	put(ctx context.Context, todo *effects) (shown bool, err error)
	// show returns once readers see all that was put.
	show(ctx context.Context) error
	// snapshot runs reads that all see one moment.
	snapshot(ctx context.Context, read func(query) error) error
	// query runs a read with $1… as placeholders.
	query(ctx context.Context, sql string, args ...any) (rows, error)
	// prune deletes a batch, unsynced.
	prune(ctx context.Context, d deletion) (int64, error)
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

// query runs reads.
type query struct {
	run func(ctx context.Context, sql string, args ...any) (rows, error)
}

// each runs a read and hands over every row.
func (q query) each(ctx context.Context, sql string, args []any, scan func(rows) error) error {
	found, err := q.run(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	return scanAll(found, scan)
}

// Store is one open database. Its methods may be called concurrently.
type Store struct {
	cfg         Config
	engine      engine
	incarnation uint64
	syncs       atomic.Uint64
	work        work
	failed      atomic.Pointer[error]
	broken      chan struct{} // closed with the first failure
	events      atomic.Uint64
	last        atomic.Pointer[event.Position]
	caughtUp    atomic.Pointer[string] // all that executes up to it came with another node's log
	opened      accord.Timestamp       // no transaction above it was applied before the store was opened
	writer      *writer
	files       *files // nil if the journal is in the database
	behind      *behind
	closing     sync.Once

	applying sync.Mutex // held by whoever changes the log
	known    known
}

var (
	_ event.Executor      = (*Store)(nil)
	_ event.Subscriptions = (*Store)(nil)
)

// Validate refuses what Open would refuse without looking at a database. It does not quote the URL, which may hold a password.
func (cfg Config) Validate() error {
	switch {
	case cfg.URL == "sqlite:":
		return errors.New("sqlstore: Config.URL is sqlite: without a path")
	case strings.HasPrefix(cfg.URL, "sqlite:"):
		return nil
	case strings.HasPrefix(cfg.URL, "postgres://"), strings.HasPrefix(cfg.URL, "postgresql://"):
		_, err := parsePostgres(cfg)
		return err
	}
	return errors.New("sqlstore: Config.URL is something else, want postgres://… or sqlite:PATH")
}

// Open opens and locks a database, brings its tables up to date, and counts its incarnation.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Limits == (event.Limits{}) {
		cfg.Limits = event.DefaultLimits()
	}
	s := &Store{cfg: cfg, broken: make(chan struct{})}
	var err error
	if path, isSQLite := strings.CutPrefix(cfg.URL, "sqlite:"); isSQLite {
		s.engine, err = openSQLite(ctx, cfg, &s.work, path)
	} else {
		s.engine, err = openPostgres(ctx, cfg, &s.work, s.fail)
	}
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.abandon())
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
	var caughtUp string
	s.caughtUp.Store(&caughtUp)
	err = query{s.engine.query}.each(ctx, `SELECT caught_up FROM node`, nil, func(found rows) error { return found.Scan(&caughtUp) })
	if err != nil {
		return fmt.Errorf("sqlstore: find out what came with a log: %w", err)
	}
	if err := s.recover(ctx); err != nil {
		return err
	}
	s.writer, err = newWriter(s, *s.last.Load())
	return err
}

// recover takes over what a crash has left in the journal.
func (s *Store) recover(ctx context.Context) error {
	if err := s.openFiles(ctx); err != nil {
		return err
	}
	s.behind = newBehind(s)
	if err := s.findOpened(ctx); err != nil {
		return fmt.Errorf("sqlstore: find what was applied last: %w", err)
	}
	if err := s.learn(ctx); err != nil {
		return err
	}
	return s.redo(ctx)
}

// findOpened finds out above what nothing has been applied.
func (s *Store) findOpened(ctx context.Context) error {
	scalars, err := loadScalars(ctx, query{s.engine.query})
	if err != nil {
		return err
	}
	s.opened = scalars.RedundantBefore // what was pruned lies before
	const last = `SELECT txn_id FROM accord_txn WHERE status = 'applied' ORDER BY txn_id DESC LIMIT 1`
	return query{s.engine.query}.each(ctx, last, nil, func(found rows) error {
		var id string
		if err := found.Scan(&id); err != nil {
			return err
		}
		t, err := accord.ParseTimestamp(id)
		if t.After(s.opened) {
			s.opened = t
		}
		return err
	})
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
		if s.usable() == nil {
			err = s.checkpoint(context.Background())
		}
		s.fail(event.ErrClosed)
		err = errors.Join(err, s.abandon())
	})
	return err
}

// abandon gives everything free that there is.
func (s *Store) abandon() (err error) {
	if s.behind != nil {
		s.behind.close()
	}
	if s.files != nil {
		err = s.files.log.Close()
	}
	return errors.Join(err, s.engine.close())
}

// fail makes every later write fail: what is durable is not known any more, or the lock is lost.
func (s *Store) fail(cause error) {
	if s.failed.CompareAndSwap(nil, &cause) {
		close(s.broken)
	}
}

// Failed returns a channel that is closed once the store refuses every later write: Failure says why.
func (s *Store) Failed() <-chan struct{} { return s.broken }

// Failure returns why the store refuses every write, wrapping ErrFailed; nil if it does not.
func (s *Store) Failure() error { return s.usable() }

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

// work counts what a database is asked to do.
type work struct {
	statements, roundTrips atomic.Uint64
}

// did counts statements that took one round trip together.
func (w *work) did(statements int) {
	w.statements.Add(uint64(statements))
	w.roundTrips.Add(1)
}

// Counters returns how many statements the database has been given since it was opened, those of migrations
// left out, and in how many round trips; SQLite has none.
func (s *Store) Counters() map[string]uint64 {
	return map[string]uint64{"statements": s.work.statements.Load(), "round_trips": s.work.roundTrips.Load()}
}

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
