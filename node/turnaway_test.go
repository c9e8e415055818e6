package node_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
	"natsaccord/node/nodetest"
)

// demanding makes an append to a stream that has to be at a version, under an id of its own.
func demanding(stream event.Stream, version uint64) event.Append {
	a := opened(stream, int(version))
	a.RequestID, a.Conditions = ulid.Make().String(), []event.Condition{{Stream: stream, Expect: event.Expect(version)}}
	return a
}

func counter(t *testing.T, m *nodetest.Member, name string) uint64 {
	t.Helper()
	status, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status.Counters[name]
}

// TestLoserIsTurnedAway refuses what is certain to lose at each node, by itself: nothing is proposed.
func TestLoserIsTurnedAway(t *testing.T) {
	c := nodetest.New(t, 3)
	receipt, err := c.Nodes[0].Append(t.Context(), demanding("account.1", 0))
	if err != nil {
		t.Fatal(err)
	}
	wait(t, c, receipt.Position)
	for i, m := range c.Nodes {
		submitted := counter(t, m, "submitted")
		late := demanding("account.1", 0)
		for range 2 {
			_, err := m.Append(t.Context(), late)
			conflict, ok := errors.AsType[*event.ConflictError](err)
			if !ok || !conflict.Early || conflict.Duplicate || conflict.RequestID != late.RequestID || conflict.Conflict != (event.Conflict{Stream: "account.1", Want: 0, Have: uint64(i + 1)}) {
				t.Errorf("node %d: got %+v", i+1, err)
			}
		}
		if _, err := m.Outcome(t.Context(), late.RequestID); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("node %d remembers it: %v", i+1, err)
		}
		if after := counter(t, m, "submitted"); after != submitted || counter(t, m, "turned_away") != 2 {
			t.Errorf("node %d: %d transactions for what is turned away, %d turned away, want 0 and 2", i+1, after-submitted, counter(t, m, "turned_away"))
		}
		// Its id is as good as before.
		again := demanding("account.1", uint64(i+1))
		again.RequestID = late.RequestID
		receipt, err := m.Append(t.Context(), again)
		if err != nil || receipt.Duplicate {
			t.Fatalf("node %d: its id with other content: got %+v, %v", i+1, receipt, err)
		}
		wait(t, c, receipt.Position)
	}
}

// TestWhoIsInTimeIsNotTurnedAway: the version that is there, or a later one, is for consensus to judge.
func TestWhoIsInTimeIsNotTurnedAway(t *testing.T) {
	c := nodetest.New(t, 3)
	for version := range uint64(20) {
		if _, err := c.Nodes[version%3].Append(t.Context(), demanding("account.1", version+1)); err == nil {
			t.Fatalf("version %d, in time for the next one, got a receipt", version)
		} else if conflict, ok := errors.AsType[*event.ConflictError](err); !ok || conflict.Early || conflict.Have != version {
			t.Fatalf("version %d, in time for the next one: got %v", version, err)
		}
		receipt, err := c.Nodes[version%3].Append(t.Context(), demanding("account.1", version))
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		wait(t, c, receipt.Position)
	}
	for i, m := range c.Nodes {
		if n := counter(t, m, "turned_away"); n != 0 {
			t.Errorf("node %d turned %d away", i+1, n)
		}
	}
}

// TestCommittedIsNeverTurnedAway repeats what has committed, at once and through nodes that may not have heard of it, when
// others have followed, and after restarts: it is a duplicate each time.
func TestCommittedIsNeverTurnedAway(t *testing.T) {
	c := nodetest.New(t, 3)
	c.Vary(2 * time.Millisecond)
	var done []event.Append
	first := make(map[string]event.Receipt)
	repeat := func(i int, a event.Append) {
		t.Helper()
		again, err := c.Nodes[i].Append(t.Context(), a)
		if err != nil || !again.Duplicate || again.Position != first[a.RequestID].Position {
			t.Fatalf("repeated through node %d: got %+v, %v, want %+v", i+1, again, err, first[a.RequestID])
		}
	}
	for version := range 40 {
		a := demanding("account.1", uint64(version))
		receipt, err := c.Nodes[version%3].Append(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		first[a.RequestID] = receipt
		done = append(done, a)
		for i := range c.Nodes {
			repeat((version+1+i)%3, a)
			repeat(i, done[version/2])
		}
	}
	c.StopNode(0)
	c.StartNode(0)
	for _, a := range done {
		repeat(0, a)
	}
}

// rivals append to one stream through all nodes, each request through several at the same time, and note what they are told.
type rivals struct {
	mu      sync.Mutex
	told    map[string]map[string]int // by request id, how often what
	version uint64                    // heard of
}

func (r *rivals) hear(id string, receipt event.Receipt, err error) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	what := fmt.Sprint(err)
	conflict, lost := errors.AsType[*event.ConflictError](err)
	switch {
	case err == nil:
		what, r.version = "won "+string(receipt.Position), max(r.version, receipt.Streams[0].Version)
	case lost && conflict.Have > uint64(conflict.Want):
		what, r.version = "lost", max(r.version, conflict.Have)
	}
	if r.told[id] == nil {
		r.told[id] = make(map[string]int)
	}
	r.told[id][what]++
	return what
}

func (r *rivals) next() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.version
}

// TestNoRequestIsRefusedAndCommitted has many demand the same versions, through nodes that messages reach late: each version has one
// winner, whoever asks of a request is told the same, and in the end the log is what they were told.
func TestNoRequestIsRefusedAndCommitted(t *testing.T) {
	const clients, rounds = 9, 12
	c := nodetest.New(t, 3)
	c.Vary(3 * time.Millisecond)
	r := &rivals{told: make(map[string]map[string]int)}
	var running sync.WaitGroup
	for k := range clients {
		running.Go(func() {
			for range rounds {
				a := demanding("account.1", r.next())
				var asking sync.WaitGroup
				for i := range 1 + k%3 { // while it is in flight, and then once more
					asking.Go(func() {
						receipt, err := c.Nodes[(k+i)%3].Append(t.Context(), a)
						r.hear(a.RequestID, receipt, err)
					})
				}
				asking.Wait()
				receipt, err := c.Nodes[(k+1)%3].Append(t.Context(), a)
				r.hear(a.RequestID, receipt, err)
			}
		})
	}
	running.Wait()
	r.check(t, c)
}

func (r *rivals) check(t *testing.T, c *nodetest.Cluster) {
	t.Helper()
	last, err := c.Nodes[0].Append(t.Context(), opened("account.1", -1))
	if err != nil {
		t.Fatal(err)
	}
	wait(t, c, last.Position)
	won, away := 0, uint64(0)
	for id, told := range r.told {
		if len(told) != 1 {
			t.Errorf("request %s was told %v", id, told)
		}
		lost := told["lost"] > 0
		if !lost {
			won++
		}
		for i, m := range c.Nodes {
			switch outcome, err := m.Store.Outcome(t.Context(), id); {
			case err == nil && outcome.Committed == lost, err != nil && !(lost && errors.Is(err, event.ErrNotFound)):
				t.Errorf("request %s was told %v, and node %d has %+v, %v", id, told, i+1, outcome, err)
			}
		}
	}
	for i, m := range c.Nodes {
		if events := log(t, m); len(events) != won+1 || events[won].Version != uint64(won+1) {
			t.Errorf("node %d has %d events, and %d won", i+1, len(events), won)
		}
		away += counter(t, m, "turned_away")
	}
	if won == 0 || away == 0 {
		t.Errorf("%d won and %d were turned away of %d: nothing was tested", won, away, len(r.told))
	}
	t.Logf("%d requests, %d won, %d were turned away", len(r.told), won, away)
}
