package digest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"natsaccord/event"
)

// claim is what a node says that its log hashes to, in JSON.
type claim struct {
	Events   uint64         `json:"events"`
	Position event.Position `json:"position"`
	Sum      string         `json:"sum"`
}

// reminders: a node whose log does not grow repeats what it hashes to every so many times that it could.
const reminders = 12

// Hear takes a note from another node. It does not block. What is no note is ignored.
func (d *Digester) Hear(from string, note []byte) {
	var c claim
	if json.Unmarshal(note, &c) != nil || from == d.cfg.Self || !slices.Contains(d.cfg.Nodes, from) {
		return
	}
	if sum, err := hex.DecodeString(c.Sum); err != nil || len(sum) != len(Sum{}) || c.Events == 0 {
		return
	}
	d.mu.Lock()
	d.told[from] = c
	d.mu.Unlock()
	select {
	case d.heard <- struct{}{}:
	default:
	}
}

// compare tells the others what the log hashes to, and looks at what they say.
func (d *Digester) compare(ctx context.Context) {
	ticker := time.NewTicker(d.cfg.Compare)
	defer ticker.Stop()
	var last, said mark
	for quiet := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-d.heard:
		case <-ticker.C:
			last, said, quiet = d.tell(ctx, last, said, quiet)
		}
		for _, name := range d.cfg.Nodes {
			if err := d.check(ctx, name); err != nil && ctx.Err() == nil {
				d.cfg.Logger.Warn("compare digests", "node", d.cfg.Self, "peer", name, "error", err)
			}
		}
	}
}

// tell says what the log hashes to at its end if that has not moved since last, and else at its last mark: others
// have that mark too, and need not read anything to compare. It does not repeat itself too often.
func (d *Digester) tell(ctx context.Context, last, said mark, quiet int) (mark, mark, int) {
	now := d.now()
	say := now
	if now != last {
		var err error
		if say, err = d.markBefore(ctx, now.events); err != nil {
			d.cfg.Logger.Warn("find a mark", "node", d.cfg.Self, "error", err)
			return now, said, quiet
		}
	}
	if quiet++; say.events == 0 || say == said && quiet < reminders {
		return now, said, quiet
	}
	body, err := json.Marshal(claim{say.events, say.position, say.sum.String()})
	if err != nil {
		panic("digest: encode a note: " + err.Error()) // numbers and texts always encode
	}
	d.peers.Tell(body)
	return now, say, 0
}

// check compares what a peer said with this node's log, once that is as long.
func (d *Digester) check(ctx context.Context, name string) error {
	d.mu.Lock()
	c, is := d.told[name]
	ready := is && c.Events <= d.end.events
	if ready {
		delete(d.told, name)
	}
	d.mu.Unlock()
	if !ready {
		return nil
	}
	mine, err := d.Digest(ctx, event.DigestQuery{To: c.Events, Stored: true})
	if err != nil {
		return err
	}
	if mine.Sum == c.Sum && mine.Position == c.Position {
		d.agrees(name, c.Events)
		return nil
	}
	return d.disagrees(ctx, name, c)
}

// agrees notes that a peer's log is the same up to a number of events.
func (d *Digester) agrees(name string, events uint64) {
	d.mu.Lock()
	f, differed := d.differs[name]
	cured := differed && f.events < events
	if cured {
		delete(d.differs, name)
	}
	d.mu.Unlock()
	if cured {
		d.cfg.Logger.Info("the log is that of a peer again", "node", d.cfg.Self, "peer", name, "events", events)
		d.raise()
	}
}

// disagrees finds out where a peer's log begins to differ, and raises the alarm.
func (d *Digester) disagrees(ctx context.Context, name string, c claim) error {
	d.mu.Lock()
	known, is := d.differs[name]
	d.mu.Unlock()
	if is && known.exact {
		return nil
	}
	f := finding{events: 0, position: c.Position}
	place, found, err := Locate(ctx, d, peer{d.peers, name}, 0, c.Events, d.cfg.MarkEvery)
	if found {
		f = finding{place.Events, place.Position, true}
	}
	d.mu.Lock()
	d.differs[name] = f
	d.mu.Unlock()
	if !is || f.exact {
		d.cfg.Logger.Error("the log differs from that of a peer", "node", d.cfg.Self, "peer", name, "position", f.position, "events_before", f.events, "exact", f.exact)
		d.raise()
	}
	return err
}

// raise tells the alarm what is wrong. Where most others have the same log as this node, it is not this node.
func (d *Digester) raise() {
	d.mu.Lock()
	var reasons []string
	if d.rotten != nil {
		reasons = append(reasons, fmt.Sprintf("the log is not what it was: it has changed %s", d.rotten))
	}
	if d.unread != nil {
		reasons = append(reasons, fmt.Sprintf("an event cannot be read %s", d.unread))
	}
	for _, name := range d.cfg.Nodes {
		if f, is := d.differs[name]; is {
			reasons = append(reasons, fmt.Sprintf("the log differs from that of %s %s", name, f))
		}
	}
	alone := d.rotten != nil || d.unread != nil || len(d.cfg.Nodes)-len(d.differs) <= len(d.cfg.Nodes)/2
	d.mu.Unlock()
	d.alarm(strings.Join(reasons, "; "), alone && len(reasons) > 0)
}

// String says where it is.
func (f finding) String() string {
	if f.exact {
		return fmt.Sprintf("at %s, behind %d events", f.position, f.events)
	}
	return fmt.Sprintf("somewhere up to %s", f.position)
}
