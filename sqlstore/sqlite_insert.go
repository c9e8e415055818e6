package sqlstore

import (
	"context"
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

func insertHead() insertion {
	return insertion{"stream", "stream, version, position",
		`ON CONFLICT (stream) DO UPDATE SET version = excluded.version, position = excluded.position WHERE excluded.version > stream.version`}
}

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

// insert inserts n rows, up to insertMany with a statement, since each costs as much as a row. args appends a row's columns.
func (s *sqlite) insert(ctx context.Context, x insertion, n int, args func(i int, args []any) []any) error {
	var buf []any
	for at := 0; at < n; {
		size := insertMany
		for size > n-at {
			size /= insertStep
		}
		buf = buf[:0]
		for i := range size {
			buf = args(at+i, buf)
		}
		if err := s.run(ctx, s.insertion(x, size), buf...); err != nil {
			return err
		}
		at += size
	}
	return nil
}

// Statements are for 1, 4 and 16 rows.
const (
	insertMany = 16
	insertStep = 4
)

// insertion returns the text of a statement, which is the name it is known by.
func (s *sqlite) insertion(x insertion, rows int) string {
	key := insertionSize{x.table, rows}
	text, known := s.insertions[key]
	if !known {
		text = x.text(rows)
		s.insertions[key] = text
	}
	return text
}

type insertionSize struct {
	table string
	rows  int
}
