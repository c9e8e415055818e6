package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
// of another one whose appends of one event each were made one after the other. Stream by stream, since then what is
// written together lies together in all indexes, without which ten million events would take hours.
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
	text := newText(h.bytes, random)
	for from := 0; from < h.events; from += historyPartEvents {
		part := historyPart{}
		to := min(from+historyPartEvents, h.events)
		for i := from; i < to; i++ {
			h.add(&part, h.at(first, i), i, random, text.data(h.bytes, random))
		}
		if part.Next = h.at(first, to-1).String(); to == h.events {
			part.Next, part.End = "", &historyEnd{h.at(first, to-1)}
		}
		encoded, err := json.Marshal(part)
		if err != nil {
			return err
		}
		select {
		case parts <- encoded:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// add adds the i-th event and its request.
func (h history) add(part *historyPart, at accord.Timestamp, i int, random *rand.Rand, data []byte) {
	id, recorded := at.String(), time.UnixMicro(int64(at.HLC)).UTC()
	part.Requests = append(part.Requests, historyRequest{
		ID: historyID(recorded, random).String(), TxnID: id, ExecuteAt: id, Hash: fmt.Appendf(nil, "%016x", random.Uint64()), Committed: true,
	})
	part.Events = append(part.Events, historyEvent{
		ID: historyID(recorded, random), Stream: historyStream(i / h.perStream), Version: uint64(i%h.perStream) + 1, Position: event.PositionAt(id, 0), TxnID: id,
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
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
