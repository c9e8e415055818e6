package blackbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"natsaccord/event"
)

// registry is what clients were told who register e-mail addresses, each to whoever comes first.
type registry struct {
	mu       sync.Mutex
	problems findings
	winners  map[string]event.Ref // by address, of which anybody was told so
	order    []string             // addresses, as they got a winner
	refused  int
	looks    int // linearizable reads of the log by tag that found what they had to
}

func newRegistry() *registry { return &registry{winners: make(map[string]event.Ref)} }

// registered takes down that an address has a winner. Nobody may ever be told of another one.
func (r *registry) registered(who, address string, ref event.Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.winners[address]
	if known && before != ref {
		r.problems.add("%s is told that %s is registered by %+v, and before it was by %+v", who, address, ref, before)
	}
	if !known {
		r.winners[address] = ref
		r.order = append(r.order, address)
	}
}

// any returns an address that lately got a winner, and that.
func (r *registry) any(rng *rand.Rand) (address string, winner event.Ref, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.order) == 0 {
		return "", winner, false
	}
	address = r.order[len(r.order)-1-rng.IntN(min(20, len(r.order)))]
	return address, r.winners[address], true
}

// emailTag is the tag of an event that registers an address.
func emailTag(address string) string { return "email:" + address }

// register is one of several clients, each at a server of its own, that register the same addresses at about the same time.
func (w *workload) register(ctx context.Context, number int) {
	name := fmt.Sprint("registrar ", number+1)
	w.paced(ctx, func(ctx context.Context, turn int) {
		address := fmt.Sprint(turn / 3)
		tag := emailTag(address)
		r := w.ledger.request(name, event.Append{
			Events: []event.Event{{Stream: event.StreamOf("user", fmt.Sprintf("%d-%d", number, turn)), Type: "Registered", Data: []byte(`{}`), Tags: []string{tag}}},
			Absent: &event.Absence{Items: []event.Match{{Types: []string{"Registered"}, Tags: []string{tag}}}},
		})
		err := w.ledger.do(ctx, w.cluster.clients[number], r)
		w.answered(err)
		if exists, refused := errors.AsType[*event.ExistsError](err); refused {
			w.registry.refusedFor(name, address, exists)
		}
		if err == nil {
			w.registry.acknowledged(name, address, r.receipt)
		}
	})
}

// acknowledged notes a registration, whose receipt has to name its event.
func (r *registry) acknowledged(who, address string, receipt event.Receipt) {
	if len(receipt.Events) != 1 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.problems.add("%s is told that %s is registered, with the receipt %+v, want one event", who, address, receipt)
		return
	}
	r.registered(who, address, receipt.Events[0])
}

func (r *registry) refusedFor(who, address string, exists *event.ExistsError) {
	r.mu.Lock()
	r.refused++
	if len(exists.Events) != 1 {
		r.problems.add("%s is refused %s for %+v, want one event", who, address, exists.Events)
	}
	r.mu.Unlock()
	for _, found := range exists.Events {
		r.registered(who, address, found.Ref)
	}
}

// look reads the log by tag, linearizably, for addresses of which it is known that they are registered.
func (w *workload) look(ctx context.Context, number int) {
	rng := rand.New(rand.NewPCG(w.seed, 3000+uint64(number)))
	w.paced(ctx, func(ctx context.Context, _ int) {
		address, winner, ok := w.registry.any(rng)
		if !ok {
			return
		}
		page, err := w.cluster.clients[number].Read(ctx, event.ReadArgs{Types: []string{"Registered"}, Tags: []string{emailTag(address)}, Consistency: event.Linearizable})
		if err != nil {
			return // there may be no quorum
		}
		w.registry.saw(address, winner, page)
	})
}

func (r *registry) saw(address string, winner event.Ref, page event.Page) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks++
	if len(page.Events) != 1 || page.Events[0].Position != winner.Position || page.Frontier < winner.Position {
		r.problems.add("a linearizable read for %s, registered at %s, found %d events up to the frontier %s: %+v", address, winner.Position, len(page.Events), page.Frontier, page.Events)
	}
}

// check compares what clients were told with the log.
func (r *registry) check(log []event.Event) error {
	found := make(map[string]event.Event)
	for _, e := range log {
		if e.Type != "Registered" {
			continue
		}
		if before, twice := found[e.Tags[0]]; twice {
			r.problems.add("%s is registered at %s and at %s", e.Tags[0], before.Position, e.Position)
			continue
		}
		found[e.Tags[0]] = e
	}
	for address, ref := range r.winners {
		if e, ok := found[emailTag(address)]; !ok || e.ID != ref.ID || e.Position != ref.Position {
			r.problems.add("%s was said to be registered by %+v, and in the log it is at %q", address, ref, e.Position)
		}
	}
	return r.problems.err()
}

// String tells what was done.
func (r *registry) String() string {
	return fmt.Sprintf("%d addresses registered once, %d attempts refused, %d linearizable reads of the log for one", len(r.winners), r.refused, r.looks)
}

// TestRegistryTells damages what clients were told, or the log.
func TestRegistryTells(t *testing.T) {
	ref := func(n int) event.Ref {
		return event.Ref{Stream: "user.1", Version: 1, Position: event.Position(fmt.Sprint(n))}
	}
	registered := func(n int, address string) event.Event {
		return event.Event{Type: "Registered", Tags: []string{emailTag(address)}, Position: ref(n).Position}
	}
	good := []event.Event{registered(1, "a"), registered(2, "b")}
	for name, damage := range map[string]func(r *registry) []event.Event{
		"":      func(*registry) []event.Event { return good },
		"twice": func(*registry) []event.Event { return append(slices.Clone(good), registered(3, "a")) },
		"other": func(*registry) []event.Event { return []event.Event{registered(1, "b"), registered(2, "a")} },
		"never": func(*registry) []event.Event { return good[:1] },
		"stale": func(r *registry) []event.Event { r.saw("a", ref(1), event.Page{Frontier: "9"}); return good },
		"early": func(r *registry) []event.Event {
			r.saw("a", ref(1), event.Page{Events: good[:1], Frontier: "0"})
			return good
		},
		"two winners": func(r *registry) []event.Event { r.registered("c2", "a", ref(2)); return good },
		"nobody":      func(r *registry) []event.Event { r.refusedFor("c2", "a", &event.ExistsError{}); return good },
	} {
		r := newRegistry()
		r.registered("c1", "a", ref(1))
		r.registered("c1", "b", ref(2))
		r.saw("a", ref(1), event.Page{Events: good[:1], Frontier: "1"})
		if err := r.check(damage(r)); (err == nil) != (name == "") {
			t.Errorf("%q: got %v", name, err)
		}
	}
}
