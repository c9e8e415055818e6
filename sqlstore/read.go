package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// defaultLimit and maxLimit bound a page, in events.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// eventColumns cast JSON to text, since a driver reads the JSON value null as no value at all.
const eventColumns = `event.position, txn_id, stream, version, id, type, CAST(data AS text), data_bytes, metadata, routing_key, tags, recorded_at`

// selection builds the FROM and WHERE clauses of a read.
type selection struct {
	from     string
	position string // the column that has the order of the log
	clauses  []string
	args     []any
}

// where adds a clause in which ? stands for the next argument.
func (q *selection) where(clause string, arg any) {
	q.args = append(q.args, arg)
	q.clauses = append(q.clauses, strings.Replace(clause, "?", "$"+strconv.Itoa(len(q.args)), 1))
}

func newSelection(args event.ReadArgs) *selection {
	q := &selection{from: "event", position: "event.position"}
	tags := args.Tags
	if len(tags) > 0 && args.Stream == "" {
		// The table of tags is in the order of positions: it leads to the events of one tag from any position on, however many have it
		// or how long the category is. CROSS keeps SQLite from beginning at the other end.
		q.from, q.position = "event_tag AS first CROSS JOIN event", "first.position"
		q.clauses = append(q.clauses, "event.position = first.position")
		q.where("first.tag = ?", tags[0])
		tags = tags[1:]
	}
	for _, tag := range tags {
		q.where("EXISTS (SELECT 1 FROM event_tag AS other WHERE other.tag = ? AND other.position = event.position)", tag)
	}
	q.build(args)
	return q
}

func (q *selection) build(args event.ReadArgs) {
	if args.Stream != "" {
		q.where("stream = ?", string(args.Stream))
	} else if args.Category != "" {
		q.where("category = ?", args.Category)
	}
	if args.RoutingKey != "" {
		q.where("routing_key = ?", args.RoutingKey)
	}
	if len(args.Types) > 0 {
		q.whereIn("type", args.Types)
	}
	if args.After != "" {
		q.where(q.position+" > ?", string(args.After))
	}
	if args.Before != "" {
		q.where(q.position+" < ?", string(args.Before))
	}
	if args.FromVersion > 0 && args.Backward {
		q.where("version <= ?", int64(args.FromVersion))
	} else if args.FromVersion > 0 {
		q.where("version >= ?", int64(args.FromVersion))
	}
}

// text is both clauses.
func (q *selection) text() string {
	text := ` FROM ` + q.from
	if len(q.clauses) > 0 {
		text += ` WHERE ` + strings.Join(q.clauses, ` AND `)
	}
	return text
}

// page selects the events of a page and one more.
func (q *selection) page(args event.ReadArgs, limit int) string {
	// A stream's versions and positions run alike: either orders it, by the index at hand.
	order := q.position
	if args.Stream != "" {
		order = "version"
	}
	if args.Backward {
		order += " DESC"
	}
	return fmt.Sprintf("SELECT %s%s ORDER BY %s LIMIT %d", eventColumns, q.text(), order, limit+1)
}

func (q *selection) whereIn(column string, values []string) {
	marks := make([]string, len(values))
	for i, value := range values {
		q.args = append(q.args, value)
		marks[i] = "$" + strconv.Itoa(len(q.args))
	}
	q.clauses = append(q.clauses, column+" IN ("+strings.Join(marks, ", ")+")")
}

// Read implements event.Executor on what has been applied before the call, whether it is in the database or on its way there;
// Consistency, MinPosition and Wait are the business of whoever knows when to read.
func (s *Store) Read(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	tail, err := s.behind.tail(args.Stream)
	if err != nil {
		return event.Page{}, err
	}
	defer tail.release()
	return s.read(ctx, args, tail)
}

// ReadStored is Read from nothing but the database, which it has show everything that it selects first.
func (s *Store) ReadStored(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	onItsWay, err := s.behind.tail(args.Stream)
	if err != nil {
		return event.Page{}, err
	}
	lacks := onItsWay.has(args)
	onItsWay.release()
	if lacks {
		if err := s.behind.settle(ctx); err != nil {
			return event.Page{}, err
		}
	}
	return s.read(ctx, args, &tail{})
}

// read reads from the database and the tail.
func (s *Store) read(ctx context.Context, args event.ReadArgs, tail *tail) (page event.Page, err error) {
	if args.FromVersion > 0 && args.Stream == "" {
		return page, &event.InvalidError{Field: "from_version", Reason: "needs a stream"}
	}
	limit := args.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	q := newSelection(args)
	if len(s.cfg.Nodes) == 0 {
		page.Frontier = *s.last.Load() // without consensus nothing is ever inserted before the end
	}
	if err := s.readEvents(ctx, q.page(args, limit), q.args, limit, args.MaxBytes, &page); err != nil {
		return event.Page{}, fmt.Errorf("sqlstore: read events: %w", err)
	}
	tail.add(&page, args, limit)
	page.Next = args.After
	if args.Backward {
		page.Next = args.Before
	}
	if n := len(page.Events); n > 0 {
		page.Next = page.Events[n-1].Position
	}
	if args.Stream != "" {
		page.Head, err = s.headOf(ctx, args, &page, tail)
	}
	return page, err
}

// headOf returns the head of the stream that a page is of, without asking the database where the page or the tail tells it.
func (s *Store) headOf(ctx context.Context, args event.ReadArgs, page *event.Page, tail *tail) (head event.Head, err error) {
	if head = tail.head(); head.Version == 0 && !showsHead(args, page) {
		if head, err = s.storedHead(ctx, args.Stream); err != nil {
			return head, err
		}
	}
	for _, i := range []int{0, len(page.Events) - 1} { // read after the tail was taken, so that it may show more
		if i >= 0 && i < len(page.Events) && page.Events[i].Version > head.Version {
			head = event.Head{Version: page.Events[i].Version, Position: page.Events[i].Position}
		}
	}
	return head, nil
}

// showsHead tells whether the last event of the stream is certain to be on the page.
func showsHead(args event.ReadArgs, page *event.Page) bool {
	if len(page.Events) == 0 || len(args.Types)+len(args.Tags)+len(args.RoutingKey)+len(args.Before) > 0 {
		return false
	}
	if args.Backward {
		return args.FromVersion == 0
	}
	return page.End
}

// readEvents fills the page up to its limits, and notes whether that was all.
func (s *Store) readEvents(ctx context.Context, sql string, args []any, limit, maxBytes int, page *event.Page) error {
	found, err := s.engine.query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	size := 0
	for found.Next() {
		e, err := scanEvent(found)
		if err != nil {
			return err
		}
		size += sizeOf(&e)
		if len(page.Events) == limit || maxBytes > 0 && size > maxBytes && len(page.Events) > 0 {
			return nil
		}
		page.Events = append(page.Events, e)
	}
	page.End = true
	return found.Err()
}

// sizeOf is about how many bytes an event takes in a reply.
func sizeOf(e *event.Event) int {
	size := 200 + len(e.Stream) + len(e.Type) + len(e.Data) + len(e.RoutingKey)
	if e.Binary {
		size += len(e.Data) / 2 // base64
	}
	for key, value := range e.Metadata {
		size += len(key) + len(value) + 8
	}
	for _, tag := range e.Tags {
		size += len(tag) + 4
	}
	return size
}

// scanEvent reads an event. Its error is a *event.DamagedError if it is known which one it is.
func scanEvent(found rows) (event.Event, error) {
	var e event.Event
	err := decodeEvent(found, &e)
	if err != nil && e.Position != "" {
		err = &event.DamagedError{Position: e.Position, Err: err}
	}
	return e, err
}

func decodeEvent(found rows, e *event.Event) (err error) {
	var id string
	var data, metadata, tags *string
	var bytes []byte
	var routingKey *string
	var version int64
	var recorded any
	if err := found.Scan((*string)(&e.Position), &e.TxnID, (*string)(&e.Stream), &version, &id, &e.Type, &data, &bytes,
		&metadata, &routingKey, &tags, &recorded); err != nil {
		return err
	}
	e.Version = uint64(version)
	if e.ID, err = ulid.ParseStrict(id); err != nil {
		return fmt.Errorf("id %q: %w", id, err)
	}
	if data != nil {
		e.Data = []byte(*data)
	} else {
		if e.Data, e.Binary = bytes, true; bytes == nil { // no bytes are not nothing
			e.Data = []byte{}
		}
	}
	if routingKey != nil {
		e.RoutingKey = *routingKey
	}
	if err := decodeJSON(metadata, &e.Metadata); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	if err := decodeJSON(tags, &e.Tags); err != nil {
		return fmt.Errorf("tags: %w", err)
	}
	if e.RecordedAt, err = decodeTime(recorded); err != nil {
		return fmt.Errorf("time: %w", err)
	}
	return nil
}

func decodeJSON(text *string, into any) error {
	if text == nil {
		return nil
	}
	return json.Unmarshal([]byte(*text), into)
}

// timeLayout is how SQLite holds times: fixed width, so that they sort.
const timeLayout = "2006-01-02T15:04:05.000000Z"

func decodeTime(v any) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		return v.UTC(), nil
	case string:
		return time.Parse(timeLayout, v)
	}
	return time.Time{}, fmt.Errorf("%w: time of type %T", errCorrupt, v)
}

// encodeJSON returns nil for an empty map or slice.
func encodeJSON[T any](v T, size int) *string {
	if size == 0 {
		return nil
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		panic("sqlstore: encode " + err.Error()) // strings always encode
	}
	text := string(encoded)
	return &text
}

// Head returns how far a stream has come; the zero Head if it has no events.
func (s *Store) Head(ctx context.Context, stream event.Stream) (event.Head, error) {
	head, err := s.behind.head(stream)
	if err != nil || head.Version > 0 {
		return head, err
	}
	return s.storedHead(ctx, stream)
}

// storedHead returns the head that the database shows.
func (s *Store) storedHead(ctx context.Context, stream event.Stream) (head event.Head, err error) {
	found, err := s.engine.query(ctx, `SELECT version, position FROM event WHERE stream = $1 ORDER BY version DESC LIMIT 1`, string(stream))
	if err != nil {
		return head, fmt.Errorf("sqlstore: head of %s: %w", stream, err)
	}
	defer found.Close()
	for found.Next() {
		if err := found.Scan(&head.Version, (*string)(&head.Position)); err != nil {
			return head, fmt.Errorf("sqlstore: head of %s: %w", stream, err)
		}
	}
	return head, found.Err()
}
