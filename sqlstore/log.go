package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
)

// A part of the log, for a node that has missed it: what is merged into its store, and how it goes on.
// docs/protocol.md §8.5. The encoding is JSON, and only ever read by a node of the same cluster.
type logPart struct {
	Requests []shippedRequest
	Events   []shippedEvent
	Next     string  // execute_at to go on after; empty in the last part
	End      *logEnd // of the last part only
}

// logEnd is what is in effect at the end of the log, read at the same moment as the last requests.
type logEnd struct {
	Watermark, RedundantBefore accord.Timestamp
	Records                    []accord.Record   // decided ones that began since RedundantBefore, or execute beyond
	Outcomes                   map[string]string // of those of them whose outcome stands nowhere else, by TxnID
	Subscribers                []shippedSubscriber
	Snapshots                  []shippedSnapshot
}

type shippedRequest struct {
	ID, TxnID, ExecuteAt string
	Hash                 []byte
	Committed            bool
	Refusal              *string `json:",omitempty"`
}

// check tells whether the request can be stored.
func (r *shippedRequest) check() error {
	if r.Refusal == nil {
		return nil
	}
	if err := decodeRefusal(*r.Refusal, &event.Outcome{}); err != nil {
		return fmt.Errorf("sqlstore: decode the refusal of %q: %w", r.ID, err)
	}
	return nil
}

// request returns the request as it is stored.
func (r *shippedRequest) request() event.Request {
	request := event.Request{TxnID: r.TxnID, Outcome: event.Outcome{Receipt: event.Receipt{RequestID: r.ID, TxnID: r.TxnID}, Committed: r.Committed}}
	copy(request.Hash[:], r.Hash)
	if r.Refusal != nil {
		_ = decodeRefusal(*r.Refusal, &request.Outcome) // check has seen that it decodes
	}
	return request
}

type shippedEvent struct {
	ID         ulid.ULID
	Stream     event.Stream
	Version    uint64
	Position   event.Position
	TxnID      string
	Type       string
	Data       []byte
	Binary     bool              `json:",omitempty"`
	Metadata   map[string]string `json:",omitempty"`
	RoutingKey string            `json:",omitempty"`
	Tags       []string          `json:",omitempty"`
	RecordedAt time.Time
}

type shippedSubscriber struct {
	event.Subscriber
	ExecuteAt string
}

type shippedSnapshot struct {
	event.Snapshot
	Dropped   bool `json:",omitempty"`
	ExecuteAt string
}

// Bounds of one part. A single transaction may be larger than partBytes, and goes alone.
const (
	partRequests = 1000
	partBytes    = 512 << 10
)

// ReadLog returns the part of the log that follows a cursor, which is a node's watermark or what MergeLog
// returned. since is the watermark from which on the reader misses everything.
func (s *Store) ReadLog(ctx context.Context, since accord.Timestamp, cursor string) ([]byte, error) {
	// The watermark and what it covers reach the database apart. What is read after both were waited for covers an
	// earlier watermark for certain.
	scalars, err := loadScalars(ctx, query{s.engine.query})
	if err != nil {
		return nil, fmt.Errorf("sqlstore: load the scalars: %w", err)
	}
	if err := s.behind.settleAll(ctx); err != nil {
		return nil, err
	}
	var part *logPart
	err = s.engine.snapshot(ctx, func(q query) (err error) {
		part, err = readPart(ctx, q, scalars, since, max(cursor, since.String()))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlstore: read the log after %s: %w", cursor, err)
	}
	encoded, err := json.Marshal(part)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: encode the log: %w", err)
	}
	return encoded, nil
}

func readPart(ctx context.Context, q query, scalars accord.Scalars, since accord.Timestamp, cursor string) (*logPart, error) {
	part, watermark := &logPart{}, scalars.Watermark.String()
	more, err := part.ship(ctx, q, stretch{after: cursor, to: watermark, requests: partRequests, bytes: partBytes})
	if err != nil {
		return nil, err
	}
	if more {
		part.Next = part.Requests[len(part.Requests)-1].ExecuteAt
		return part, nil
	}
	// Only up to the watermark is the log complete; what lies beyond comes at the end, all of it, however much that is.
	beyond := stretch{after: max(cursor, watermark), to: strings.Repeat("v", accord.TextSize), requests: math.MaxInt32, bytes: math.MaxInt}
	if _, err := part.ship(ctx, q, beyond); err != nil {
		return nil, err
	}
	return part, part.finish(ctx, q, scalars, since)
}

// stretch is a stretch of the log, and how much of it to take: a transaction more than so many bytes, at most.
type stretch struct {
	after, to       string // executeAt
	requests, bytes int
}

// ship adds requests with their events, and tells whether there is more of the stretch.
func (p *logPart) ship(ctx context.Context, q query, s stretch) (more bool, err error) {
	requests, err := shipRequests(ctx, q, s)
	if err != nil || len(requests) == 0 {
		return false, err
	}
	if more = len(requests) == s.requests; more {
		requests = whole(requests)
	}
	full, err := p.shipEvents(ctx, q, requests[0].ExecuteAt, requests[len(requests)-1].ExecuteAt, s.bytes)
	if full == "" {
		p.Requests = append(p.Requests, requests...)
		return more, err
	}
	for _, r := range requests {
		if r.ExecuteAt <= full {
			p.Requests = append(p.Requests, r)
		}
	}
	return true, err
}

// whole leaves out the last transaction, of which requests may be missing: a bundle has fewer than a part. A cursor stands
// between transactions.
func whole(requests []shippedRequest) []shippedRequest {
	last := requests[len(requests)-1].ExecuteAt
	for n := len(requests); n > 0; n-- {
		if requests[n-1].ExecuteAt != last {
			return requests[:n]
		}
	}
	return requests
}

func shipRequests(ctx context.Context, q query, s stretch) (requests []shippedRequest, err error) {
	err = q.each(ctx, `SELECT request_id, txn_id, execute_at, hash, committed, CAST(refusal AS text) FROM request WHERE execute_at > $1 AND execute_at <= $2 ORDER BY execute_at, txn_id LIMIT $3`,
		[]any{s.after, s.to, s.requests}, func(found rows) error {
			var r shippedRequest
			err := found.Scan(&r.ID, &r.TxnID, &r.ExecuteAt, &r.Hash, &r.Committed, &r.Refusal)
			requests = append(requests, r)
			return err
		})
	return requests, err
}

// shipEvents adds the events of the requests from first to last. If they are too large it returns behind which request it
// has left events out.
func (p *logPart) shipEvents(ctx context.Context, q query, first, last string, bytes int) (cut string, err error) {
	size, full := 0, ""
	err = q.each(ctx, `SELECT `+eventColumns+` FROM event WHERE position >= $1 AND position <= $2 ORDER BY position`,
		[]any{first + "0000", last + "vvvv"}, func(found rows) error {
			e, err := scanEvent(found)
			if at := e.Position.ExecuteAt(); err != nil || full != "" && at != full {
				cut = full
				return err
			}
			if size += sizeOf(&e); size > bytes {
				full = e.Position.ExecuteAt()
			}
			if cut == "" {
				p.Events = append(p.Events, shippedEvent(e))
			}
			return nil
		})
	return cut, err
}

// Almost all execute at their own TxnID, and are found by it; an index has the rest by execute_at.
const (
	// selectDecided finds what is decided and began since $1 or executes after $2; $3 is the lower of these.
	selectDecided = `SELECT ` + recordColumns + ` FROM accord_txn WHERE status IN ('stable', 'applied', 'invalidated') AND txn_id >= $3 AND (txn_id >= $1 OR execute_at > $2)
UNION ALL SELECT ` + recordColumns + ` FROM accord_txn WHERE status IN ('stable', 'applied', 'invalidated') AND txn_id < $3 AND txn_id <> execute_at AND execute_at > $2
ORDER BY txn_id`

	// selectOutcomes finds those of them that execute after $1 whose outcome stands nowhere else.
	selectOutcomes = `SELECT txn_id, CAST(outcome AS text) FROM accord_txn WHERE outcome IS NOT NULL
AND (txn_id = execute_at AND txn_id > $1 OR txn_id <> execute_at AND execute_at > $1)`
)

// finish adds what is in effect at the end of the log.
func (p *logPart) finish(ctx context.Context, q query, scalars accord.Scalars, since accord.Timestamp) (err error) {
	p.End = &logEnd{Watermark: scalars.Watermark, RedundantBefore: scalars.RedundantBefore}
	past, watermark := scalars.RedundantBefore.String(), scalars.Watermark.String()
	err = q.each(ctx, selectDecided, []any{past, watermark, min(past, watermark)}, func(found rows) error {
		rec, err := scanRecord(found.Scan)
		if !rec.ExecuteAt.After(scalars.Watermark) {
			rec.Txn, rec.Deps = nil, nil
		}
		// What the other has voted and promised is its own.
		rec = accord.Record{ID: rec.ID, Txn: rec.Txn, Status: rec.Status, ExecuteAt: rec.ExecuteAt, Deps: rec.Deps}
		p.End.Records = append(p.End.Records, rec)
		return err
	})
	if err != nil {
		return err
	}
	p.End.Outcomes = make(map[string]string)
	err = q.each(ctx, selectOutcomes, []any{watermark}, func(found rows) error {
		var id, outcome string
		err := found.Scan(&id, &outcome)
		p.End.Outcomes[id] = outcome
		return err
	})
	if err != nil {
		return err
	}
	err = q.each(ctx, `SELECT `+subscriberColumns+`, execute_at FROM subscriber WHERE execute_at > $1`, []any{since.String()}, func(found rows) (err error) {
		var sub shippedSubscriber
		sub.Subscriber, err = scanSubscriber(scanMore{found, &sub.ExecuteAt})
		p.End.Subscribers = append(p.End.Subscribers, sub)
		return err
	})
	if err != nil {
		return err
	}
	return q.each(ctx, `SELECT stream, name, version, data, dropped, execute_at FROM snapshot WHERE execute_at > $1`, []any{since.String()}, func(found rows) error {
		var shot shippedSnapshot
		err := found.Scan((*string)(&shot.Stream), &shot.Name, &shot.Version, &shot.Data, &shot.Dropped, &shot.ExecuteAt)
		p.End.Snapshots = append(p.End.Snapshots, shot)
		return err
	})
}

// scanMore scans one more column than the caller asks for.
type scanMore struct {
	rows
	last any
}

func (s scanMore) Scan(dest ...any) error { return s.rows.Scan(append(dest, s.last)...) }
