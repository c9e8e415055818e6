package eventtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

var _ event.Executor = (*Memory)(nil)

// Memory is an event store in memory, for tests that need a real one but no database. Besides event.Executor it
// has what a node offers: Append, Head, Outcome and Status. It is safe for concurrent use.
type Memory struct {
	mu        sync.Mutex
	state     event.State
	log       []event.Event
	snapshots map[event.SnapshotName]event.Snapshot
	outcomes  map[string]event.Outcome // by TxnID
	last      uint64                   // counts commands; the last one's place in the order
	changed   chan struct{}            // closed and replaced when the log grows
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		state: event.State{
			Heads:       make(map[event.Stream]event.Head),
			Requests:    make(map[string]event.Request),
			Taken:       make(map[ulid.ULID]bool),
			Subscribers: make(map[string]event.Subscriber),
			Snapshots:   make(map[event.SnapshotName]uint64),
		},
		snapshots: make(map[event.SnapshotName]event.Snapshot),
		outcomes:  make(map[string]event.Outcome),
		changed:   make(chan struct{}),
	}
}

// run evaluates a command and keeps what it comes to. invalid is what making it came to.
func (m *Memory) run(c event.Command, invalid error) (event.Outcome, error) {
	if invalid != nil {
		return event.Outcome{}, invalid
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	executeAt := fmt.Sprintf("%024d", m.last)
	at := event.Moment{TxnID: executeAt, ExecuteAt: executeAt, Time: time.Now().UTC().Truncate(time.Microsecond)}
	m.watch(c.Append)
	v := m.state.Evaluate(c, at)
	m.outcomes[at.TxnID] = v.Outcome
	if v.Snapshot != nil {
		m.snapshots[event.SnapshotName{Stream: v.Snapshot.Stream, Name: v.Snapshot.Name}] = *v.Snapshot
	}
	if v.Drop != nil {
		delete(m.snapshots, *v.Drop)
	}
	if len(v.Events) > 0 {
		m.log = append(m.log, v.Events...)
		close(m.changed)
		m.changed = make(chan struct{})
	}
	return v.Outcome, nil
}

// watch finds what an append demands not to be there: its watches see the whole log go by once more.
func (m *Memory) watch(a *event.Append) {
	m.state.Watches = make(map[string]*event.Watch)
	if a == nil {
		return
	}
	for _, w := range a.Absent.Watches() {
		for i := range m.log {
			w.See(&m.log[i])
		}
		m.state.Watches[w.Key()] = &w
	}
}

// Append writes an append and tells what became of it.
func (m *Memory) Append(_ context.Context, a event.Append) (event.Receipt, error) {
	outcome, err := m.run(event.NewAppend(a, event.DefaultLimits()))
	if err != nil {
		return event.Receipt{}, err
	}
	return outcome.Result()
}

// Write implements event.Executor.
func (m *Memory) Write(ctx context.Context, events []event.Event) error {
	_, err := m.Append(ctx, event.Append{Events: events})
	return err
}

// Outcome tells what became of a request, by its id or by its TxnID; event.ErrNotFound.
func (m *Memory) Outcome(_ context.Context, id string) (event.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if request, known := m.state.Requests[id]; known {
		return request.Outcome, nil
	}
	if outcome, known := m.outcomes[id]; known {
		return outcome, nil
	}
	return event.Outcome{}, event.ErrNotFound
}

// Head returns how far a stream has come.
func (m *Memory) Head(_ context.Context, stream event.Stream) (event.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Heads[stream], nil
}

// Status tells of a node named memory.
func (m *Memory) Status(context.Context) (event.NodeStatus, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	status := event.NodeStatus{Name: "memory", Nodes: []string{"memory"}, Store: "memory", State: "ready", Events: uint64(len(m.log))}
	if n := len(m.log); n > 0 {
		status.Last = m.log[n-1].Position
	}
	return status, nil
}

// Snapshot implements event.Executor.
func (m *Memory) Snapshot(_ context.Context, stream event.Stream, name string) (event.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	snapshot, there := m.snapshots[event.SnapshotName{Stream: stream, Name: name}]
	if !there {
		return event.Snapshot{}, event.ErrNotFound
	}
	snapshot.Data = append([]byte{}, snapshot.Data...)
	return snapshot, nil
}

// PutSnapshot implements event.Executor.
func (m *Memory) PutSnapshot(_ context.Context, snapshot event.Snapshot) error {
	return m.result(event.NewPutSnapshot(snapshot, event.DefaultLimits()))
}

// DropSnapshot implements event.Executor.
func (m *Memory) DropSnapshot(_ context.Context, stream event.Stream, name string) error {
	return m.result(event.NewDropSnapshot(stream, name))
}

// result runs a command whose outcome is yes or no.
func (m *Memory) result(c event.Command, invalid error) error {
	outcome, err := m.run(c, invalid)
	if err == nil {
		_, err = outcome.Result()
	}
	return err
}
