package event

import (
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
)

// Moment is when, in the agreed order, a command is evaluated.
type Moment struct {
	TxnID     string    // of a command of a bundle, its PartID
	ExecuteAt string    // the 24-character text of the timestamp
	Time      time.Time // the timestamp's clock reading
	First     int       // the index that the command's first event has in the transaction
}

// State is what a batch of commands may look at, loaded before and stored after. A key that is missing from
// a map is in its zero state. Evaluate keeps it current, so that each command sees those before it.
type State struct {
	Heads       map[Stream]Head // only their versions are looked at
	Requests    map[string]Request
	Taken       map[ulid.ULID]bool // event ids that stand in the log
	Subscribers map[string]Subscriber
	Snapshots   map[SnapshotName]uint64 // versions; absent: none
	Watches     map[string]*Watch       // by Key: one for each that an Absence of the batch comes to
}

// Request is what is remembered of a request id, for ever.
type Request struct {
	TxnID   string
	Hash    Hash
	Outcome Outcome // Duplicate is false; Receipt.Path is empty
}

// Evaluation is what a command comes to: its outcome, and what is to be stored with it.
type Evaluation struct {
	Outcome    Outcome
	Events     []Event     // to insert, complete
	Request    *Request    // to insert
	Subscriber *Subscriber // to upsert
	Snapshot   *Snapshot   // to upsert
	Drop       *SnapshotName
}

// Evaluate decides what c does at a moment, and makes s show it. It is deterministic: every node that
// evaluates c on the same state comes to the same Evaluation. docs/protocol.md §6.3. The commands of a bundle are
// evaluated one after the other.
func (s *State) Evaluate(c Command, at Moment) Evaluation {
	switch {
	case c.Append != nil:
		return s.append(c.Append, c.Hash, at)
	case c.Claim != nil:
		return s.claim(c.Claim, at)
	case c.Ack != nil:
		return s.acknowledge(c.Ack, at)
	case c.TakeOver != nil:
		return s.takeOver(c.TakeOver, at)
	case c.Reset != nil:
		return s.reset(c.Reset, at)
	case c.PutSnapshot != nil:
		return s.putSnapshot(c.PutSnapshot, at)
	case c.DropSnapshot != nil:
		return s.dropSnapshot(c.DropSnapshot, at)
	}
	return Evaluation{}
}

func (s *State) append(a *Append, hash Hash, at Moment) Evaluation {
	if first, seen := s.Requests[a.RequestID]; seen {
		return Evaluation{Outcome: repeated(first, a.RequestID, hash)}
	}
	outcome := Outcome{Receipt: Receipt{RequestID: a.RequestID, TxnID: at.TxnID}}
	outcome.Conflicts = s.conflicts(a)
	for i := range a.Events {
		if id := a.Events[i].ID; s.Taken[id] {
			outcome.IDTaken = append(outcome.IDTaken, id.String())
		}
	}
	var events []Event
	outcome.Existing = s.existing(a.Absent)
	if outcome.Conflicts == nil && outcome.Existing == nil && outcome.IDTaken == nil {
		outcome.Committed = true
		events = s.write(a.Events, at, &outcome.Receipt)
	}
	request := Request{TxnID: at.TxnID, Hash: hash, Outcome: outcome}
	s.Requests[a.RequestID] = request
	return Evaluation{Outcome: outcome, Events: events, Request: &request}
}

// repeated answers a request id that was used before: with what became of it then, or, if the content is
// another, with a refusal.
func repeated(first Request, id string, hash Hash) Outcome {
	if first.Hash != hash {
		return Outcome{Receipt: Receipt{RequestID: id, TxnID: first.TxnID}, Reused: true}
	}
	outcome := first.Outcome
	outcome.Duplicate = true
	return outcome
}

// conflicts returns every condition that does not hold, the versions that events demand included.
func (s *State) conflicts(a *Append) []Conflict {
	var conflicts []Conflict
	for _, c := range a.Conditions {
		if have := s.Heads[c.Stream].Version; !c.Expect.holds(have) {
			conflicts = append(conflicts, Conflict{c.Stream, c.Expect, have})
		}
	}
	next := make(map[Stream]uint64)
	failed := make(map[Stream]bool)
	for i := range a.Events {
		e := &a.Events[i]
		if _, seen := next[e.Stream]; !seen {
			next[e.Stream] = s.Heads[e.Stream].Version
		}
		next[e.Stream]++
		if e.Version != 0 && e.Version != next[e.Stream] && !failed[e.Stream] {
			failed[e.Stream] = true
			conflicts = append(conflicts, demanded(e, s.Heads[e.Stream].Version, next[e.Stream]))
		}
	}
	return conflicts
}

// demanded is the conflict of an event that demands a version and would get next: in terms of the stream as it is, not as the events before
// it in the append would leave it, unless these alone are too many.
func demanded(e *Event, head, next uint64) Conflict {
	own := next - 1 - head
	if e.Version-1 < own {
		return Conflict{e.Stream, Expect(e.Version) - 1, next - 1}
	}
	return Conflict{e.Stream, Expect(e.Version - 1 - own), head}
}

// Doomed returns the conditions of an append that do not hold, and will not however s goes on: versions only grow. Where s
// lacks a stream, any version of it may be there already.
func (s *State) Doomed(a *Append) []Conflict {
	return slices.DeleteFunc(s.conflicts(a), func(c Conflict) bool { return c.Want < 0 || c.Have <= uint64(c.Want) })
}

// holds tells whether a stream at version have is as demanded.
func (x Expect) holds(have uint64) bool {
	switch x {
	case ExpectAny:
		return true
	case ExpectExists:
		return have > 0
	}
	return x >= 0 && uint64(x) == have
}

// write gives the events their places, and makes the heads and the receipt show them.
func (s *State) write(events []Event, at Moment, receipt *Receipt) []Event {
	written := make([]Event, len(events))
	streams := make(map[Stream]int)
	for i, e := range events {
		head := Head{s.Heads[e.Stream].Version + 1, PositionAt(at.ExecuteAt, at.First+i)}
		e.Version, e.Position, e.TxnID, e.RecordedAt = head.Version, head.Position, at.TxnID, at.Time
		s.Heads[e.Stream] = head
		s.Taken[e.ID] = true
		for _, w := range s.Watches {
			w.See(&e)
		}
		written[i] = e
		receipt.Events = append(receipt.Events, Ref{e.ID, e.Stream, e.Version, e.Position})
		receipt.Position = e.Position
		n, seen := streams[e.Stream]
		if !seen {
			n = len(receipt.Streams)
			streams[e.Stream] = n
			receipt.Streams = append(receipt.Streams, StreamVersion{Stream: e.Stream})
		}
		receipt.Streams[n].Version = e.Version
	}
	return written
}

func (s *State) claim(c *Claim, at Moment) Evaluation {
	return s.employ(c.Key, c.Worker, at)
}

// employ makes worker the current worker of a subscriber.
func (s *State) employ(key string, worker ulid.ULID, at Moment) Evaluation {
	subscriber := s.Subscribers[key]
	subscriber.Key, subscriber.Worker, subscriber.Seen = key, worker, at.Time
	s.Subscribers[key] = subscriber
	return Evaluation{Outcome: done(at), Subscriber: &subscriber}
}

func (s *State) takeOver(c *TakeOver, at Moment) Evaluation {
	if current := s.Subscribers[c.Key].Worker; current != c.Previous && current != c.Worker {
		return fenced(at)
	}
	return s.employ(c.Key, c.Worker, at)
}

func (s *State) reset(c *Reset, at Moment) Evaluation {
	subscriber := Subscriber{Key: c.Key, Cursor: c.Position, Seen: at.Time}
	s.Subscribers[c.Key] = subscriber
	return Evaluation{Outcome: done(at), Subscriber: &subscriber}
}

func (s *State) acknowledge(a *Ack, at Moment) Evaluation {
	subscriber := s.Subscribers[a.Key]
	if !subscriber.IsRunning(a.Worker) {
		return fenced(at)
	}
	subscriber.Seen = at.Time
	if a.Position >= subscriber.Cursor { // else it comes late, and so does its lag
		subscriber.Cursor, subscriber.Lag = a.Position, a.Lag
	}
	s.Subscribers[a.Key] = subscriber
	return Evaluation{Outcome: done(at), Subscriber: &subscriber}
}

func (s *State) putSnapshot(p *Snapshot, at Moment) Evaluation {
	name := SnapshotName{p.Stream, p.Name}
	if version, there := s.Snapshots[name]; there && version > p.Version {
		return Evaluation{Outcome: done(at)}
	}
	s.Snapshots[name] = p.Version
	return Evaluation{Outcome: done(at), Snapshot: p}
}

func (s *State) dropSnapshot(name *SnapshotName, at Moment) Evaluation {
	delete(s.Snapshots, *name)
	return Evaluation{Outcome: done(at), Drop: name}
}

// fenced refuses a worker that is not, or not any more, the one it claims to be.
func fenced(at Moment) Evaluation {
	return Evaluation{Outcome: Outcome{Receipt: Receipt{TxnID: at.TxnID}, Fenced: true}}
}

func done(at Moment) Outcome { return Outcome{Receipt: Receipt{TxnID: at.TxnID}, Committed: true} }
