package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/sqlstore"
)

// history is a log to be there before a measurement: as if every node had been away, and had caught up from the log
// of another one whose appends of one event each were made one after the other. They went through all streams again and again,
// each time in the order of names with some events to some of them: then what is written together lies together in the index
// of streams, without which ten million events would take hours, and still a stream's events are spread over the log, as
// appends leave them.
type history struct {
	events    int
	perStream int
	bytes     int
}

// What a part of a log looks like that nodes send each other: package sqlstore merges it.
type (
	historyPart struct {
		Requests []historyRequest
		Events   []historyEvent
		Next     string
		End      *historyEnd
	}
	historyRequest struct {
		ID, TxnID, ExecuteAt string
		Hash                 []byte
		Committed            bool
	}
	historyEvent struct {
		ID         ulid.ULID
		Stream     event.Stream
		Version    uint64
		Position   event.Position
		TxnID      string
		Type       string
		Data       []byte
		RecordedAt time.Time
	}
	historyEnd struct {
		Watermark accord.Timestamp
	}
)

// historyPartEvents is how many events are merged at a time.
const historyPartEvents = 1000

// historyStep is the time between two events of a history, of which the last is historyAge old.
const (
	historyStep = 50 * time.Microsecond
	historyAge  = time.Minute
)

// historyTurns is how often a history goes through all streams.
const historyTurns = 10

// streams returns how many streams a history has.
func (h history) streams() int { return (h.events + h.perStream - 1) / h.perStream }

// order yields the stream of each event and its version there. Each stream's events are dealt to the turns by chance.
func (h history) order(random *rand.Rand) iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		written := make([]int, h.streams())
		for left := historyTurns; left > 0; left-- {
			for stream := range written {
				for range dealt(min(h.perStream, h.events-stream*h.perStream)-written[stream], left, random) {
					written[stream]++
					if !yield(stream, uint64(written[stream])) {
						return
					}
				}
			}
		}
	}
}

// dealt returns how many of n events come in the first of so many turns.
func dealt(n, turns int, random *rand.Rand) (now int) {
	for range n {
		if random.IntN(turns) == 0 {
			now++
		}
	}
	return now
}

// historyStream is the name of a stream. Names sort as the numbers do.
func historyStream(i int) event.Stream { return event.Stream(fmt.Sprintf("bench.s%08d", i)) }

// fill fills the databases of nodes that have not run yet. Files are filled once and copied.
func (h history) fill(ctx context.Context, stores []sqlstore.Config) error {
	names, first := nodeNames(len(stores)), time.Now().Add(-historyAge-time.Duration(h.events)*historyStep)
	path, isFile := strings.CutPrefix(stores[0].URL, "sqlite:")
	for i, cfg := range stores {
		if i > 0 && isFile {
			if err := copyDatabase(ctx, path, strings.TrimPrefix(cfg.URL, "sqlite:"), names[i]); err != nil {
				return fmt.Errorf("copy the database for %s: %w", names[i], err)
			}
			continue
		}
		// The journal is empty: whoever opens the database next may begin one elsewhere.
		cfg.Cluster, cfg.Node, cfg.Nodes, cfg.Journal = "bench", names[i], names, sqlstore.JournalInSQL
		if err := h.fillOne(ctx, cfg, first); err != nil {
			return err
		}
	}
	return nil
}

// fillOne merges part after part, while the next one is being made.
func (h history) fillOne(ctx context.Context, cfg sqlstore.Config, first time.Time) (err error) {
	store, err := sqlstore.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	parts := make(chan []byte, 4)
	filling, ctx := errgroup.WithContext(ctx)
	filling.Go(func() error {
		defer close(parts)
		return h.write(ctx, first, parts)
	})
	filling.Go(func() error {
		for part := range parts {
			if _, _, err := store.MergeLog(ctx, part); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	if err := filling.Wait(); err != nil {
		return err
	}
	last := h.at(first, h.events-1)
	return store.AppendRecords(context.WithoutCancel(ctx), nil, &accord.Scalars{HLCLimit: last.HLC + 1, ConflictFloor: last, Watermark: last})
}

// at is when the i-th event was executed. By turns the nodes have coordinated.
func (h history) at(first time.Time, i int) accord.Timestamp {
	at := first.Add(time.Duration(i) * historyStep)
	return accord.Timestamp{HLC: uint64(at.UnixMicro()), Kind: accord.KindWrite, Node: accord.NodeID(1 + i%clusterSize)}
}

// write makes the parts of the log, the same for all nodes.
func (h history) write(ctx context.Context, first time.Time, parts chan<- []byte) error {
	random := rand.New(rand.NewPCG(1, uint64(h.events)))
	text, part, i := newText(h.bytes, random), historyPart{}, 0
	for stream, version := range h.order(random) {
		h.add(&part, h.at(first, i), stream, version, random, text.data(h.bytes, random))
		if i++; i%historyPartEvents != 0 && i < h.events {
			continue
		}
		if part.Next = h.at(first, i-1).String(); i == h.events {
			part.Next, part.End = "", &historyEnd{h.at(first, i-1)}
		}
		encoded, err := json.Marshal(part)
		if err != nil {
			return err
		}
		select {
		case parts <- encoded:
			part = historyPart{}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// add adds an event and its request.
func (h history) add(part *historyPart, at accord.Timestamp, stream int, version uint64, random *rand.Rand, data []byte) {
	id, recorded := at.String(), time.UnixMicro(int64(at.HLC)).UTC()
	part.Requests = append(part.Requests, historyRequest{
		ID: historyID(recorded, random).String(), TxnID: id, ExecuteAt: id, Hash: fmt.Appendf(nil, "%016x", random.Uint64()), Committed: true,
	})
	part.Events = append(part.Events, historyEvent{
		ID: historyID(recorded, random), Stream: historyStream(stream), Version: version, Position: event.PositionAt(id, 0), TxnID: id,
		Type: "Filled", Data: data, RecordedAt: recorded,
	})
}

// historyID is a ULID of a time.
func historyID(at time.Time, random *rand.Rand) (id ulid.ULID) {
	if err := id.SetTime(ulid.Timestamp(at)); err != nil {
		panic("bench: the time of a history: " + err.Error()) // it is near now
	}
	for i := 6; i < len(id); i++ {
		id[i] = byte(random.Uint32())
	}
	return id
}

// copyDatabase copies a SQLite file that nobody has open, and makes it another node's.
func copyDatabase(ctx context.Context, from, to, node string) error {
	if err := copyFile(from, to); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", to)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `UPDATE node SET name = ?`, node)
	return errors.Join(err, db.Close())
}

// copyFile copies page by page, as SQLite has written the file itself. From larger pieces Linux makes larger units of its cache, and of
// each of which a page is written later, it counts all pages as written, up to ten times as many.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 4096)) // without what would read from or write to files in one
	return errors.Join(err, out.Close())
}
