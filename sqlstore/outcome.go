package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
)

// refusal is why a request did not commit, as the request table keeps it.
type refusal struct {
	Conflicts []conflict `json:"conflicts,omitempty"`
	Existing  []existing `json:"existing,omitempty"`
	IDTaken   []string   `json:"id_taken,omitempty"`
}

type conflict struct {
	Stream event.Stream `json:"stream"`
	Want   event.Expect `json:"want"`
	Have   uint64       `json:"have"`
}

type existing struct {
	Item     int            `json:"item"`
	ID       string         `json:"id"`
	Stream   event.Stream   `json:"stream"`
	Version  uint64         `json:"version"`
	Position event.Position `json:"position"`
}

// encodeRefusal returns nil for a request that committed.
func encodeRefusal(o *event.Outcome) *string {
	if o.Committed {
		return nil
	}
	r := refusal{IDTaken: o.IDTaken}
	for _, c := range o.Conflicts {
		r.Conflicts = append(r.Conflicts, conflict(c))
	}
	for _, e := range o.Existing {
		r.Existing = append(r.Existing, existing{e.Item, e.ID.String(), e.Stream, e.Version, e.Position})
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		panic("sqlstore: encode a refusal: " + err.Error()) // names and numbers always encode
	}
	text := string(encoded)
	return &text
}

func decodeRefusal(text string, o *event.Outcome) error {
	var r refusal
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	o.IDTaken = r.IDTaken
	for _, c := range r.Conflicts {
		o.Conflicts = append(o.Conflicts, event.Conflict(c))
	}
	for _, e := range r.Existing {
		id, err := ulid.ParseStrict(e.ID)
		if err != nil {
			return err
		}
		o.Existing = append(o.Existing, event.Existing{Item: e.Item, Ref: event.Ref{ID: id, Stream: e.Stream, Version: e.Version, Position: e.Position}})
	}
	return nil
}

// requestColumns join a request with its events, in order: one row for each event, or one row without.
const requestColumns = `r.request_id, r.txn_id, r.hash, r.committed, r.refusal, e.id, e.stream, e.version, e.position`

const requestJoin = ` FROM request r LEFT JOIN event e ON r.committed AND e.position >= r.execute_at || '0000' AND e.position <= r.execute_at || 'vvvv' AND e.txn_id = r.txn_id `

// collectRequests reads rows of requestColumns, ordered by request and position.
func collectRequests(found rows) (map[string]event.Request, error) {
	requests := make(map[string]event.Request)
	for found.Next() {
		var id string
		var request event.Request
		var hash []byte
		var committed bool
		var refused, eventID, stream, position *string
		var version *int64
		if err := found.Scan(&id, &request.TxnID, &hash, &committed, &refused, &eventID, &stream, &version, &position); err != nil {
			return nil, err
		}
		if earlier, seen := requests[id]; seen {
			request = earlier
		} else {
			copy(request.Hash[:], hash)
			request.Outcome = event.Outcome{Receipt: event.Receipt{RequestID: id, TxnID: request.TxnID}, Committed: committed}
			if refused != nil {
				if err := decodeRefusal(*refused, &request.Outcome); err != nil {
					return nil, fmt.Errorf("sqlstore: decode the refusal of %q: %w", id, err)
				}
			}
		}
		if eventID != nil {
			parsed, err := ulid.ParseStrict(*eventID)
			if err != nil {
				return nil, fmt.Errorf("sqlstore: event id %q: %w", *eventID, err)
			}
			addRef(&request.Outcome.Receipt, event.Ref{ID: parsed, Stream: event.Stream(*stream), Version: uint64(*version), Position: event.Position(*position)})
		}
		requests[id] = request
	}
	return requests, found.Err()
}

// collectRequests adds requests to those known.
func (l *loaded) collectRequests(found rows) error {
	requests, err := collectRequests(found)
	maps.Copy(l.state.Requests, requests)
	return err
}

// addRef adds an event to a receipt.
func addRef(r *event.Receipt, ref event.Ref) {
	r.Events = append(r.Events, ref)
	r.Position = ref.Position
	for i := range r.Streams {
		if r.Streams[i].Stream == ref.Stream {
			r.Streams[i].Version = ref.Version
			return
		}
	}
	r.Streams = append(r.Streams, event.StreamVersion{Stream: ref.Stream, Version: ref.Version})
}

// applied is what became of a transaction whose outcome does not stand in the request table, as accord_txn keeps
// it. One that was plainly done has none of it. Of a bundle it is that of the first command, and Parts has the others'.
type applied struct {
	Fenced  bool          `json:"fenced,omitempty"`
	Repeats string        `json:"repeats,omitempty"` // the request id, which had been used before for the same content
	Reused  string        `json:"reused,omitempty"`  // the request id, which had been used before for other content
	Parts   *appliedParts `json:"parts,omitempty"`
}

// appliedParts are by the number of the command in its bundle, 1 or more.
type appliedParts map[int]applied

// noteOf returns nothing if the outcome stands in the request table or was plainly done.
func noteOf(o *event.Outcome) applied {
	switch {
	case o.Reused:
		return applied{Reused: o.RequestID}
	case o.Duplicate:
		return applied{Repeats: o.RequestID}
	}
	return applied{Fenced: o.Fenced}
}

// add notes the outcome of a command.
func (a *applied) add(part int, of applied) {
	switch {
	case of == applied{}:
	case part == 0:
		of.Parts = a.Parts
		*a = of
	case a.Parts == nil:
		a.Parts = &appliedParts{part: of}
	default:
		(*a.Parts)[part] = of
	}
}

// of returns what is noted of a command.
func (a *applied) of(part int) applied {
	switch {
	case part == 0:
		return applied{Fenced: a.Fenced, Repeats: a.Repeats, Reused: a.Reused}
	case a.Parts == nil:
		return applied{}
	}
	return (*a.Parts)[part]
}

func (a *applied) encode() string {
	encoded, err := json.Marshal(a)
	if err != nil {
		panic("sqlstore: encode an outcome: " + err.Error()) // names always encode
	}
	return string(encoded)
}

// Outcome returns what became of a request, by its request id, or of any command, by its PartID, which for almost all is
// the text of the TxnID; event.ErrNotFound if neither is known here. What had no request id is known by its TxnID for as long as it
// stands in accord_txn.
func (s *Store) Outcome(ctx context.Context, id string) (event.Outcome, error) {
	if err := s.behind.settle(ctx); err != nil {
		return event.Outcome{}, err
	}
	request, err := s.request(ctx, byRequestID, id)
	txnID, _ := event.SplitPartID(id)
	if _, malformed := accord.ParseTimestamp(txnID); malformed == nil && errors.Is(err, event.ErrNotFound) {
		return s.outcomeOf(ctx, id)
	}
	return request.Outcome, err
}

// outcomeOf returns what became of a command.
func (s *Store) outcomeOf(ctx context.Context, id string) (event.Outcome, error) {
	txnID, part := event.SplitPartID(id)
	request, err := s.request(ctx, byTxnID, id, txnID)
	if !errors.Is(err, event.ErrNotFound) {
		return request.Outcome, err
	}
	var text *string
	var body []byte
	var executeAt string
	applied := false
	err = query{s.engine.query}.each(ctx, selectApplied, []any{txnID}, func(found rows) error {
		applied = true
		return found.Scan(&text, &body, &executeAt)
	})
	if err != nil {
		return event.Outcome{}, fmt.Errorf("sqlstore: find transaction %s: %w", txnID, err)
	}
	if !applied {
		return event.Outcome{}, event.ErrNotFound
	}
	return s.conclude(ctx, id, part, text, body, executeAt)
}

const selectApplied = `SELECT CAST(outcome AS text), events_data, coalesce(execute_at, '') FROM accord_txn WHERE txn_id = $1 AND status = 'applied' AND events_data IS NOT NULL`

// conclude returns the outcome of a command of an applied transaction, that does not stand in the request table. An append's of
// which nothing is noted repeats another: its effects came with a log, that does not tell more. Of anything else that came so
// it is not known: event.ErrNotFound. What was applied here was plainly done.
func (s *Store) conclude(ctx context.Context, id string, part int, noted *string, body []byte, executeAt string) (event.Outcome, error) {
	var all applied
	if err := decodeJSON(noted, &all); err != nil {
		return event.Outcome{}, fmt.Errorf("sqlstore: decode the outcome of %s: %w", id, err)
	}
	if note := all.of(part); note != (applied{}) {
		return s.complete(ctx, note, id)
	}
	command, err := event.DecodeCommand(body)
	if err != nil {
		return event.Outcome{}, fmt.Errorf("sqlstore: decode transaction %s: %w", id, err)
	}
	each := command.Each()
	if part >= len(each) {
		return event.Outcome{}, event.ErrNotFound
	}
	if command = each[part]; command.Append == nil {
		if executeAt <= *s.caughtUp.Load() {
			return event.Outcome{}, event.ErrNotFound
		}
		return event.Outcome{Receipt: event.Receipt{TxnID: id}, Committed: true}, nil
	}
	request := command.Append.RequestID
	first, err := s.request(ctx, byRequestID, request)
	if err == nil && first.Hash != command.Hash {
		return event.Outcome{Receipt: event.Receipt{RequestID: request, TxnID: first.TxnID}, Reused: true}, nil
	}
	first.Outcome.Duplicate = true
	return first.Outcome, err
}

// complete turns what is kept of an outcome back into all of it.
func (s *Store) complete(ctx context.Context, a applied, txnID string) (event.Outcome, error) {
	switch {
	case a.Fenced:
		return event.Outcome{Receipt: event.Receipt{TxnID: txnID}, Fenced: true}, nil
	case a.Reused != "":
		first, err := s.request(ctx, byRequestID, a.Reused)
		return event.Outcome{Receipt: event.Receipt{RequestID: a.Reused, TxnID: first.TxnID}, Reused: true}, err
	case a.Repeats != "":
		first, err := s.request(ctx, byRequestID, a.Repeats)
		first.Outcome.Duplicate = true
		return first.Outcome, err
	}
	return event.Outcome{}, fmt.Errorf("%w: the outcome noted of %s says nothing", errCorrupt, txnID)
}

// How a request is found: by its id, or by its PartID and the TxnID in it. Most execute at their own TxnID, by which there is
// an index; another has the rest.
const (
	byRequestID = `r.request_id = $1`
	byTxnID     = `(r.txn_id = $1 AND r.execute_at = $2 OR r.txn_id = $1 AND substr(r.txn_id, 1, 24) <> r.execute_at)`
)

// request returns what is remembered of a request; event.ErrNotFound if there is none.
func (s *Store) request(ctx context.Context, by string, ids ...any) (event.Request, error) {
	found, err := s.engine.query(ctx, `SELECT `+requestColumns+requestJoin+`WHERE `+by+` ORDER BY r.request_id, e.position`, ids...)
	if err != nil {
		return event.Request{}, fmt.Errorf("sqlstore: find request %q: %w", ids[0], err)
	}
	defer found.Close()
	requests, err := collectRequests(found)
	if err != nil {
		return event.Request{}, fmt.Errorf("sqlstore: read request %q: %w", ids[0], err)
	}
	for _, request := range requests {
		return request, nil
	}
	return event.Request{}, event.ErrNotFound
}
