package digest

import (
	"context"
	"errors"
	"time"

	"natsaccord/event"
)

// scrub reads the log again from its beginning, over and over, at a bounded rate, and compares it with its marks: a
// database may lose or change what it holds.
func (d *Digester) scrub(ctx context.Context) {
	for pause(ctx, d.cfg.ScrubEvery) {
		f, err := d.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			d.cfg.Logger.Warn("read the log again", "node", d.cfg.Self, "error", err)
			continue
		}
		d.passes.Add(1)
		d.rot(&d.rotten, f)
	}
}

// pass reads the log once, and returns the first difference from the marks.
func (d *Digester) pass(ctx context.Context) (*finding, error) {
	d.mu.Lock()
	end, upTo := d.end, d.upTo
	d.mu.Unlock()
	due := d.cfg.due(end.events)
	for from := (mark{}); from.events < end.events; {
		start := time.Now()
		want, err := d.next(ctx, from, end)
		if err != nil {
			return nil, err
		}
		// All that the database holds between the two marks: one event too many is a difference too.
		limit := want.position + "0"
		if want == end {
			limit = max(limit, upTo)
		}
		got, _, err := d.fold(ctx, from, int(want.events-from.events)+1, limit)
		if f := d.unreadable(ctx, from, err); f != nil {
			return f, nil
		}
		if err != nil {
			return nil, err
		}
		d.scrubbed.Add(got.events - from.events)
		if got != want {
			f := d.rottenBetween(ctx, from, want)
			if !f.exact {
				f.position = max(f.position, got.position)
			}
			return &f, nil
		}
		from = want
		if !pause(ctx, due-time.Since(start)) {
			return nil, ctx.Err()
		}
	}
	return nil, nil
}

// next returns the mark behind another, or the end.
func (d *Digester) next(ctx context.Context, from, end mark) (mark, error) {
	every := uint64(d.cfg.MarkEvery)
	goal := (from.events/every + 1) * every
	if goal > end.events {
		return end, nil
	}
	m, err := d.markBefore(ctx, goal)
	if err == nil && m.events <= from.events { // a mark is missing
		return end, nil
	}
	return m, err
}

// rottenBetween asks the peers which event it is.
func (d *Digester) rottenBetween(ctx context.Context, from, to mark) finding {
	for _, name := range d.cfg.Nodes {
		if name == d.cfg.Self {
			continue
		}
		place, found, err := LocateRows(ctx, d, peer{d.peers, name}, from.events, to.events)
		if err != nil && ctx.Err() == nil {
			d.cfg.Logger.Warn("find the event that has changed", "node", d.cfg.Self, "peer", name, "error", err)
		}
		if found {
			return finding{place.Events, place.Position, true}
		}
	}
	return finding{events: from.events, position: to.position}
}

// unreadable is the finding that an event cannot be read, if that is what an error of reading behind a mark says.
func (d *Digester) unreadable(ctx context.Context, m mark, err error) *finding {
	damaged, is := errors.AsType[*event.DamagedError](err)
	if !is {
		return nil
	}
	// How many are before it is told by a second look, if that gets there.
	before, _, err := d.fold(ctx, m, d.cfg.MarkEvery, damaged.Position)
	return &finding{before.events, damaged.Position, err == nil}
}

// rot notes at its place what is wrong with the log, or that nothing is.
func (d *Digester) rot(place **finding, f *finding) {
	d.mu.Lock()
	before := *place
	*place = f
	d.mu.Unlock()
	switch {
	case f == nil && before != nil:
		d.cfg.Logger.Info("the log is what it was again", "node", d.cfg.Self)
	case f != nil && (before == nil || *before != *f):
		d.cfg.Logger.Error("the log is not what it was", "node", d.cfg.Self, "position", f.position, "events_before", f.events, "exact", f.exact)
	default:
		return
	}
	d.raise()
}
