package sqlstore

import (
	"context"

	"natsaccord/event"
)

// SelectText is how a page is asked for.
func SelectText(args event.ReadArgs) (text string, values []any) {
	q := newSelection(args)
	return q.page(args, max(args.Limit, 1)), q.args
}

// DeleteFences is the statement.
const DeleteFences = deleteFences

// SQLiteHeads and PostgresHeads are the statements.
const (
	SQLiteHeads   = sqliteHeads
	PostgresHeads = postgresHeads
)

// DoomedByHeads is Doomed with a bug: what was applied may have been this very append.
func (s *Store) DoomedByHeads(c event.Command) []event.Conflict {
	s.known.mu.RLock()
	defer s.known.mu.RUnlock()
	if !s.known.outrun(c.Append) {
		return nil
	}
	return []event.Conflict{{}}
}

// DoomedInTime is Doomed with a bug: it takes the version that is there for one that is past.
func (s *Store) DoomedInTime(c event.Command) []event.Conflict {
	s.known.mu.RLock()
	defer s.known.mu.RUnlock()
	first := c.Append.Conditions[0]
	if head, found := s.known.heads.peek(first.Stream); found && uint64(first.Expect) <= head.Version && s.known.requests.unused(c.Append.RequestID) {
		return []event.Conflict{{}}
	}
	return nil
}

// Settle waits until the database shows everything that was decided.
func (s *Store) Settle(ctx context.Context) error { return s.behind.settle(ctx) }

// OnTheWay returns how many events are being written or were and cannot be seen, and how many are to be.
func (s *Store) OnTheWay() (unseen, next int) {
	s.behind.mu.Lock()
	defer s.behind.mu.Unlock()
	for _, p := range s.behind.unseen {
		unseen += len(p.events)
	}
	return unseen, len(s.behind.next.events)
}
