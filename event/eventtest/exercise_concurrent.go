package eventtest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// Sizes of the concurrent exercises.
const (
	writers = 8
	rounds  = 5
)

// together runs do in as many goroutines as there are writers.
func together(do func(writer int)) {
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() { do(w) })
	}
	running.Wait()
}

// exerciseConcurrentAny: writes without a version never refuse each other.
func exerciseConcurrentAny(t *testing.T, s suite) {
	stream := s.stream(1)
	var want []string
	for w := range writers {
		for i := range rounds {
			want = append(want, string(note(stream, fmt.Sprint(w, "-", i)).Data))
		}
	}
	together(func(w int) {
		for i := range rounds {
			if err := s.Write(t.Context(), []event.Event{note(stream, fmt.Sprint(w, "-", i))}); err != nil {
				t.Errorf("writer %d: %v", w, err)
			}
		}
	})
	got := s.of(t, stream)
	contiguous(t, stream, got)
	slices.Sort(want)
	if !slices.Equal(texts(got), want) {
		t.Errorf("got %q, want %q", texts(got), want)
	}
}

// exerciseConcurrentExact: of those who want the same version one gets it, and the others are told.
func exerciseConcurrentExact(t *testing.T, s suite) {
	stream := s.stream(1)
	for version := uint64(1); version <= rounds; version++ {
		var won atomic.Int32
		together(func(w int) {
			err := s.Write(t.Context(), []event.Event{versioned(stream, version)})
			if err == nil {
				won.Add(1)
				return
			}
			conflict, ok := errors.AsType[*event.ConflictError](err)
			if want := (event.Conflict{Stream: stream, Want: event.Expect(version - 1), Have: version}); !ok || conflict.Conflict != want {
				t.Errorf("writer %d: got %v, want the conflict %+v", w, err, want)
			}
		})
		if won.Load() != 1 {
			t.Errorf("version %d was written by %d, want one", version, won.Load())
		}
	}
	got := s.of(t, stream)
	contiguous(t, stream, got)
	if len(got) != rounds {
		t.Errorf("got %d events, want %d", len(got), rounds)
	}
}

// exerciseConcurrentStreams: writes over several streams stay whole, stand together, and come in one order.
func exerciseConcurrentStreams(t *testing.T, s suite) {
	streams := []event.Stream{s.stream(0), s.stream(1), s.stream(2)}
	together(func(w int) {
		for i := range rounds {
			from, to := streams[(w+i)%3], streams[(w+i+1+w%2)%3]
			text := fmt.Sprint(w, "-", i)
			if err := s.Write(t.Context(), []event.Event{note(from, text), note(to, text)}); err != nil {
				t.Errorf("writer %d: %v", w, err)
			}
		}
	})
	got := s.all(t, s.settled(t, event.ReadArgs{Category: s.category, Limit: 7}, streams...))
	if len(got) != 2*writers*rounds {
		t.Fatalf("got %d events, want %d", len(got), 2*writers*rounds)
	}
	byStream := make(map[event.Stream][]event.Event)
	for i := range got {
		byStream[got[i].Stream] = append(byStream[got[i].Stream], got[i])
		if pair := &got[i&^1]; pair.TxnID != got[i].TxnID || string(pair.Data) != string(got[i].Data) {
			t.Errorf("event %d, %s of %s, stands apart from its other half", i, got[i].Data, got[i].TxnID)
		}
	}
	for stream, events := range byStream {
		contiguous(t, stream, events)
	}
}

// exerciseConcurrentWorkers: whoever claims last is the only worker, and whoever is not cannot acknowledge.
func exerciseConcurrentWorkers(t *testing.T, s suite) {
	position := s.position(t, 1)
	workers := make([]ulid.ULID, writers)
	together(func(w int) {
		workers[w] = ulid.Make()
		if err := s.UpsertSubscriber(t.Context(), s.category, workers[w]); err != nil {
			t.Errorf("worker %d claims: %v", w, err)
		}
	})
	var current, acknowledged atomic.Int32
	together(func(w int) {
		running, err := s.IsSubscriberRunning(t.Context(), s.category, workers[w])
		if err != nil {
			t.Errorf("worker %d: %v", w, err)
		}
		if running {
			current.Add(1)
		}
		switch err := s.Acknowledge(t.Context(), s.category, workers[w], position, 0); {
		case err == nil:
			acknowledged.Add(1)
			if !running {
				t.Errorf("worker %d acknowledged, and is not running", w)
			}
		case !errors.Is(err, event.ErrFenced):
			t.Errorf("worker %d acknowledges: %v", w, err)
		}
	})
	if current.Load() != 1 || acknowledged.Load() != 1 {
		t.Errorf("%d workers are running and %d acknowledged, want one", current.Load(), acknowledged.Load())
	}
}

// exerciseConcurrentSnapshots: the highest version stays, in whatever order they come.
func exerciseConcurrentSnapshots(t *testing.T, s suite) {
	stream := s.stream(1)
	together(func(w int) {
		for i := range rounds {
			version := uint64(1 + w + i*writers)
			snapshot := event.Snapshot{Stream: stream, Name: "n", Version: version, Data: fmt.Append(nil, version)}
			if err := s.PutSnapshot(t.Context(), snapshot); err != nil {
				t.Errorf("put version %d: %v", version, err)
			}
		}
	})
	got, err := s.Snapshot(t.Context(), stream, "n")
	if err != nil || got.Version != writers*rounds || string(got.Data) != fmt.Sprint(writers*rounds) {
		t.Errorf("got %+v, %v, want version %d", got, err, writers*rounds)
	}
}
