package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrCorrupt: entries that had been made durable are damaged or missing. Nothing has been changed.
var ErrCorrupt = errors.New("journal: corrupt")

// A frame is
//
//	4 bytes  frameMagic
//	4 bytes  length of the entry
//	4 bytes  CRC-32C of the next field and the entry
//	8 bytes  how much of the segment had been synced when the frame was written
//	n bytes  the entry, then zeros up to a multiple of frameAlign
//
// all big-endian. Frames are aligned so that one can be looked for behind damage.
const (
	frameMagic  = 0x6a726e31 // "jrn1"
	frameHeader = 20
	frameAlign  = 8
	maxEntry    = 1 << 30
)

// IDSize is the length of a journal's id.
const IDSize = 16

// segmentHeader is segmentMagic, the journal's id and the segment's number, which the checksum at its end covers.
const (
	segmentMagic  = "natsacc\x01"
	segmentHeader = len(segmentMagic) + IDSize + 8 + 8
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func appendSegmentHeader(b []byte, id [IDSize]byte, number uint64) []byte {
	start := len(b)
	b = append(b, segmentMagic...)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(b, number)
	return binary.BigEndian.AppendUint64(b, uint64(crc32.Checksum(b[start:], castagnoli())))
}

// appendFrame appends an entry's frame. synced is how much of the segment is durable.
func appendFrame(b, entry []byte, synced int64) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, frameMagic)
	b = binary.BigEndian.AppendUint32(b, uint32(len(entry)))
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(synced))
	b = append(b, entry...)
	binary.BigEndian.PutUint32(b[start+8:], crc32.Checksum(b[start+12:], castagnoli()))
	for len(b)%frameAlign != 0 {
		b = append(b, 0)
	}
	return b
}

// frame is one that checked out.
type frame struct {
	entry  []byte
	synced int64
	size   int // with its padding
}

// readFrame reads the frame that b begins with.
func readFrame(b []byte) (f frame, ok bool) {
	if len(b) < frameHeader || binary.BigEndian.Uint32(b) != frameMagic {
		return f, false
	}
	n := int(binary.BigEndian.Uint32(b[4:]))
	if n > maxEntry || n > len(b)-frameHeader {
		return f, false
	}
	covered := b[12 : frameHeader+n]
	if crc32.Checksum(covered, castagnoli()) != binary.BigEndian.Uint32(b[8:]) {
		return f, false
	}
	size := (frameHeader + n + frameAlign - 1) / frameAlign * frameAlign
	if size > len(b) {
		return f, false
	}
	return frame{entry: covered[8:], synced: int64(binary.BigEndian.Uint64(b[12:])), size: size}, true
}

// readSegment hands over the entries of a segment, and returns how long it is up to the last frame that checks out.
// last allows that a crash has torn its end.
func readSegment(b []byte, id [IDSize]byte, number uint64, last bool, replay func(entry []byte) error) (int, error) {
	if want := appendSegmentHeader(nil, id, number); len(b) < len(want) || string(b[:len(want)]) != string(want) {
		if last && len(b) <= len(want) {
			return 0, nil // its first sync never returned
		}
		return 0, fmt.Errorf("%w: segment %d does not begin as one of this journal", ErrCorrupt, number)
	}
	at := segmentHeader
	for at < len(b) {
		f, ok := readFrame(b[at:])
		if !ok {
			return at, checkTorn(b, at, number, last)
		}
		if err := replay(f.entry); err != nil {
			return at, fmt.Errorf("journal: replay segment %d at byte %d: %w", number, at, err)
		}
		at += f.size
	}
	return at, nil
}

// checkTorn tells a torn end from damage: damage is what a frame behind it says had been synced.
func checkTorn(b []byte, at int, number uint64, last bool) error {
	if !last {
		return fmt.Errorf("%w: segment %d at byte %d", ErrCorrupt, number, at)
	}
	for next := at + frameAlign; next < len(b); next += frameAlign {
		if f, ok := readFrame(b[next:]); ok && f.synced > int64(at) {
			return fmt.Errorf("%w: segment %d at byte %d, before synced entries", ErrCorrupt, number, at)
		}
	}
	return nil
}
