package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"natsaccord/journal"
)

func config(dir string) journal.Config {
	return journal.Config{Dir: dir, ID: [journal.IDSize]byte{1, 2, 3}}
}

// reopen opens a journal, and returns the entries in it.
func reopen(t *testing.T, cfg journal.Config) (*journal.Journal, []string) {
	t.Helper()
	j, found, err := tryOpen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() }) // a test may have closed it
	return j, found
}

func tryOpen(cfg journal.Config) (*journal.Journal, []string, error) {
	var found []string
	j, err := journal.Open(cfg, func(entry []byte) error {
		found = append(found, string(entry))
		return nil
	})
	return j, found, err
}

func appendAll(t *testing.T, j *journal.Journal, entries ...string) {
	t.Helper()
	for _, entry := range entries {
		if err := j.Append([]byte(entry)); err != nil {
			t.Fatal(err)
		}
	}
}

func check(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// files returns the segments in a directory, in order.
func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.segment"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEntriesComeBackInOrder(t *testing.T) {
	cfg := config(t.TempDir())
	j, found := reopen(t, cfg)
	check(t, found)
	appendAll(t, j, "a", "", "a longer entry")
	if _, err := j.Rotate(); err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, "b")
	// Nothing is closed: a crash does not close either.
	j, found = reopen(t, cfg)
	check(t, found, "a", "", "a longer entry", "b")
	appendAll(t, j, "c")
	_, found = reopen(t, cfg)
	check(t, found, "a", "", "a longer entry", "b", "c")
}

func TestDroppedSegmentsAreNotNeeded(t *testing.T) {
	cfg := config(t.TempDir())
	j, _ := reopen(t, cfg)
	appendAll(t, j, "a")
	second, err := j.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, "b")
	if err := j.Drop(second); err != nil {
		t.Fatal(err)
	}
	if n := len(files(t, cfg.Dir)); n != 1 {
		t.Errorf("%d segments are left, want 1", n)
	}
	for _, from := range []uint64{0, 1, second + 1} {
		cfg.From = from
		if _, _, err := tryOpen(cfg); !errors.Is(err, journal.ErrCorrupt) {
			t.Errorf("opened from segment %d: got %v, want ErrCorrupt", from, err)
		}
	}
	cfg.From = second
	_, found := reopen(t, cfg)
	check(t, found, "b")
}

// segment returns what a segment holds up to the end of its last frame, behind which zeros may stand.
func segment(t *testing.T, j *journal.Journal, path string) []byte {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range whole[j.Size():] {
		if b != 0 {
			t.Fatalf("behind the last frame stands %d", b)
		}
	}
	return whole[:j.Size()]
}

// TestTornEndIsCutOff cuts the last segment at every length that a crash could leave.
func TestTornEndIsCutOff(t *testing.T) {
	cfg := config(t.TempDir())
	j, _ := reopen(t, cfg)
	header := int(j.Size())
	appendAll(t, j, "one", "two", "three")
	whole := segment(t, j, files(t, cfg.Dir)[0])
	counts := make(map[int]int)
	for n := range 2 * len(whole) {
		left := slices.Clone(whole[:n/2])
		if n%2 == 1 && n/2 >= header { // space is reserved once the header is durable
			left = append(left, make([]byte, 100)...)
		}
		torn := config(t.TempDir())
		if err := os.WriteFile(filepath.Join(torn.Dir, filepath.Base(files(t, cfg.Dir)[0])), left, 0o600); err != nil {
			t.Fatal(err)
		}
		j, found := reopen(t, torn)
		check(t, found, []string{"one", "two", "three"}[:len(found)]...)
		counts[len(found)]++
		appendAll(t, j, "next")
		_, again := reopen(t, torn)
		check(t, again, append(found, "next")...)
	}
	for n := range 3 {
		if counts[n] == 0 {
			t.Errorf("no cut left %d entries", n)
		}
	}
}

// TestDamage turns every byte of a segment around. Either the entries before it are left, because it belongs to the
// last one, which may never have been synced, or the journal is refused.
func TestDamage(t *testing.T) {
	cfg := config(t.TempDir())
	j, _ := reopen(t, cfg)
	appendAll(t, j, "one", "two", "three")
	name := filepath.Base(files(t, cfg.Dir)[0])
	whole := segment(t, j, filepath.Join(cfg.Dir, name))
	refused, cut, unharmed := 0, 0, 0
	for n := range whole {
		damaged := config(t.TempDir())
		bytes := append(slices.Clone(whole), make([]byte, n%2*100)...)
		bytes[n] ^= 0xff
		if err := os.WriteFile(filepath.Join(damaged.Dir, name), bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		j, found, err := tryOpen(damaged)
		switch {
		case errors.Is(err, journal.ErrCorrupt):
			refused++
			continue
		case err != nil:
			t.Fatalf("byte %d: %v", n, err)
		case len(found) == 3:
			unharmed++ // padding
		case len(found) == 2:
			cut++
		default:
			t.Errorf("byte %d: got %q", n, found)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if refused == 0 || cut == 0 || unharmed > 3*7 {
		t.Errorf("%d refused, %d cut, %d unharmed", refused, cut, unharmed)
	}
}

func TestDamageBeforeTheLastSegmentIsRefused(t *testing.T) {
	cfg := config(t.TempDir())
	j, _ := reopen(t, cfg)
	appendAll(t, j, "one")
	if _, err := j.Rotate(); err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, "two")
	first := files(t, cfg.Dir)[0]
	info, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(first, info.Size()-1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tryOpen(cfg); !errors.Is(err, journal.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

func TestAnotherJournalIsRefused(t *testing.T) {
	cfg := config(t.TempDir())
	j, _ := reopen(t, cfg)
	appendAll(t, j, "one")
	for _, from := range []uint64{0, 1, 2} {
		other := cfg
		other.ID, other.From = [journal.IDSize]byte{9}, from
		if _, _, err := tryOpen(other); !errors.Is(err, journal.ErrCorrupt) {
			t.Errorf("from %d: got %v, want ErrCorrupt", from, err)
		}
	}
	_, found := reopen(t, cfg)
	check(t, found, "one")
}

func TestReplayMayFail(t *testing.T) {
	cfg := config(t.TempDir())
	j, _ := reopen(t, cfg)
	appendAll(t, j, "one")
	bad := errors.New("bad entry")
	if _, err := journal.Open(cfg, func([]byte) error { return bad }); !errors.Is(err, bad) {
		t.Errorf("got %v, want %v", err, bad)
	}
}

func TestClosedJournalTakesNothing(t *testing.T) {
	j, _ := reopen(t, config(t.TempDir()))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append([]byte("late")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if _, err := j.Rotate(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func FuzzSegment(f *testing.F) {
	cfg := config(f.TempDir())
	j, _, err := tryOpen(cfg)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if err := j.Append(fmt.Appendf(nil, "entry %d", i)); err != nil {
			f.Fatal(err)
		}
	}
	segment := filepath.Join(cfg.Dir, "0000000000000001.segment")
	whole, err := os.ReadFile(segment)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:50])
	f.Fuzz(func(t *testing.T, b []byte) {
		damaged := config(t.TempDir())
		damaged.NoSync = true
		if err := os.WriteFile(filepath.Join(damaged.Dir, filepath.Base(segment)), b, 0o600); err != nil {
			t.Fatal(err)
		}
		j, first, err := tryOpen(damaged)
		if err != nil {
			if !errors.Is(err, journal.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j, second, err := tryOpen(damaged)
		if err != nil {
			t.Fatal(err)
		}
		check(t, second, first...)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{512, 16 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			j, _, err := tryOpen(config(b.TempDir()))
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			entry := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := j.Append(entry); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
