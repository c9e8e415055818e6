package eventtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// position writes n events and returns the position of the last one.
func (s suite) position(t *testing.T, n int) event.Position {
	t.Helper()
	stream := s.stream("positions")
	for i := range n {
		s.write(t, note(stream, fmt.Sprint(i)))
	}
	events := s.of(t, stream)
	return events[len(events)-1].Position
}

func (s suite) cursor(t *testing.T, key string) event.Position {
	t.Helper()
	cursor, err := s.SubscriberCursor(t.Context(), key)
	if err != nil {
		t.Fatalf("cursor of %s: %v", key, err)
	}
	return cursor
}

func (s suite) running(t *testing.T, key string, worker ulid.ULID) bool {
	t.Helper()
	running, err := s.IsSubscriberRunning(t.Context(), key, worker)
	if err != nil {
		t.Fatalf("worker of %s: %v", key, err)
	}
	return running
}

func (s suite) claim(t *testing.T, key string, worker ulid.ULID) {
	t.Helper()
	if err := s.UpsertSubscriber(t.Context(), key, worker); err != nil {
		t.Fatalf("claim %s: %v", key, err)
	}
}

func exerciseSubscriber(t *testing.T, s suite) {
	key, worker := s.category+"/mailer.ü", ulid.Make()
	first, second := s.position(t, 1), s.position(t, 1)
	if cursor := s.cursor(t, key); cursor != "" {
		t.Errorf("a subscriber that is none has the cursor %s", cursor)
	}
	if s.running(t, key, worker) || s.running(t, key, ulid.ULID{}) {
		t.Error("a subscriber that is none is running")
	}
	s.claim(t, key, worker)
	if !s.running(t, key, worker) || s.running(t, key, ulid.Make()) {
		t.Error("who has claimed is not running, or who has not is")
	}
	if cursor := s.cursor(t, key); cursor != "" {
		t.Errorf("a claim moved the cursor to %s", cursor)
	}
	for _, position := range []event.Position{first, second} {
		if err := s.Acknowledge(t.Context(), key, worker, position, 3); err != nil {
			t.Fatalf("acknowledge: %v", err)
		}
		if cursor := s.cursor(t, key); cursor != position {
			t.Errorf("the cursor is %s, want %s", cursor, position)
		}
	}
	if cursor := s.cursor(t, key+"2"); cursor != "" {
		t.Errorf("another subscriber's cursor is %s", cursor)
	}
}

func exerciseFence(t *testing.T, s suite) {
	key, old, current := s.category, ulid.Make(), ulid.Make()
	first, second := s.position(t, 1), s.position(t, 1)
	if err := s.Acknowledge(t.Context(), key, old, first, 0); !errors.Is(err, event.ErrFenced) {
		t.Errorf("acknowledge without a claim: got %v", err)
	}
	s.claim(t, key, old)
	if err := s.Acknowledge(t.Context(), key, old, first, 0); err != nil {
		t.Fatalf("acknowledge: %v", err)
	}
	s.claim(t, key, current)
	if s.running(t, key, old) || !s.running(t, key, current) {
		t.Error("the old worker is still running, or the new one is not")
	}
	if err := s.Acknowledge(t.Context(), key, old, second, 0); !errors.Is(err, event.ErrFenced) {
		t.Errorf("the old worker acknowledges: got %v", err)
	}
	if cursor := s.cursor(t, key); cursor != first {
		t.Errorf("the cursor is %s, want %s: a fenced worker moved it, or the claim did", cursor, first)
	}
	s.claim(t, key, old) // a worker may come back
	if err := s.Acknowledge(t.Context(), key, old, second, 0); err != nil {
		t.Errorf("the old worker is back and acknowledges: %v", err)
	}
}

func exerciseNeverBack(t *testing.T, s suite) {
	key, worker := s.category, ulid.Make()
	first, second := s.position(t, 1), s.position(t, 1)
	s.claim(t, key, worker)
	for _, position := range []event.Position{second, first, second} {
		if err := s.Acknowledge(t.Context(), key, worker, position, 0); err != nil {
			t.Errorf("acknowledge: %v", err)
		}
		if cursor := s.cursor(t, key); cursor != second {
			t.Errorf("the cursor is %s, want %s", cursor, second)
		}
	}
}

func exerciseSubscriberRefusals(t *testing.T, s suite) {
	worker, position := ulid.Make(), s.position(t, 1)
	for name, err := range map[string]error{
		"claim of nothing":           s.UpsertSubscriber(t.Context(), "", worker),
		"claim of a long key":        s.UpsertSubscriber(t.Context(), strings.Repeat("k", 256), worker),
		"acknowledge of nothing":     s.Acknowledge(t.Context(), "", worker, position, 0),
		"acknowledge of nowhere":     s.Acknowledge(t.Context(), s.category, worker, "", 0),
		"acknowledge of a bad place": s.Acknowledge(t.Context(), s.category, worker, "x", 0),
	} {
		if _, ok := errors.AsType[*event.InvalidError](err); !ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
