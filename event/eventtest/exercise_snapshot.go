package eventtest

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"natsaccord/event"
)

func (s suite) put(t *testing.T, name string, version uint64, data string) {
	t.Helper()
	snapshot := event.Snapshot{Stream: s.stream(1), Name: name, Version: version, Data: []byte(data)}
	if err := s.PutSnapshot(t.Context(), snapshot); err != nil {
		t.Fatalf("put %s@%d: %v", name, version, err)
	}
}

// has checks what the snapshot of a name is.
func (s suite) has(t *testing.T, name string, version uint64, data string) {
	t.Helper()
	got, err := s.Snapshot(t.Context(), s.stream(1), name)
	if err != nil || got.Stream != s.stream(1) || got.Name != name || got.Version != version || !bytes.Equal(got.Data, []byte(data)) {
		t.Errorf("got %s@%d of %s, %.40q, %v, want %s@%d, %.40q", got.Name, got.Version, got.Stream, got.Data, err, name, version, data)
	}
}

// hasNone checks that there is no snapshot of a name.
func (s suite) hasNone(t *testing.T, name string) {
	t.Helper()
	if got, err := s.Snapshot(t.Context(), s.stream(1), name); !errors.Is(err, event.ErrNotFound) {
		t.Errorf("got %+v, %v, want %v", got, err, event.ErrNotFound)
	}
}

func (s suite) drop(t *testing.T, name string) {
	t.Helper()
	if err := s.DropSnapshot(t.Context(), s.stream(1), name); err != nil {
		t.Fatalf("drop %s: %v", name, err)
	}
}

func exerciseSnapshot(t *testing.T, s suite) {
	s.hasNone(t, "balance")
	s.drop(t, "balance")
	s.put(t, "balance", 3, "\x00\xff any bytes")
	s.has(t, "balance", 3, "\x00\xff any bytes")
	s.put(t, "balance", 4, "")
	s.has(t, "balance", 4, "")
	s.drop(t, "balance")
	s.hasNone(t, "balance")
	s.put(t, "balance", 1, "a lower version, after the drop")
	s.has(t, "balance", 1, "a lower version, after the drop")
	large := strings.Repeat("x", 512<<10)
	s.put(t, "balance", 2, large)
	s.has(t, "balance", 2, large)
}

func exerciseSnapshotVersions(t *testing.T, s suite) {
	s.put(t, "n", 5, "five")
	s.put(t, "n", 4, "four")
	s.has(t, "n", 5, "five")
	s.put(t, "n", 5, "five again")
	s.has(t, "n", 5, "five again")
	s.put(t, "n", 6, "six")
	s.has(t, "n", 6, "six")
}

func exerciseSnapshotNames(t *testing.T, s suite) {
	s.put(t, "a", 1, "of a")
	s.put(t, "a/b<ü>", 2, "of a/b")
	s.has(t, "a", 1, "of a")
	s.has(t, "a/b<ü>", 2, "of a/b")
	s.drop(t, "a")
	s.hasNone(t, "a")
	s.has(t, "a/b<ü>", 2, "of a/b")
	if _, err := s.Snapshot(t.Context(), s.stream(2), "a/b<ü>"); !errors.Is(err, event.ErrNotFound) {
		t.Errorf("another stream has it too: %v", err)
	}
}

func exerciseSnapshotRefusals(t *testing.T, s suite) {
	stream := s.stream(1)
	for name, err := range map[string]error{
		"put without a stream":  s.PutSnapshot(t.Context(), event.Snapshot{Name: "n"}),
		"put without a name":    s.PutSnapshot(t.Context(), event.Snapshot{Stream: stream}),
		"drop without a stream": s.DropSnapshot(t.Context(), "", "n"),
		"drop without a name":   s.DropSnapshot(t.Context(), stream, ""),
	} {
		if _, ok := errors.AsType[*event.InvalidError](err); !ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
	err := s.PutSnapshot(t.Context(), event.Snapshot{Stream: stream, Name: "n", Data: make([]byte, 512<<10+1)})
	if _, ok := errors.AsType[*event.TooLargeError](err); !ok {
		t.Errorf("a large snapshot: got %v", err)
	}
	s.hasNone(t, "n")
}
