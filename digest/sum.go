package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"

	"natsaccord/event"
)

// Sum is what a run of events hashes to. That of no events is zero.
type Sum [sha256.Size]byte

// String returns the sum in hex.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// hasher hashes runs of events. It keeps its buffer.
type hasher struct{ buffer []byte }

// add returns the sum of a run with one more event at its end.
func (h *hasher) add(sum Sum, e *event.Event) Sum {
	h.buffer = appendEvent(append(h.buffer[:0], sum[:]...), e)
	return sha256.Sum256(h.buffer)
}

// appendEvent appends all that an event is, so that no two events have the same bytes. It must never change: the sums
// stand in databases.
func appendEvent(b []byte, e *event.Event) []byte {
	b = appendText(b, string(e.Position))
	b = appendText(b, e.TxnID)
	b = appendText(b, string(e.Stream))
	b = binary.BigEndian.AppendUint64(b, e.Version)
	b = append(b, e.ID[:]...)
	b = appendText(b, e.Type)
	b = binary.BigEndian.AppendUint64(b, uint64(e.RecordedAt.UnixMicro()))
	b = appendText(b, e.RoutingKey)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Tags)))
	for _, tag := range e.Tags {
		b = appendText(b, tag)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Metadata)))
	for _, key := range slices.Sorted(maps.Keys(e.Metadata)) {
		b = appendText(appendText(b, key), e.Metadata[key])
	}
	if e.Binary {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(e.Data))), e.Data...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
