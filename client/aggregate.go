package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"natsaccord/event"
)

// Aggregate says how the events of a stream become a state, and how often that is worth keeping. Evolve is required;
// elsewhere zero means the default. Its methods may be called concurrently if its functions may.
type Aggregate[S any] struct {
	// Evolve returns the state after one more event. It depends on nothing else; the first state is the zero S.
	Evolve func(state S, e event.Event) (S, error)

	// Snapshot names the snapshots that are kept, so that a load need not begin with the first event. Another
	// meaning of S or of Evolve takes another name. Empty: none are kept.
	Snapshot string

	Every  int                     // events between two snapshots; default 100
	Encode func(S) ([]byte, error) // of a snapshot; default json.Marshal
	Decode func([]byte) (S, error) // of a snapshot; default json.Unmarshal

	Tries  int         // of Decide, when others append meanwhile; default 10
	Report func(error) // hears of snapshots that could not be read or kept, which does no harm; default nobody
}

// State is what the events of a stream up to a version come to.
type State[S any] struct {
	Stream  event.Stream
	Version uint64 // of the last event; zero if there is none
	Value   S
}

// Bounds and defaults of aggregates.
const (
	loadPage     = 1000            // events in a page of a load
	snapshotWait = 2 * time.Second // to keep a snapshot
	decideTries  = 10
	decidePause  = 10 * time.Millisecond // before the second try, at most; it doubles from there
)

// Load folds a stream, linearizably and without snapshots. Aggregate has those.
func Load[S any](ctx context.Context, x event.Executor, stream event.Stream, evolve func(S, event.Event) (S, error)) (State[S], error) {
	return Aggregate[S]{Evolve: evolve}.Load(ctx, x, stream)
}

// Load returns a stream's state, linearizably: every event that was acknowledged before is in it. It begins with a
// snapshot if there is one that can be used, and keeps one when Every events have come since.
func (a Aggregate[S]) Load(ctx context.Context, x event.Executor, stream event.Stream) (State[S], error) {
	a = a.withDefaults()
	state := a.begin(ctx, x, stream)
	from := state.Version
	err := a.replay(ctx, x, &state)
	if errors.Is(err, errAhead) {
		a.Report(fmt.Errorf("client: snapshot %s of %s at version %d: %w", a.Snapshot, stream, from, err))
		state, from = State[S]{Stream: stream}, 0
		err = a.replay(ctx, x, &state)
	}
	if err != nil {
		return State[S]{}, err
	}
	if a.Snapshot != "" && state.Version >= from+uint64(a.Every) {
		a.keep(ctx, x, state)
	}
	return state, nil
}

func (a Aggregate[S]) withDefaults() Aggregate[S] {
	setDefault(&a.Every, 100)
	setDefault(&a.Tries, decideTries)
	if a.Encode == nil {
		a.Encode = func(value S) ([]byte, error) { return json.Marshal(value) }
	}
	if a.Decode == nil {
		a.Decode = func(data []byte) (value S, err error) { return value, json.Unmarshal(data, &value) }
	}
	if a.Report == nil {
		a.Report = func(error) {}
	}
	return a
}

// begin returns the state of the last snapshot, or that before every event if there is none to be had.
func (a Aggregate[S]) begin(ctx context.Context, x event.Executor, stream event.Stream) State[S] {
	none := State[S]{Stream: stream}
	if a.Snapshot == "" {
		return none
	}
	snapshot, err := x.Snapshot(ctx, stream, a.Snapshot)
	if errors.Is(err, event.ErrNotFound) {
		return none
	}
	var value S
	if err == nil {
		value, err = a.Decode(snapshot.Data)
	}
	if err != nil {
		a.Report(fmt.Errorf("client: read snapshot %s of %s: %w", a.Snapshot, stream, err))
		return none
	}
	return State[S]{Stream: stream, Version: snapshot.Version, Value: value}
}

// errAhead is of a snapshot of events that are not there.
var errAhead = errors.New("it is of events that are not there")

// replay folds the events behind a state into it.
func (a Aggregate[S]) replay(ctx context.Context, x event.Executor, state *State[S]) error {
	for {
		page, err := x.Read(ctx, event.ReadArgs{Stream: state.Stream, FromVersion: state.Version + 1, Limit: loadPage})
		if err != nil {
			return fmt.Errorf("client: load %s: %w", state.Stream, err)
		}
		if page.Head.Version < state.Version {
			return errAhead
		}
		for _, e := range page.Events {
			if err := a.fold(state, e); err != nil {
				return err
			}
		}
		if page.End {
			return nil
		}
	}
}

func (a Aggregate[S]) fold(state *State[S], e event.Event) error {
	if e.Version != state.Version+1 {
		return fmt.Errorf("client: load %s: version %d follows version %d", state.Stream, e.Version, state.Version)
	}
	value, err := a.Evolve(state.Value, e)
	if err != nil {
		return fmt.Errorf("client: load %s: version %d at %s: %w", state.Stream, e.Version, e.Position, err)
	}
	state.Value, state.Version = value, e.Version
	return nil
}

// keep puts a snapshot. That it cannot does no harm but to speed.
func (a Aggregate[S]) keep(ctx context.Context, x event.Executor, state State[S]) {
	ctx, cancel := context.WithTimeout(ctx, snapshotWait)
	defer cancel()
	data, err := a.Encode(state.Value)
	if err == nil {
		err = x.PutSnapshot(ctx, event.Snapshot{Stream: state.Stream, Name: a.Snapshot, Version: state.Version, Data: data})
	}
	if err != nil {
		a.Report(fmt.Errorf("client: keep snapshot %s of %s at version %d: %w", a.Snapshot, state.Stream, state.Version, err))
	}
}
