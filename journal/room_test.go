package journal

import (
	"os"
	"syscall"
	"testing"
)

// TestFullDisk: a disk that is full gives a file a part of the space that was asked for, and says that it did not. What it gave must not stand behind the
// last frame of a segment that others follow, nor be asked for again and again.
func TestFullDisk(t *testing.T) {
	cfg, asked := Config{Dir: t.TempDir()}, 0
	full := func(f *os.File, from, n int64) error {
		asked++
		if err := f.Truncate(from + n/2); err != nil {
			t.Error(err)
		}
		return syscall.ENOSPC
	}
	var found []string
	open := func() *Journal {
		found = nil
		j, err := Open(cfg, func(entry []byte) error { found = append(found, string(entry)); return nil })
		if err != nil {
			t.Fatal(err)
		}
		j.allocate = full
		return j
	}
	j := open()
	for i := range 3 {
		for _, entry := range []string{"a", "b"} {
			if err := j.Append([]byte(entry)); err != nil {
				t.Fatal(err)
			}
		}
		if info, err := j.file.Stat(); err != nil || info.Size() != j.Size() || asked != i+1 {
			t.Errorf("asked %d times for space, and the file of %d bytes has %d, %v", asked, j.Size(), info.Size(), err)
		}
		if _, err := j.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open()
	defer j.Close()
	if len(found) != 6 {
		t.Errorf("found %q", found)
	}
}

// TestHalfFullDisk: the disk is full only when space is asked for a second time.
func TestHalfFullDisk(t *testing.T) {
	cfg, asked := Config{Dir: t.TempDir()}, 0
	entries := 0
	replay := func([]byte) error { entries++; return nil }
	j, err := Open(cfg, replay)
	if err != nil {
		t.Fatal(err)
	}
	j.allocate = func(f *os.File, from, n int64) error {
		if asked++; asked == 1 {
			return f.Truncate(from + n)
		}
		return syscall.ENOSPC
	}
	entry := make([]byte, roomStep)
	for range 4 {
		if err := j.Append(entry); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Rotate(); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = Open(cfg, replay); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if entries != 4 || asked != 2 {
		t.Errorf("%d entries came back, asked %d times for space", entries, asked)
	}
}
