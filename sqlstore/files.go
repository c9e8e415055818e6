package sqlstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"natsaccord/accord"
	"natsaccord/journal"
)

// JournalInSQL, as Config.Journal, keeps the journal in the database.
const JournalInSQL = "sql"

// ErrJournal: the database's journal is kept elsewhere, or is lost.
var ErrJournal = errors.New("sqlstore: journal does not belong to the database")

// segmentBytes is how large a journal's file grows before the database takes over what it holds.
const segmentBytes = 32 << 20

// lookDelay is after which time what is under way can be seen in accord_txn.
const lookDelay = time.Second

// files is a journal outside the database. It keeps in memory what the database does not hold yet, which is what
// is under way.
type files struct {
	log *journal.Journal

	mu      sync.Mutex
	buf     []byte
	fresh   map[accord.TxnID]fresh
	scalars *accord.Scalars // nil if the database has them
	segment *uint64         // to be noted as the first one needed
}

// fresh is a record that the database does not hold as it is.
type fresh struct {
	record accord.Record
	since  time.Time
}

// append makes records durable. It tells whether a new file was begun, because the one before has grown large enough for
// the database to take over what it holds.
func (f *files) append(records []accord.Record, scalars *accord.Scalars) (begun bool, err error) {
	f.mu.Lock() // all the while, so that what stands in a file that is given up was taken
	defer f.mu.Unlock()
	f.buf = appendEntry(f.buf[:0], records, scalars)
	if err := f.log.Append(f.buf); err != nil {
		return false, err
	}
	f.take(records, scalars, time.Now())
	if f.log.Size() < segmentBytes {
		return false, nil
	}
	return true, f.rotate()
}

// rotate begins a new file; with the next write of everything the ones before can go. The caller holds mu.
func (f *files) rotate() error {
	number, err := f.log.Rotate()
	if err == nil {
		f.segment = &number
	}
	return err
}

// take keeps records until the database has them. The caller holds mu.
func (f *files) take(records []accord.Record, scalars *accord.Scalars, now time.Time) {
	for _, r := range records {
		earlier, known := f.fresh[r.ID]
		if known && r.Txn == nil {
			r.Txn = earlier.record.Txn
		}
		if !known {
			earlier.since = now
		}
		f.fresh[r.ID] = fresh{r, earlier.since}
	}
	if scalars != nil {
		f.scalars = scalars
	}
}

// join adds what the database does not hold to what is about to be written: of the transactions that are marked
// applied, their promises; if old is set what has been under way for a while; and if all is set everything.
func (f *files) join(todo *effects, old, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range todo.applied {
		r := &todo.applied[i]
		if newer, known := f.fresh[r.ID]; known {
			if newer.record.Promised.After(r.Promised.Timestamp) {
				r.Promised = newer.record.Promised
			}
			delete(f.fresh, r.ID)
		}
	}
	if !old && !all {
		return
	}
	before := time.Now().Add(-lookDelay)
	for id, r := range f.fresh {
		if all || r.since.Before(before) {
			todo.records = append(todo.records, r.record)
			delete(f.fresh, id)
		}
	}
	todo.scalars, f.scalars = f.scalars, nil
	if all {
		todo.segment, f.segment = f.segment, nil
	}
}

// checkpoint has the database hold, durably, everything that has been appended.
func (s *Store) checkpoint(ctx context.Context) error {
	if s.files == nil {
		return nil
	}
	s.files.mu.Lock()
	err := s.files.rotate()
	s.files.mu.Unlock()
	if err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	return s.behind.settleAll(ctx)
}

// journalDir returns where the journal is kept; empty: in the database.
func (c *Config) journalDir() string {
	path, isSQLite := strings.CutPrefix(c.URL, "sqlite:")
	switch {
	case len(c.Nodes) == 0 || c.Journal == JournalInSQL:
		return ""
	case c.Journal != "":
		return c.Journal
	case isSQLite && path != ":memory:":
		return path + ".journal"
	}
	return ""
}

// openFiles opens the journal that belongs to the database, and has the database take over what it holds.
func (s *Store) openFiles(ctx context.Context) error {
	id, from, err := s.journalOf(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: read which journal belongs to the database: %w", err)
	}
	dir := s.cfg.journalDir()
	switch {
	case dir == "" && id == "":
		return nil
	case dir == "":
		return fmt.Errorf("%w: it is kept in files, name their directory", ErrJournal)
	}
	cfg := journal.Config{Dir: filepath.Clean(dir), From: from}
	if id == "" {
		if _, err := rand.Read(cfg.ID[:]); err != nil {
			return fmt.Errorf("sqlstore: make an id: %w", err)
		}
		if err := s.engine.exec(ctx, `UPDATE node SET journal_id = $1`, hex.EncodeToString(cfg.ID[:])); err != nil {
			return fmt.Errorf("sqlstore: note which journal belongs to the database: %w", err)
		}
	} else if _, err := hex.Decode(cfg.ID[:], []byte(id)); err != nil || len(id) != 2*len(cfg.ID) {
		return fmt.Errorf("%w: its id is %q", ErrJournal, id)
	}
	return s.replay(ctx, cfg)
}

// journalOf returns which journal the database notes, and from where on it is needed.
func (s *Store) journalOf(ctx context.Context) (id string, from uint64, err error) {
	err = query{s.engine.query}.each(ctx, `SELECT journal_id, journal_from FROM node`, nil, func(found rows) error {
		var first int64
		err := found.Scan(&id, &first)
		from = uint64(first)
		return err
	})
	return id, from, err
}

// replay reads the journal into the database.
func (s *Store) replay(ctx context.Context, cfg journal.Config) (err error) {
	f := &files{fresh: make(map[accord.TxnID]fresh)}
	f.log, err = journal.Open(cfg, func(entry []byte) error {
		records, scalars, err := decodeEntry(entry)
		f.take(records, scalars, time.Time{})
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	s.files = f
	todo := newEffects()
	f.join(todo, false, true)
	number := f.log.Number()
	todo.segment = &number
	if err := s.forgetApplied(ctx, todo); err != nil {
		return err
	}
	if err := s.engine.transact(ctx, true, &wanted{}, func(*loaded) *effects { return todo }); err != nil {
		return fmt.Errorf("sqlstore: take over the journal: %w", err)
	}
	return f.log.Drop(number)
}

// forgetApplied leaves out the records of transactions that the database has marked applied: it has all of them, and the
// file may have lost the last.
func (s *Store) forgetApplied(ctx context.Context, todo *effects) error {
	const most = 500
	var left []accord.Record
	for batch := todo.records; len(batch) > 0; {
		part := batch[:min(most, len(batch))]
		batch = batch[len(part):]
		want, l := &wanted{}, newLoaded()
		for i := range part {
			want.txnIDs = append(want.txnIDs, part[i].ID.String())
		}
		if err := s.engine.lookUp(ctx, want, l); err != nil {
			return fmt.Errorf("sqlstore: find what is applied: %w", err)
		}
		for i := range part {
			if !l.applied[want.txnIDs[i]] {
				left = append(left, part[i])
			}
		}
	}
	todo.records = left
	return nil
}

// selectStable finds what a watermark says is applied, and is not marked so. The first condition is that of an index.
const selectStable = `SELECT ` + recordColumns + ` FROM accord_txn WHERE status <> 'applied' AND status = 'stable' AND execute_at <= $1 ORDER BY execute_at`

// redo executes again what was executed before the watermark was recorded, but had not reached the disk when a crash
// came. All of it is stable, and what conflicts executes in the order of executeAt.
func (s *Store) redo(ctx context.Context) error {
	scalars, err := loadScalars(ctx, query{s.engine.query})
	if err != nil {
		return fmt.Errorf("sqlstore: load the scalars: %w", err)
	}
	var batch []accord.Execution
	err = query{s.engine.query}.each(ctx, selectStable, []any{scalars.Watermark.String()}, func(found rows) error {
		rec, err := scanRecord(found.Scan)
		if rec.ID.Kind == accord.KindWrite && rec.Txn != nil {
			batch = append(batch, accord.Execution{Record: rec})
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlstore: find what is to be executed again: %w", err)
	}
	for len(batch) > 0 {
		part := batch[:min(behindEnough, len(batch))]
		batch = batch[len(part):]
		if _, err := s.Apply(ctx, part); err != nil {
			return fmt.Errorf("sqlstore: execute again: %w", err)
		}
	}
	return s.behind.settle(ctx)
}
