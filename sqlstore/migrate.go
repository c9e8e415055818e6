package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

func migrator(dialect string, db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+dialect)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: migrations of %s: %w", dialect, err)
	}
	name := goose.DialectPostgres
	if dialect == "sqlite" {
		name = goose.DialectSQLite3
	}
	return goose.NewProvider(name, db, files)
}

// migrate brings the tables up to date.
func migrate(ctx context.Context, dialect string, db *sql.DB) error {
	provider, err := migrator(dialect, db)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("sqlstore: migrate: %w", err)
	}
	return nil
}

// Migration is one step of the tables' history.
type Migration struct {
	Name    string
	Applied bool
}

// Migrate brings the tables of a database up to date without starting anything else, if up is set, and tells
// which migrations are applied. Config as for Open; the database is locked meanwhile.
func Migrate(ctx context.Context, cfg Config, up bool) (_ []Migration, err error) {
	dialect, db, done, err := openBare(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	provider, err := migrator(dialect, db)
	if err != nil {
		return nil, err
	}
	if up {
		if _, err := provider.Up(ctx); err != nil {
			return nil, fmt.Errorf("sqlstore: migrate: %w", err)
		}
	}
	statuses, err := provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: migration status: %w", err)
	}
	var found []Migration
	for _, s := range statuses {
		found = append(found, Migration{Name: filepath.Base(s.Source.Path), Applied: s.State == goose.StateApplied})
	}
	return found, nil
}

// openBare opens and locks a database without touching its tables.
func openBare(ctx context.Context, cfg Config) (dialect string, db *sql.DB, done func() error, err error) {
	if path, isSQLite := strings.CutPrefix(cfg.URL, "sqlite:"); isSQLite {
		s := &sqlite{work: &work{}, statements: make(map[string]*sql.Stmt)}
		if err := s.acquire(path); err != nil {
			return "", nil, nil, err
		}
		if err := s.connect(ctx, path); err != nil {
			return "", nil, nil, errors.Join(fmt.Errorf("sqlstore: open %s: %w", path, err), s.close())
		}
		return "sqlite", s.db, s.close, nil
	}
	p, err := connectPostgres(ctx, cfg, &work{}, func(error) {})
	if err != nil {
		return "", nil, nil, err
	}
	bare := stdlib.OpenDBFromPool(p.pool)
	return "postgres", bare, func() error { return errors.Join(bare.Close(), p.close()) }, nil
}
