package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"

	"natsaccord/accord"
	"natsaccord/event"
)

// MergeLog takes over a part of another node's log, in one transaction, and returns the cursor of the next part.
// With the last part the cursor is empty, and the report is for the Machine. What is here already is left as it
// is, so that a part may be merged twice and the merging begun anew. Nothing may be applied meanwhile.
//
// Of each stream, subscriber and snapshot one store has a prefix of what happened to it in the other: whichever
// has come further has all of both.
func (s *Store) MergeLog(ctx context.Context, encoded []byte) (next string, report accord.CaughtUp, err error) {
	if err := s.usable(); err != nil {
		return "", report, err
	}
	part := &logPart{}
	if err := json.Unmarshal(encoded, part); err != nil {
		return "", report, fmt.Errorf("sqlstore: decode a part of the log: %w", err)
	}
	if part.Next == "" && part.End == nil {
		return "", report, fmt.Errorf("sqlstore: %w: a part of the log without a next and without an end", errCorrupt)
	}
	var todo *effects
	for i := range part.Requests {
		if err := part.Requests[i].check(); err != nil {
			return "", report, err
		}
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	if err := s.behind.settle(ctx); err != nil {
		return "", report, err
	}
	s.known.mu.Lock()
	s.known.merging = true // until learn finds the end of the log here
	s.known.mu.Unlock()
	// With the end synced, all parts before it are: what the report leads to is in a journal that may be another.
	err = s.engine.transact(ctx, part.End != nil, part.want(), func(l *loaded) *effects {
		todo = part.effects(l)
		return todo
	})
	if err != nil {
		return "", report, fmt.Errorf("sqlstore: merge a part of the log: %w", err)
	}
	s.wrote(todo.events)
	if err := s.learn(ctx); err != nil {
		return "", report, err
	}
	if part.End == nil {
		return part.Next, report, nil
	}
	caught := part.End.Watermark.String()
	s.caughtUp.Store(&caught)
	return "", accord.CaughtUp{Watermark: part.End.Watermark, RedundantBefore: part.End.RedundantBefore, Records: part.End.Records}, nil
}

// LogCursor returns how far a log had been merged when the merging was last given up, empty if it was not.
func (s *Store) LogCursor(ctx context.Context) (cursor string, err error) {
	err = query{s.engine.query}.each(ctx, `SELECT log_cursor FROM node`, nil, func(found rows) error { return found.Scan(&cursor) })
	return cursor, err
}

// want names the requests that may be here already.
func (p *logPart) want() *wanted {
	w := &wanted{}
	for i := range p.Requests {
		w.requests = append(w.requests, p.Requests[i].ID)
	}
	return w
}

// effects is what is not here.
func (p *logPart) effects(l *loaded) *effects {
	e := newEffects()
	missing := make(map[string]bool)
	for _, r := range p.Requests {
		if _, here := l.state.Requests[r.ID]; !here {
			missing[r.TxnID] = true
			e.requests = append(e.requests, r.request())
			e.executeAts = append(e.executeAts, r.ExecuteAt)
		}
	}
	for i := range p.Events {
		v := event.Event(p.Events[i])
		if missing[v.TxnID] {
			e.events = append(e.events, v)
		}
	}
	e.logCursor = &p.Next
	if p.End != nil {
		p.End.add(e)
	}
	return e
}

func (end *logEnd) add(e *effects) {
	caught := end.Watermark.String()
	e.caughtUp = &caught
	for _, sub := range end.Subscribers {
		e.subscribers[sub.Key] = sub.Subscriber
		e.changedAt["u"+sub.Key] = sub.ExecuteAt
	}
	for i := range end.Snapshots {
		shot := &end.Snapshots[i]
		name := event.SnapshotName{Stream: shot.Stream, Name: shot.Name}
		e.snapshots[name] = &shot.Snapshot
		if shot.Dropped {
			e.snapshots[name] = nil
		}
		e.changedAt[event.SnapshotKey(shot.Stream, shot.Name)] = shot.ExecuteAt
	}
	for i := range end.Records {
		if rec := &end.Records[i]; rec.Status == accord.StatusApplied && rec.Txn != nil {
			e.applied = append(e.applied, *rec)
			if outcome, noted := end.Outcomes[rec.ID.String()]; noted {
				e.outcomes[rec.ID.String()] = outcome
			}
		}
	}
}
