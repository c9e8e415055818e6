package sqlstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// known is what the store knows of the log without asking the database: the heads of streams (of those that have not grown since
// they were found, only the version), and of the ids that nobody has used. It holds everything that Apply has decided and the database does not show yet. Whoever holds
// Store.applying may use it; whoever holds mu as well may change what Doomed looks at.
type known struct {
	mu       sync.RWMutex // never held while the database is asked
	merging  bool         // part of another node's log is here, and its end is not
	heads    generations[event.Stream, latest]
	requests ids[*event.Request]
	events   ids[bool]
}

// latest is the head of a stream.
type latest struct {
	event.Head
	txnID string // of its last event; empty if that was found in the database
}

// generation is how many entries gather before the ones before them are forgotten. A batch may exceed it.
const generation = 20_000

// generations keeps the entries added or found last, one to two generations of them.
type generations[K comparable, V any] struct {
	young, old map[K]V
}

func (g *generations[K, V]) get(key K) (V, bool) {
	value, found := g.young[key]
	if !found {
		if value, found = g.old[key]; found {
			g.put(key, value)
		}
	}
	return value, found
}

// peek is get for who must not change anything.
func (g *generations[K, V]) peek(key K) (V, bool) {
	value, found := g.young[key]
	if !found {
		value, found = g.old[key]
	}
	return value, found
}

func (g *generations[K, V]) put(key K, value V) {
	if g.young == nil {
		g.young = make(map[K]V, len(g.old)) // it will hold as many, and need not grow
	}
	g.young[key] = value
}

func (g *generations[K, V]) full() bool { return len(g.young) >= generation }

// age forgets the old generation. What it returns is forgotten now, but for what young holds as well.
func (g *generations[K, V]) age() (forgotten map[K]V) {
	forgotten, g.old, g.young = g.old, g.young, nil
	return forgotten
}

// ids knows of every ULID above a bound whether it has been used, and for what. Ids are made in the order of time, more
// or less, so that new ones lie above. Used ids that are no ULIDs stand in it too, but of one that does not, nothing is
// known.
type ids[V any] struct {
	used  generations[string, V]
	bound string
}

// get tells what an id has been used for; asking the database is needed if it is not certain.
func (x *ids[V]) get(id string) (value V, used, certain bool) {
	value, used = x.used.get(id)
	return value, used, used || isULID(id) && id > x.bound
}

// unused tells whether an id is certain not to have been used.
func (x *ids[V]) unused(id string) bool {
	_, used := x.used.peek(id)
	return !used && isULID(id) && id > x.bound
}

func (x *ids[V]) age() {
	for id := range x.used.age() {
		if isULID(id) {
			x.bound = max(x.bound, id)
		}
	}
}

// isULID tells whether an id is written as ULIDs are, so that its place among them says when it was made.
func isULID(id string) bool {
	if len(id) != ulid.EncodedSize {
		return false
	}
	parsed, err := ulid.ParseStrict(id)
	return err == nil && parsed.String() == id
}

// known starts over from what the database says.
func (s *Store) learn(ctx context.Context) error {
	cursor, err := s.LogCursor(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: find out whether a log is merged in full: %w", err)
	}
	requests, err := s.newest(ctx, `SELECT request_id FROM request WHERE request_id > $1 AND request_id < '8' AND length(request_id) = 26 ORDER BY request_id DESC LIMIT 1`)
	if err != nil {
		return err
	}
	events, err := s.newest(ctx, `SELECT id FROM event WHERE id > $1 ORDER BY id DESC LIMIT 1`)
	if err == nil {
		s.known.begin(requests, events, cursor != "")
	}
	return err
}

// begin forgets everything but that no used ULID is above the bounds.
func (k *known) begin(requests, events string, merging bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.heads = generations[event.Stream, latest]{}
	k.requests = ids[*event.Request]{bound: requests}
	k.events = ids[bool]{bound: events}
	k.merging = merging
}

// newest returns a bound that no used ULID is above: as a rule, now.
func (s *Store) newest(ctx context.Context, selectLater string) (string, error) {
	var now ulid.ULID
	if err := now.SetTime(ulid.Timestamp(time.Now())); err != nil {
		return "", fmt.Errorf("sqlstore: the clock: %w", err)
	}
	bound := now.String()
	err := query{s.engine.query}.each(ctx, selectLater, []any{bound}, func(found rows) error { return found.Scan(&bound) })
	if err != nil {
		return "", fmt.Errorf("sqlstore: find the newest id: %w", err)
	}
	return bound, nil
}

// LastTxn returns the TxnID of the last event of a stream, as it was applied, if that is known without asking the database, else nothing.
func (s *Store) LastTxn(stream event.Stream) string {
	s.known.mu.RLock()
	defer s.known.mu.RUnlock()
	head, _ := s.known.heads.peek(stream)
	return head.txnID
}

// need fills in what is known of the state that a batch looks at, and returns the rest.
func (k *known) need(want *wanted, state *event.State) *wanted {
	k.mu.Lock() // what is found is young again
	defer k.mu.Unlock()
	missing := &wanted{}
	for _, stream := range want.streams {
		if head, found := k.heads.get(event.Stream(stream)); found {
			state.Heads[event.Stream(stream)] = head.Head
		} else {
			missing.streams = append(missing.streams, stream)
		}
	}
	for _, id := range want.requests {
		request, used, certain := k.requests.get(id)
		if used {
			state.Requests[id] = *request
		} else if !certain {
			missing.requests = append(missing.requests, id)
		}
	}
	for _, id := range want.eventIDs {
		_, used, certain := k.events.get(id)
		if used {
			state.Taken[ulid.MustParseStrict(id)] = true
		} else if !certain {
			missing.eventIDs = append(missing.eventIDs, id)
		}
	}
	return missing
}

// note keeps the state that a batch has left behind, of the streams that the database was asked for and of those that have grown.
// Doomed sees all of it or nothing. The batch's requests must not change any more.
func (k *known) note(found []string, state *event.State, todo *effects) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range found {
		stream := event.Stream(name)
		head := latest{Head: state.Heads[stream]}
		if before, _ := k.heads.peek(stream); before.Version == head.Version {
			head.txnID = before.txnID
		}
		k.heads.put(stream, head)
	}
	for i := range todo.events {
		e := &todo.events[i]
		k.heads.put(e.Stream, latest{state.Heads[e.Stream], e.TxnID}) // in the end, that of the last
		k.events.used.put(e.ID.String(), true)
	}
	for i := range todo.requests {
		k.requests.used.put(todo.requests[i].Outcome.RequestID, &todo.requests[i])
	}
}

// full tells whether something has to be forgotten, for which the database must show everything.
func (k *known) full() bool {
	return k.heads.full() || k.requests.used.full() || k.events.used.full()
}

func (k *known) age() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.heads.full() {
		k.heads.age()
	}
	if k.requests.used.full() {
		k.requests.age()
	}
	if k.events.used.full() {
		k.events.age()
	}
}
