package eventtest

import (
	"context"
	"maps"
	"slices"
	"time"

	"natsaccord/event"
)

// Bounds of a page, in events.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Read implements event.Executor. What is written is at once there for all reads, so that all consistencies are
// alike. It waits for args.Wait at most, and returns an empty page when ctx ends before something comes.
func (m *Memory) Read(ctx context.Context, args event.ReadArgs) (event.Page, error) {
	if args.FromVersion > 0 && args.Stream == "" {
		return event.Page{}, &event.InvalidError{Field: "from_version", Reason: "needs a stream"}
	}
	end := time.NewTimer(args.Wait)
	defer end.Stop()
	for {
		page, changed := m.page(args)
		if len(page.Events) > 0 || args.Wait <= 0 {
			return page, nil
		}
		select {
		case <-changed:
		case <-end.C:
			return page, nil
		case <-ctx.Done():
			return page, nil
		}
	}
}

// page returns what there is now, and a channel that is closed when there is more.
func (m *Memory) page(args event.ReadArgs) (event.Page, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	page := event.Page{Next: args.After, End: true}
	if n := len(m.log); n > 0 {
		page.Frontier = m.log[n-1].Position
	}
	if args.Backward {
		page.Next = args.Before
	}
	if args.Stream != "" {
		page.Head = m.state.Heads[args.Stream]
	}
	limit := args.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	size := 0
	for e := range m.ordered(args.Backward) {
		if !selects(args, e) {
			continue
		}
		size += len(e.Data)
		full := args.MaxBytes > 0 && size > args.MaxBytes && len(page.Events) > 0
		if full || len(page.Events) == min(limit, maxLimit) {
			page.End = false
			break
		}
		page.Events = append(page.Events, clone(e))
		page.Next = e.Position
	}
	return page, m.changed
}

// ordered yields the log from one of its ends.
func (m *Memory) ordered(backward bool) func(yield func(*event.Event) bool) {
	return func(yield func(*event.Event) bool) {
		for i := range m.log {
			if backward {
				i = len(m.log) - 1 - i
			}
			if !yield(&m.log[i]) {
				return
			}
		}
	}
}

// selects tells whether e is one of those that args asks for.
func selects(args event.ReadArgs, e *event.Event) bool {
	switch {
	case args.Stream != "" && e.Stream != args.Stream:
	case args.Stream == "" && args.Category != "" && e.Stream.Category() != args.Category:
	case len(args.Types) > 0 && !slices.Contains(args.Types, e.Type):
	case args.RoutingKey != "" && e.RoutingKey != args.RoutingKey:
	case slices.ContainsFunc(args.Tags, func(tag string) bool { return !slices.Contains(e.Tags, tag) }):
	case args.After != "" && e.Position <= args.After:
	case args.Before != "" && e.Position >= args.Before:
	case args.FromVersion > 0 && !args.Backward && e.Version < args.FromVersion:
	case args.FromVersion > 0 && args.Backward && e.Version > args.FromVersion:
	default:
		return true
	}
	return false
}

// clone returns an event whose holder may do with it what he likes.
func clone(e *event.Event) event.Event {
	c := *e
	c.Data, c.Tags, c.Metadata = slices.Clone(e.Data), slices.Clone(e.Tags), maps.Clone(e.Metadata)
	return c
}
