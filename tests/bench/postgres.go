package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"natsaccord/sqlstore/pgtest"
)

// postgres is one server and one table: what a program writes that needs nothing but an event log. A unique index
// is the condition.
type postgres struct {
	ended closers
	pool  *pgxpool.Pool
}

// postgresConns is what a server of few cores is fastest with.
const postgresConns = 16

func startPostgres(ctx context.Context, _ string) (_ system, err error) {
	p := &postgres{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	private := &pgtest.Server{}
	p.ended.add(private.Stop)
	url, _, err := private.Create(ctx)
	if err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = postgresConns
	if p.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	p.ended.add(func() error { p.pool.Close(); return nil })
	_, err = p.pool.Exec(ctx, `CREATE TABLE event (position bigserial PRIMARY KEY, stream text NOT NULL, version bigint NOT NULL, data json NOT NULL, UNIQUE (stream, version))`)
	return p, err
}

func (p *postgres) append(ctx context.Context, _ int, stream string, version uint64, data []byte) error {
	_, err := p.pool.Exec(ctx, `INSERT INTO event (stream, version, data) VALUES ($1, $2, $3)`, stream, int64(version)+1, string(data))
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.Code == "23505" {
		return &conflictError{}
	}
	return err
}

func (p *postgres) version(ctx context.Context, _ int, stream string) (version uint64, err error) {
	err = p.pool.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM event WHERE stream = $1`, stream).Scan(&version)
	return version, err
}

func (p *postgres) close() error { return p.ended.close() }
