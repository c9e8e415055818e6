package accord

import (
	"cmp"
	"encoding/binary"
	"fmt"
)

// NodeID names a replica within one cluster. Zero is no node.
type NodeID uint16

// Kind tells what a Timestamp names. It is part of a Timestamp's identity and order, so that a fence that
// chooses a time in the past never equals a vote or a transaction of its node.
type Kind uint8

// The kinds of timestamps, in their order.
const (
	KindVote   Kind = iota // a vote or a ballot
	KindWrite              // a transaction that writes
	KindRead               // a transaction that only reads
	KindFence              // an inclusive fence
	KindFenceX             // an exclusive fence
	kindEnd
)

// Timestamp is a point of the hybrid logical clocks' order: (Epoch, HLC, Kind, Node). The zero Timestamp
// means "none" and is before every other. docs/protocol.md §2.1.
type Timestamp struct {
	HLC   uint64 // microseconds since the Unix epoch, advanced logically
	Epoch uint32 // topology epoch; compared first
	Node  NodeID // who issued it
	Kind  Kind
}

// TxnID is t0, the timestamp a transaction's coordinator proposed, and the transaction's name for ever
// after. It is a struct so that mixing it up with an executeAt does not compile.
type TxnID struct{ Timestamp }

// Ballot orders the attempts to decide one transaction. The zero Ballot belongs to its first coordinator.
type Ballot struct{ Timestamp }

// Compare returns -1, 0 or +1 as t is before, equal to or after u.
func (t Timestamp) Compare(u Timestamp) int {
	if c := cmp.Compare(t.Epoch, u.Epoch); c != 0 {
		return c
	}
	if c := cmp.Compare(t.HLC, u.HLC); c != 0 {
		return c
	}
	if c := cmp.Compare(t.Kind, u.Kind); c != 0 {
		return c
	}
	return cmp.Compare(t.Node, u.Node)
}

// Before tells whether t is strictly before u.
func (t Timestamp) Before(u Timestamp) bool { return t.Compare(u) < 0 }

// After tells whether t is strictly after u.
func (t Timestamp) After(u Timestamp) bool { return t.Compare(u) > 0 }

// IsZero tells whether t is "none".
func (t Timestamp) IsZero() bool { return t == Timestamp{} }

func maxTimestamp(a, b Timestamp) Timestamp {
	if a.Before(b) {
		return b
	}
	return a
}

// TimestampSize is how many bytes AppendBinary appends. The bytes sort as the timestamps do.
const TimestampSize = 15

// TextSize is the length of a Timestamp's String. The texts sort as the timestamps do.
const TextSize = 24

// AppendBinary appends t's big-endian form, TimestampSize bytes.
func (t Timestamp) AppendBinary(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, t.Epoch)
	b = binary.BigEndian.AppendUint64(b, t.HLC)
	b = append(b, byte(t.Kind))
	return binary.BigEndian.AppendUint16(b, uint16(t.Node))
}

// TimestampFromBinary decodes the first TimestampSize bytes of b. It reports false if b is too short or
// names an unknown kind.
func TimestampFromBinary(b []byte) (Timestamp, bool) {
	if len(b) < TimestampSize {
		return Timestamp{}, false
	}
	t := Timestamp{
		Epoch: binary.BigEndian.Uint32(b),
		HLC:   binary.BigEndian.Uint64(b[4:]),
		Kind:  Kind(b[12]),
		Node:  NodeID(binary.BigEndian.Uint16(b[13:])),
	}
	return t, t.Kind < kindEnd
}

const textAlphabet = "0123456789abcdefghijklmnopqrstuv"

// String returns t as TextSize characters of lower-case base32hex, the form used in subjects, in SQL and
// in logs. It is called many times for each transaction, hence by hand: five bytes make eight characters.
func (t Timestamp) String() string {
	var raw [TimestampSize]byte
	var text [TextSize]byte
	from := t.AppendBinary(raw[:0])
	for to := text[:]; len(to) > 0; from, to = from[5:], to[8:] {
		bits := uint64(from[0])<<32 | uint64(binary.BigEndian.Uint32(from[1:]))
		for i := range 8 {
			to[i] = textAlphabet[bits>>(35-5*i)&31]
		}
	}
	return string(text[:])
}

// ParseTimestamp reads what String wrote.
func ParseTimestamp(s string) (Timestamp, error) {
	if len(s) != TextSize {
		return Timestamp{}, fmt.Errorf("accord: timestamp %q has %d characters, want %d", s, len(s), TextSize)
	}
	var raw [TimestampSize]byte
	for to, from := raw[:], s; len(to) > 0; from, to = from[8:], to[5:] {
		var bits uint64
		for i := range 8 {
			digit, ok := fromDigit(from[i])
			if !ok {
				return Timestamp{}, fmt.Errorf("accord: timestamp %q has the character %q", s, from[i])
			}
			bits = bits<<5 | uint64(digit)
		}
		to[0] = byte(bits >> 32)
		binary.BigEndian.PutUint32(to[1:], uint32(bits))
	}
	t, ok := TimestampFromBinary(raw[:])
	if !ok {
		return Timestamp{}, fmt.Errorf("accord: timestamp %q is of an unknown kind", s)
	}
	return t, nil
}

// fromDigit returns what a character of textAlphabet stands for.
func fromDigit(c byte) (digit byte, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'v':
		return c - 'a' + 10, true
	}
	return 0, false
}
