package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

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
