package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
)

// refusal is why a request did not commit, as the request table keeps it.
type refusal struct {
	Conflicts []conflict `json:"conflicts,omitempty"`
	IDTaken   []string   `json:"id_taken,omitempty"`
}

type conflict struct {
	Stream event.Stream `json:"stream"`
	Want   event.Expect `json:"want"`
	Have   uint64       `json:"have"`
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
	return nil
}

// requestColumns join a request with its events, in order: one row for each event, or one row without.
const requestColumns = `r.request_id, r.txn_id, r.hash, r.committed, r.refusal, e.id, e.stream, e.version, e.position`

const requestJoin = ` FROM request r LEFT JOIN event e ON r.committed AND e.position >= r.execute_at || '0000' AND e.position <= r.execute_at || 'vvvv' `

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

// Outcome returns what became of a request, by its id or else by the text of its TxnID; event.ErrNotFound if
// neither is known here.
func (s *Store) Outcome(ctx context.Context, id string) (event.Outcome, error) {
	columns := []string{"request_id"}
	if _, err := accord.ParseTimestamp(id); err == nil {
		columns = append(columns, "txn_id")
	}
	for _, column := range columns {
		found, err := s.engine.query(ctx, `SELECT `+requestColumns+requestJoin+`WHERE r.`+column+` = $1 ORDER BY r.request_id, e.position`, id)
		if err != nil {
			return event.Outcome{}, fmt.Errorf("sqlstore: find request %q: %w", id, err)
		}
		requests, err := collectRequests(found)
		found.Close()
		if err != nil {
			return event.Outcome{}, fmt.Errorf("sqlstore: read request %q: %w", id, err)
		}
		for _, request := range requests {
			return request.Outcome, nil
		}
	}
	return event.Outcome{}, event.ErrNotFound
}
