package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Config says which journal. Dir and ID are required.
type Config struct {
	Dir string
	ID  [IDSize]byte // a directory with segments of another journal is refused

	// From is the first segment that is still needed, 0 if the journal may not have been begun. Older ones are left
	// over and deleted; if it is missing, entries are lost: ErrCorrupt.
	From uint64

	// NoSync leaves it to the operating system when entries reach the disk: for what need not survive a crash.
	NoSync bool
}

// Journal is an open journal. Its methods may be called concurrently.
type Journal struct {
	cfg Config

	mu     sync.Mutex
	file   *os.File
	number uint64 // of the segment appended to
	size   int64
	room   int64 // up to where the segment has space on the disk, and its file reaches
	noRoom bool  // the segment is given none
	buf    []byte
	failed error

	allocate func(f *os.File, from, n int64) error
}

// Open hands over the entries of all segments from cfg.From on, in order, and begins a new segment. replay must not
// keep the entry. An error that replay returns is returned; an end torn by a crash is cut off.
func Open(cfg Config, replay func(entry []byte) error) (*Journal, error) {
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("journal: make a directory: %w", err)
	}
	found, err := segments(cfg.Dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{cfg: cfg, number: max(cfg.From, 1) - 1, allocate: allocate}
	for i, number := range found {
		if number < cfg.From {
			if err := j.check(number); err != nil {
				return nil, err
			}
			continue
		}
		if number != j.number+1 {
			return nil, fmt.Errorf("%w: segment %d is missing in %s", ErrCorrupt, j.number+1, cfg.Dir)
		}
		if err := j.replay(number, i == len(found)-1, replay); err != nil {
			return nil, err
		}
		j.number = number
	}
	if j.number < cfg.From {
		return nil, fmt.Errorf("%w: segment %d is missing in %s", ErrCorrupt, cfg.From, cfg.Dir)
	}
	if err := j.Drop(cfg.From); err != nil {
		return nil, err
	}
	return j, j.begin()
}

// check refuses to delete what is not of this journal.
func (j *Journal) check(number uint64) error {
	f, err := os.Open(j.path(number))
	if err != nil {
		return fmt.Errorf("journal: open a segment: %w", err)
	}
	want := appendSegmentHeader(nil, j.cfg.ID, number)
	have := make([]byte, len(want))
	_, err = io.ReadFull(f, have)
	if err := f.Close(); err != nil {
		return fmt.Errorf("journal: close a segment: %w", err)
	}
	if err != nil || string(have) != string(want) {
		return fmt.Errorf("%w: segment %d does not begin as one of this journal", ErrCorrupt, number)
	}
	return nil
}

// replay reads a segment, and cuts off what a crash has torn.
func (j *Journal) replay(number uint64, last bool, replay func(entry []byte) error) error {
	path := j.path(number)
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("journal: read a segment: %w", err)
	}
	whole, err := readSegment(b, j.cfg.ID, number, last, replay)
	if err != nil || whole == len(b) && whole > 0 {
		return err
	}
	if whole == 0 {
		b = appendSegmentHeader(nil, j.cfg.ID, number)
	} else {
		b = b[:whole]
	}
	return j.rewrite(path, b)
}

// rewrite leaves of a segment what is whole.
func (j *Journal) rewrite(path string, whole []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("journal: cut a torn end off: %w", err)
	}
	_, err = f.WriteAt(whole, 0)
	err = errors.Join(err, f.Truncate(int64(len(whole))), j.sync(f), f.Close())
	if err != nil {
		return fmt.Errorf("journal: cut a torn end off: %w", err)
	}
	return nil
}

// begin begins a new segment.
func (j *Journal) begin() error {
	f, err := os.OpenFile(j.path(j.number+1), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("journal: begin a segment: %w", err)
	}
	header := appendSegmentHeader(nil, j.cfg.ID, j.number+1)
	if _, err = f.Write(header); err == nil {
		err = j.sync(f)
	}
	if err == nil {
		err = syncDir(j.cfg.Dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("journal: begin a segment: %w", err), f.Close())
	}
	j.file, j.number, j.size, j.room, j.noRoom = f, j.number+1, int64(len(header)), 0, false
	return nil
}

// roomStep is how much space a segment is given at a time.
const roomStep = 4 << 20

// reserve sees to it that the file reaches further than what is about to be written, where the system can do that: a sync then has no
// size and no place of the file to make durable. Behind the last frame stand zeros until the segment is finished.
func (j *Journal) reserve(n int64) error {
	if j.size+n <= j.room || j.noRoom || j.cfg.NoSync {
		return nil
	}
	from := max(j.size, j.room)
	if err := j.allocate(j.file, from, n+roomStep); err != nil {
		// The file grows by itself from now on. A full disk may have given it a part, which was all that was left.
		j.room, j.noRoom = 0, true
		return j.file.Truncate(j.size)
	}
	j.room = from + n + roomStep
	return nil
}

// finish leaves nothing behind the last frame, durably: only of the last segment may an end be cut off.
func (j *Journal) finish() error {
	if j.cfg.NoSync {
		return nil
	}
	return errors.Join(j.file.Truncate(j.size), j.sync(j.file))
}

// Append makes an entry durable. After an error it is unknown whether it is, and every later Append fails.
func (j *Journal) Append(entry []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	if len(entry) > maxEntry {
		return fmt.Errorf("journal: an entry of %d bytes, at most %d fit", len(entry), maxEntry)
	}
	j.buf = appendFrame(j.buf[:0], entry, j.size)
	err := j.reserve(int64(len(j.buf)))
	if err == nil {
		_, err = j.file.Write(j.buf)
	}
	if err == nil {
		err = j.sync(j.file)
	}
	if err != nil {
		j.failed = fmt.Errorf("journal: append: %w", err)
		return j.failed
	}
	j.size += int64(len(j.buf))
	if cap(j.buf) > keptBuffer {
		j.buf = nil
	}
	return nil
}

// keptBuffer is how much memory is kept from one Append to the next.
const keptBuffer = 4 << 20

// Rotate begins a new segment and returns its number: all entries so far stand in lower ones.
func (j *Journal) Rotate() (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return 0, j.failed
	}
	old, err := j.file, j.finish()
	if err == nil {
		err = j.begin()
	}
	if err == nil {
		err = old.Close()
	}
	if err != nil {
		j.failed = fmt.Errorf("journal: finish a segment: %w", err)
		return 0, err
	}
	return j.number, nil
}

// Number returns the number of the segment that is appended to.
func (j *Journal) Number() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.number
}

// Size returns how many bytes the segment has that is appended to.
func (j *Journal) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size
}

// Drop deletes the segments below a number.
func (j *Journal) Drop(below uint64) error {
	found, err := segments(j.cfg.Dir)
	if err != nil {
		return err
	}
	for _, number := range found {
		if number < below {
			if err := os.Remove(j.path(number)); err != nil {
				return fmt.Errorf("journal: delete a segment: %w", err)
			}
		}
	}
	return nil
}

// Close gives the file free. What has been appended is durable already.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	if j.failed == nil {
		err = j.finish()
		j.failed = fmt.Errorf("journal: %w", os.ErrClosed)
	}
	return errors.Join(err, j.file.Close())
}

func (j *Journal) sync(f *os.File) error {
	if j.cfg.NoSync {
		return nil
	}
	return syncData(f)
}

// extension is of segments' file names, which begin with the number in hexadecimal.
const extension = ".segment"

func (j *Journal) path(number uint64) string {
	return filepath.Join(j.cfg.Dir, fmt.Sprintf("%016x", number)+extension)
}

// segments returns the numbers of the segments in a directory, in order.
func segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("journal: list the segments: %w", err)
	}
	var found []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), extension)
		if !ok {
			continue
		}
		number, err := strconv.ParseUint(name, 16, 64)
		if err != nil {
			return nil, fmt.Errorf("journal: %s is no segment: %w", e.Name(), err)
		}
		found = append(found, number)
	}
	slices.SortFunc(found, cmp.Compare[uint64])
	return found, nil
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
