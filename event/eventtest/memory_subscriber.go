package eventtest

import (
	"context"
	"maps"
	"slices"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

var _ event.Subscriptions = (*Memory)(nil)

// Subscriber implements event.Subscriptions.
func (m *Memory) Subscriber(_ context.Context, key string) (event.Subscriber, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	subscriber := m.state.Subscribers[key]
	subscriber.Key = key
	return subscriber, nil
}

// Subscribers implements event.Subscriptions.
func (m *Memory) Subscribers(_ context.Context, after string, limit int) ([]event.Subscriber, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if limit < 1 {
		limit = event.MaxSubscribers
	}
	var found []event.Subscriber
	for _, key := range slices.Sorted(maps.Keys(m.state.Subscribers)) {
		if key > after && len(found) < min(limit, event.MaxSubscribers) {
			found = append(found, m.state.Subscribers[key])
		}
	}
	return found, nil
}

// SubscriberCursor implements event.Executor.
func (m *Memory) SubscriberCursor(ctx context.Context, key string) (event.Position, error) {
	subscriber, err := m.Subscriber(ctx, key)
	return subscriber.Cursor, err
}

// IsSubscriberRunning implements event.Executor.
func (m *Memory) IsSubscriberRunning(ctx context.Context, key string, worker ulid.ULID) (bool, error) {
	subscriber, err := m.Subscriber(ctx, key)
	return subscriber.IsRunning(worker), err
}

// UpsertSubscriber implements event.Executor.
func (m *Memory) UpsertSubscriber(_ context.Context, key string, worker ulid.ULID) error {
	return m.result(event.NewClaim(key, worker))
}

// Acknowledge implements event.Executor.
func (m *Memory) Acknowledge(_ context.Context, key string, worker ulid.ULID, position event.Position, lag uint64) error {
	return m.result(event.NewAck(key, worker, position, lag))
}

// TakeOver implements event.Subscriptions.
func (m *Memory) TakeOver(_ context.Context, key string, worker, previous ulid.ULID) error {
	return m.result(event.NewTakeOver(key, worker, previous))
}

// ResetSubscriber implements event.Subscriptions.
func (m *Memory) ResetSubscriber(_ context.Context, key string, position event.Position) error {
	return m.result(event.NewReset(key, position))
}

// Count implements event.Subscriptions.
func (m *Memory) Count(_ context.Context, args event.ReadArgs) (n uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.log {
		if n < event.MaxCount && selects(args, &m.log[i]) {
			n++
		}
	}
	return n, nil
}
