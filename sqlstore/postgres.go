package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"natsaccord/accord"
)

// postgres is one Postgres database or schema.
type postgres struct {
	work *work
	pool *pgxpool.Pool
	lock *pgx.Conn // holds the advisory lock for as long as it lives

	watching sync.WaitGroup
	unwatch  context.CancelFunc
}

// maxConns is enough for the workers, the journal and readers; more only makes a server slower.
const maxConns = 12

func openPostgres(ctx context.Context, cfg Config, work *work, fail func(error)) (engine, error) {
	p, err := connectPostgres(ctx, cfg, work, fail)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDBFromPool(p.pool)
	if err := errors.Join(migrate(ctx, "postgres", db), db.Close()); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// parsePostgres reads the URL, and refuses what others could overhear.
func parsePostgres(cfg Config) (*pgxpool.Config, error) {
	if isSplitWrong(cfg.URL) {
		return nil, errSplit
	}
	poolConfig, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: parse the Postgres URL: %w", err)
	}
	if hasSecretHost(poolConfig.ConnConfig) {
		return nil, errSplit
	}
	if !cfg.AllowUnsafe && isOpen(poolConfig.ConnConfig) {
		return nil, fmt.Errorf("%w: the connection to %s may be unencrypted; use sslmode=require or stricter, or allow it explicitly", ErrUnsafe, poolConfig.ConnConfig.Host)
	}
	return poolConfig, nil
}

// errSplit is that what may be a password would be taken for a host or a database, which errors quote.
var errSplit = errors.New("sqlstore: the Postgres URL has an @ where none is wanted: write %40 for one in a user, a password or a database, and %2F for a /")

// isSplitWrong tells whether a URL has another @ before its parameters than the one before the host.
func isSplitWrong(url string) bool {
	_, rest, _ := strings.Cut(url, "://")
	rest, _, _ = strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	return strings.Count(authority, "@") > 1 || strings.Contains(path, "@")
}

// hasSecretHost tells whether a host has an @ that does not begin the name of an abstract socket.
func hasSecretHost(c *pgx.ConnConfig) bool {
	secret := strings.LastIndexByte(c.Host, '@') > 0
	for _, fallback := range c.Fallbacks {
		secret = secret || strings.LastIndexByte(fallback.Host, '@') > 0
	}
	return secret
}

// connectPostgres connects, and locks the database.
func connectPostgres(ctx context.Context, cfg Config, work *work, fail func(error)) (_ *postgres, err error) {
	poolConfig, err := parsePostgres(cfg)
	if err != nil {
		return nil, err
	}
	poolConfig.MaxConns = max(poolConfig.MaxConns, maxConns)
	p := &postgres{work: work, unwatch: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.lock, err = pgx.ConnectConfig(ctx, poolConfig.ConnConfig.Copy()); err != nil {
		return nil, fmt.Errorf("sqlstore: connect to Postgres: %w", err)
	}
	if err := p.acquire(ctx, fail); err != nil {
		return nil, err
	}
	if p.pool, err = pgxpool.NewWithConfig(ctx, poolConfig); err != nil {
		return nil, fmt.Errorf("sqlstore: connect to Postgres: %w", err)
	}
	return p, p.checkServer(ctx, cfg.AllowUnsafe)
}

// isOpen tells whether a connection may go over a network unencrypted.
func isOpen(c *pgx.ConnConfig) bool {
	open := c.TLSConfig == nil && !isLocal(c.Host)
	for _, fallback := range c.Fallbacks {
		open = open || fallback.TLSConfig == nil && !isLocal(fallback.Host)
	}
	return open
}

func isLocal(host string) bool {
	if host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// lockWait is how long the lock is waited for: a server may take a moment to see that a process has gone.
const lockWait = 3 * time.Second

// acquire takes the lock against another process, and watches the connection that holds it.
func (p *postgres) acquire(ctx context.Context, fail func(error)) error {
	if _, err := p.lock.Exec(ctx, `SELECT set_config('lock_timeout', $1, false)`, strconv.FormatInt(lockWait.Milliseconds(), 10)); err != nil {
		return fmt.Errorf("sqlstore: lock the database: %w", err)
	}
	if _, err := p.lock.Exec(ctx, `SELECT pg_advisory_lock(hashtext('natsaccord ' || current_schema()))`); isLockTimeout(err) {
		return ErrLocked
	} else if err != nil {
		return fmt.Errorf("sqlstore: lock the database: %w", err)
	}
	watch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.unwatch = cancel
	p.watching.Go(func() {
		// Nobody notifies: this returns when the connection, and with it the lock, is gone.
		for {
			if _, err := p.lock.WaitForNotification(watch); err != nil {
				if watch.Err() == nil {
					fail(fmt.Errorf("the lock on the database is lost: %w", err))
				}
				return
			}
		}
	})
	return nil
}

func (p *postgres) checkServer(ctx context.Context, allowUnsafe bool) error {
	var version int
	var fsync, fullPageWrites string
	err := p.pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('fsync'), current_setting('full_page_writes')`).
		Scan(&version, &fsync, &fullPageWrites)
	switch {
	case err != nil:
		return fmt.Errorf("sqlstore: ask the Postgres server how it is set: %w", err)
	case version < 130000:
		return fmt.Errorf("sqlstore: Postgres server has version %d, want 13 or newer", version/10000)
	case !allowUnsafe && (fsync != "on" || fullPageWrites != "on"):
		return fmt.Errorf("%w: the Postgres server runs with fsync=%s and full_page_writes=%s, and would lose acknowledged data at a power cut", ErrUnsafe, fsync, fullPageWrites)
	}
	return nil
}

func (p *postgres) kind() string { return "postgres" }

func (p *postgres) query(ctx context.Context, sql string, args ...any) (rows, error) {
	p.work.did(1)
	return p.pool.Query(ctx, sql, args...)
}

// put has what it writes seen at once: here a transaction that stays open saves nothing.
func (p *postgres) put(ctx context.Context, todo *effects) (shown bool, err error) {
	return true, p.transact(ctx, false, &wanted{}, func(*loaded) *effects { return todo })
}

func (p *postgres) show(context.Context) error { return nil }

func (p *postgres) snapshot(ctx context.Context, read func(query) error) error {
	tx, err := p.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	err = read(query{func(ctx context.Context, sql string, args ...any) (rows, error) { return tx.Query(ctx, sql, args...) }})
	return errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
}

func (p *postgres) prune(ctx context.Context, d deletion) (pruned int64, err error) {
	args := []any{d.below.String(), d.passed.String(), pruneBatch}
	if d.before != nil {
		args = append(args, *d.before)
	}
	err = p.onConn(ctx, func(conn *pgx.Conn) error {
		return retry(func() error {
			done, err := conn.Exec(ctx, d.text, args...)
			pruned = done.RowsAffected()
			return err
		})
	})
	return pruned, err
}

func (p *postgres) exec(ctx context.Context, sql string, args ...any) error {
	p.work.did(1)
	_, err := p.pool.Exec(ctx, sql, args...)
	return err
}

func (p *postgres) records(ctx context.Context, scalars accord.Scalars) iter.Seq2[accord.Record, error] {
	return func(yield func(accord.Record, error) bool) {
		found, err := p.query(ctx, selectRecords, scalars.RedundantBefore.String(), scalars.Watermark.String())
		if err != nil {
			yield(accord.Record{}, err)
			return
		}
		yieldRecords(found, yield)
	}
}

func (p *postgres) close() error {
	p.unwatch()
	p.watching.Wait()
	if p.pool != nil {
		p.pool.Close()
	}
	if p.lock == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	// The server notices some time after that a connection is closed, and whoever opens the database next must not find it
	// locked. If this fails, the connection is broken and its lock goes with it.
	_, _ = p.lock.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	return p.lock.Close(ctx)
}

// isLockTimeout tells whether the server gave up waiting for a lock.
func isLockTimeout(err error) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	return ok && failure.Code == "55P03"
}

// isConflict tells whether the server gave a transaction up for one that ran beside it, so that it can be tried
// again.
func isConflict(err error) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (failure.Code == "40001" || failure.Code == "40P01")
}
