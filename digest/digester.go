package digest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"natsaccord/event"
)

// Digester is one node's part in comparing logs. Its methods may be called concurrently.
type Digester struct {
	cfg   Config
	log   Log
	marks Marks
	peers Peers
	alarm Alarm

	mu      sync.Mutex
	end     mark               // of all that is hashed
	upTo    event.Position     // up to where nothing lies behind that
	told    map[string]claim   // what peers said last and is not compared yet
	differs map[string]finding // what peers' logs differ in, by peer
	rotten  *finding           // what differs from this node's own marks
	unread  *finding           // what cannot be read and is not hashed yet
	heard   chan struct{}      // holds a token while told may hold something that is new

	hashed, scrubbed, passes atomic.Uint64 // events hashed and read again, and times that all were
}

// mark is the sum of all events up to one.
type mark struct {
	events   uint64         // how many
	position event.Position // of the last
	sum      Sum
}

func (m mark) digest() event.Digest {
	return event.Digest{To: m.events, Position: m.position, Sum: m.sum.String()}
}

// markBefore returns the last mark of at most so many events that is noted.
func (d *Digester) markBefore(ctx context.Context, events uint64) (m mark, err error) {
	noted, err := d.marks.Mark(ctx, events)
	if err != nil || noted.To == 0 {
		return m, err
	}
	sum, err := hex.DecodeString(noted.Sum)
	if err != nil || len(sum) != len(m.sum) {
		return m, fmt.Errorf("digest: the sum noted at %d events is %q", noted.To, noted.Sum)
	}
	return mark{noted.To, noted.Position, Sum(sum)}, nil
}

// finding is the first event in which two logs differ.
type finding struct {
	events   uint64         // events before it
	position event.Position // of it; of the last event that may be it if it could not be found
	exact    bool
}

// Status is what a Digester has found out.
type Status struct {
	End                      event.Digest // of the whole log
	Hashed, Scrubbed, Passes uint64       // since the start: events hashed and read again, and times that all were
}

// ErrBadQuestion: what was to be answered is no question about digests.
var ErrBadQuestion = errors.New("digest: not a question about digests")

// New returns a Digester that does nothing before Run.
func New(cfg Config, log Log, marks Marks, peers Peers, alarm Alarm) (*Digester, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Digester{
		cfg: cfg, log: log, marks: marks, peers: peers, alarm: alarm,
		told: make(map[string]claim), differs: make(map[string]finding), heard: make(chan struct{}, 1),
	}, nil
}

// Run hashes, compares and reads again until ctx ends. It returns an error only if it cannot begin.
func (d *Digester) Run(ctx context.Context) error {
	last, err := d.markBefore(ctx, 1<<62)
	if err != nil {
		return fmt.Errorf("digest: find the last mark: %w", err)
	}
	d.set(last, last.position)
	var running sync.WaitGroup
	for _, part := range []func(context.Context){d.hash, d.compare, d.scrub} {
		running.Go(func() { part(ctx) })
	}
	running.Wait()
	return nil
}

// Status tells what has been found out.
func (d *Digester) Status() Status {
	end := d.now()
	return Status{end.digest(), d.hashed.Load(), d.scrubbed.Load(), d.passes.Load()}
}

func (d *Digester) now() mark {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.end
}

func (d *Digester) set(m mark, upTo event.Position) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end, d.upTo = m, upTo
}

// hash goes on hashing what lies up to the frontier.
func (d *Digester) hash(ctx context.Context) {
	var frontier event.Position
	for ctx.Err() == nil {
		next, err := d.log.Frontier(ctx, frontier, false)
		if err == nil {
			err = d.hashUpTo(ctx, next)
		}
		damaged := d.unreadable(ctx, d.now(), err)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			frontier = next
		case damaged == nil:
			d.cfg.Logger.Warn("hash the log", "node", d.cfg.Self, "error", err)
		}
		if err == nil || damaged != nil {
			d.rot(&d.unread, damaged)
		}
		pause(ctx, d.cfg.Pace)
	}
}

// hashUpTo hashes what is new, and marks the way.
func (d *Digester) hashUpTo(ctx context.Context, frontier event.Position) error {
	for {
		from := d.now()
		room := d.cfg.MarkEvery - int(from.events%uint64(d.cfg.MarkEvery))
		to, more, err := d.fold(ctx, from, room, frontier)
		if err != nil {
			return err
		}
		d.hashed.Add(to.events - from.events)
		if to.events > from.events && to.events%uint64(d.cfg.MarkEvery) == 0 {
			if err := d.marks.AddMark(ctx, to.digest()); err != nil {
				return err
			}
		}
		if !more {
			d.set(to, frontier)
			return nil
		}
		d.set(to, to.position)
	}
}

// fold adds to a mark at most count events that the database holds behind it, before a position. It tells whether
// there may be more.
func (d *Digester) fold(ctx context.Context, m mark, count int, before event.Position) (mark, bool, error) {
	var h hasher
	for left := count; left > 0; {
		page, err := d.log.Read(ctx, event.ReadArgs{After: m.position, Before: before, Limit: min(left, 1000), Consistency: event.Local})
		if err != nil {
			return m, false, err
		}
		for i := range page.Events {
			m = mark{m.events + 1, page.Events[i].Position, h.add(m.sum, &page.Events[i])}
		}
		left -= len(page.Events)
		if page.End || len(page.Events) == 0 {
			return m, false, nil
		}
	}
	return m, true, nil
}

// pause waits, and tells whether ctx is not over.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
