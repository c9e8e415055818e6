package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
)

// insertion is an INSERT of any number of rows.
type insertion struct {
	table, columns, conflict string
}

func insertEvent() insertion {
	return insertion{"event", "position, txn_id, stream, version, id, category, type, data, data_bytes, metadata, routing_key, tags, recorded_at", ""}
}

func insertTag() insertion { return insertion{"event_tag", "tag, position", ""} }

func insertRequest() insertion {
	return insertion{"request", "request_id, txn_id, execute_at, hash, committed, refusal", ""}
}

func insertRecord() insertion {
	return insertion{"accord_txn", recordColumns + ", created_at, updated_at",
		`ON CONFLICT (txn_id) DO UPDATE SET keys = coalesce(excluded.keys, keys), events_data = coalesce(excluded.events_data, events_data), ` + recordUpdate}
}

// text is the statement for so many rows. OR FAIL spares SQLite a journal of the statement: nothing of a transaction
// stays in which one fails.
func (x insertion) text(rows int) string {
	row := "(" + strings.Repeat("?, ", strings.Count(x.columns, ",")) + "?)"
	return "INSERT OR FAIL INTO " + x.table + " (" + x.columns + ") VALUES " + strings.Repeat(row+", ", rows-1) + row + " " + x.conflict
}

// arguments are a statement's, as the driver takes them.
type arguments []driver.NamedValue

func (a arguments) add(v driver.Value) arguments {
	return append(a, driver.NamedValue{Ordinal: len(a) + 1, Value: v})
}

// optional adds a text that may be missing.
func (a arguments) optional(text *string) arguments {
	if text == nil {
		return a.add(nil)
	}
	return a.add(*text)
}

// insert inserts n rows, up to insertMany with a statement, since each costs as much as a row. args appends a row's columns.
// The driver is spoken to directly: database/sql would look at every argument once more, and copy it.
func (s *sqlite) insert(ctx context.Context, x insertion, n int, args func(i int, args arguments) arguments) error {
	if n == 0 {
		return nil
	}
	return s.conn.Raw(func(conn any) error {
		for at := 0; at < n; {
			size := insertMany
			for size > n-at {
				size /= insertStep
			}
			stmt, err := s.insertion(ctx, conn, x, size)
			if err != nil {
				return err
			}
			s.args = s.args[:0]
			for i := range size {
				s.args = args(at+i, s.args)
			}
			s.work.statements.Add(1)
			if _, err := stmt.ExecContext(ctx, s.args); err != nil {
				return err
			}
			at += size
		}
		clear(s.args[:cap(s.args)]) // keeps nothing of what was written
		return nil
	})
}

// Statements are for 1, 4, 16 and 64 rows.
const (
	insertMany = 64
	insertStep = 4
)

// direct is a statement of the driver.
type direct interface {
	driver.Stmt
	driver.StmtExecContext
}

// insertion returns a statement, compiled once.
func (s *sqlite) insertion(ctx context.Context, conn any, x insertion, rows int) (direct, error) {
	key := insertionSize{x.table, rows}
	if stmt := s.insertions[key]; stmt != nil {
		return stmt, nil
	}
	preparer, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return nil, fmt.Errorf("sqlstore: %T cannot prepare statements", conn)
	}
	prepared, err := preparer.PrepareContext(ctx, x.text(rows))
	if err != nil {
		return nil, err
	}
	stmt, ok := prepared.(direct)
	if !ok {
		return nil, errors.Join(fmt.Errorf("sqlstore: %T cannot be executed", prepared), prepared.Close())
	}
	s.insertions[key] = stmt
	return stmt, nil
}

// closeInsertions gives the statements free.
func (s *sqlite) closeInsertions() error {
	if len(s.insertions) == 0 {
		return nil
	}
	return s.conn.Raw(func(any) error {
		var errs []error
		for _, stmt := range s.insertions {
			errs = append(errs, stmt.Close())
		}
		return errors.Join(errs...)
	})
}

type insertionSize struct {
	table string
	rows  int
}
