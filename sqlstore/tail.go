package sqlstore

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"natsaccord/event"
)

// pending is what is on its way to the database: effects, and where each stream's events stand among them.
type pending struct {
	effects
	last    map[event.Stream]int // of a stream's events, the last one
	before  []int                // of each event, the one before it of the same stream, or -1
	size    int                  // bytes of the events' data
	readers int                  // who look at it, which behind.mu guards
}

func newPending() *pending {
	return &pending{effects: *newEffects(), last: make(map[event.Stream]int)}
}

// merge adds later effects, of appends alone.
func (p *pending) merge(later *effects) {
	p.effects.merge(later)
	for i := len(p.before); i < len(p.events); i++ {
		stream := p.events[i].Stream
		before, known := p.last[stream]
		if !known {
			before = -1
		}
		p.before = append(p.before, before)
		p.last[stream] = i
		p.size += len(p.events[i].Data)
	}
}

// reset empties p, and keeps its memory if that is not a lot.
func (p *pending) reset() {
	p.effects.reset()
	clear(p.last)
	p.before, p.size = p.before[:0], 0
}

// of returns the events of a stream, latest first.
func (p *pending) of(stream event.Stream) []*event.Event {
	at, found := p.last[stream]
	if !found {
		return nil
	}
	var events []*event.Event
	for ; at >= 0; at = p.before[at] {
		events = append(events, &p.events[at])
	}
	return events
}

// tail is what had been decided at one moment, and was perhaps not in the database: of one stream, or of all. It looks at parts. Who takes it before
// asking the database misses nothing, and finds some events in both. They must not be changed, nor looked at once
// the tail is released.
type tail struct {
	behind *behind
	parts  []*pending
	runs   [][]event.Event // of the log
	stream []*event.Event  // of one stream, latest first
}

// tail returns the tail, of one stream if one is named. It is to be released.
func (b *behind) tail(stream event.Stream) (*tail, error) {
	t := &tail{behind: b}
	b.mu.Lock()
	next := b.next
	for _, p := range append(slices.Clone(b.unseen), next) {
		if len(p.events) > 0 {
			p.readers++
			t.parts = append(t.parts, p)
		}
	}
	t.runs, t.stream = [][]event.Event{next.events}, next.of(stream)
	gone := b.closed && len(t.parts) > 0
	b.mu.Unlock()
	if gone {
		t.release()
		return nil, b.gone()
	}
	for _, p := range slices.Backward(t.parts) { // latest first; to what is not next nothing is added
		if p != next {
			t.runs, t.stream = append(t.runs, p.events), append(t.stream, p.of(stream)...)
		}
	}
	if stream != "" {
		t.runs = nil
	}
	return t, nil
}

// head returns the head of a stream in the tail; the zero Head if it has nothing of it.
func (b *behind) head(stream event.Stream) (event.Head, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range slices.Backward(append(slices.Clone(b.unseen), b.next)) {
		if i, found := p.last[stream]; found && b.closed {
			return event.Head{}, b.gone()
		} else if found {
			return event.Head{Version: p.events[i].Version, Position: p.events[i].Position}, nil
		}
	}
	return event.Head{}, nil
}

// release lets the memory be used again.
func (t *tail) release() {
	if len(t.parts) == 0 {
		return
	}
	t.behind.mu.Lock()
	defer t.behind.mu.Unlock()
	for _, p := range t.parts {
		p.readers--
	}
}

// head returns the head of the stream; the zero Head if the tail has nothing of it.
func (t *tail) head() event.Head {
	if len(t.stream) == 0 {
		return event.Head{}
	}
	return event.Head{Version: t.stream[0].Version, Position: t.stream[0].Position}
}

// all goes through the events, in no order.
func (t *tail) all(yield func(*event.Event) bool) {
	for _, e := range t.stream {
		if !yield(e) {
			return
		}
	}
	for _, run := range t.runs {
		for i := range run {
			if !yield(&run[i]) {
				return
			}
		}
	}
}

// has tells whether the database alone would have a read miss something: an event, or the head of its stream.
func (t *tail) has(args event.ReadArgs) bool {
	if len(t.stream) > 0 {
		return true
	}
	for e := range t.all {
		if selects(&args, e) {
			return true
		}
	}
	return false
}

// selected returns copies of the first events that a read selects, at most so many, in its order.
func (t *tail) selected(args event.ReadArgs, limit int) []event.Event {
	var found []*event.Event
	for e := range t.all {
		if selects(&args, e) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *event.Event) int { return inOrder(args.Backward, a, b) })
	events := make([]event.Event, min(limit, len(found)))
	for i := range events {
		events[i] = *found[i]
		events[i].Data = bytes.Clone(found[i].Data)
		events[i].Metadata = maps.Clone(found[i].Metadata)
		events[i].Tags = slices.Clone(found[i].Tags)
	}
	return events
}

// inOrder compares events by where they stand in a read.
func inOrder(backward bool, a, b *event.Event) int {
	if backward {
		a, b = b, a
	}
	return cmp.Compare(a.Position, b.Position)
}

// selects tells whether a read selects an event, as selection has the database do.
func selects(args *event.ReadArgs, e *event.Event) bool {
	switch {
	case args.After != "" && e.Position <= args.After,
		args.Before != "" && e.Position >= args.Before,
		args.Stream != "" && e.Stream != args.Stream,
		args.Stream == "" && args.Category != "" && e.Stream.Category() != args.Category,
		args.RoutingKey != "" && e.RoutingKey != args.RoutingKey,
		len(args.Types) > 0 && !slices.Contains(args.Types, e.Type),
		args.FromVersion > 0 && args.Backward && e.Version > args.FromVersion,
		args.FromVersion > 0 && !args.Backward && e.Version < args.FromVersion:
		return false
	}
	for _, tag := range args.Tags {
		if !slices.Contains(e.Tags, tag) {
			return false
		}
	}
	return true
}

// add puts what a read selects from the tail among what the database had for it, up to the page's limits.
func (t *tail) add(page *event.Page, args event.ReadArgs, limit int) {
	if n := len(page.Events); n > 0 && !page.End { // what lies behind the page's end is for another one
		if args.Backward {
			args.After = page.Events[n-1].Position
		} else {
			args.Before = page.Events[n-1].Position
		}
	}
	lately := t.selected(args, limit+1)
	if len(lately) == 0 {
		return
	}
	all := append(page.Events, lately...)
	slices.SortStableFunc(all, func(a, b event.Event) int { return inOrder(args.Backward, &a, &b) })
	all = slices.CompactFunc(all, func(a, b event.Event) bool { return a.Position == b.Position })
	page.Events = all[:0]
	size := 0
	for i := range all {
		size += sizeOf(&all[i])
		if len(page.Events) == limit || args.MaxBytes > 0 && size > args.MaxBytes && len(page.Events) > 0 {
			page.End = false
			break
		}
		page.Events = append(page.Events, all[i])
	}
}
