package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/oklog/ulid/v2"
)

// commandVersion is the first byte of every encoded command. Encoded commands stand in journals: a change of
// format takes a new version, and the old one stays readable.
const commandVersion = 1

// The operations, as the second byte.
const (
	opAppend = iota + 1
	opClaim
	opAck
	opPutSnapshot
	opDropSnapshot
)

// ErrMalformed is what DecodeCommand's errors wrap.
var ErrMalformed = errors.New("event: malformed command")

// MarshalBinary encodes a command. Equal commands have equal encodings. An append's Timeout is its caller's
// business and not encoded.
func (c Command) MarshalBinary() ([]byte, error) {
	b := append(make([]byte, 0, c.sizeHint()), commandVersion)
	switch {
	case c.Append != nil:
		return appendAppend(append(b, opAppend), c.Append, c.Hash), nil
	case c.Claim != nil:
		b = appendText(append(b, opClaim), c.Claim.Key)
		return append(b, c.Claim.Worker[:]...), nil
	case c.Ack != nil:
		b = appendText(append(b, opAck), c.Ack.Key)
		b = append(b, c.Ack.Worker[:]...)
		b = appendText(b, string(c.Ack.Position))
		return binary.AppendUvarint(b, c.Ack.Lag), nil
	case c.PutSnapshot != nil:
		p := c.PutSnapshot
		b = appendText(appendText(append(b, opPutSnapshot), string(p.Stream)), p.Name)
		return appendText(binary.AppendUvarint(b, p.Version), string(p.Data)), nil
	case c.DropSnapshot != nil:
		return appendText(appendText(append(b, opDropSnapshot), string(c.DropSnapshot.Stream)), c.DropSnapshot.Name), nil
	}
	return nil, errors.New("event: command has no operation")
}

func (c Command) sizeHint() int {
	size := 64
	if c.Append != nil {
		for i := range c.Append.Events {
			size += 96 + len(c.Append.Events[i].Data)
		}
	}
	return size
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendAppend(b []byte, a *Append, hash Hash) []byte {
	b = append(b, hash[:]...)
	b = appendText(b, a.RequestID)
	b = appendText(b, string(a.After))
	b = binary.AppendUvarint(b, uint64(len(a.Conditions)))
	for _, c := range a.Conditions {
		b = appendText(b, string(c.Stream))
		b = binary.AppendVarint(b, int64(c.Expect))
	}
	b = binary.AppendUvarint(b, uint64(len(a.Events)))
	for i := range a.Events {
		b = appendEvent(b, &a.Events[i])
	}
	return b
}

func appendEvent(b []byte, e *Event) []byte {
	b = append(b, e.ID[:]...)
	b = appendText(b, string(e.Stream))
	b = binary.AppendUvarint(b, e.Version)
	b = appendText(b, e.Type)
	binaryData := byte(0)
	if e.Binary {
		binaryData = 1
	}
	b = append(b, binaryData)
	b = binary.AppendUvarint(b, uint64(len(e.Data)))
	b = append(b, e.Data...)
	b = appendText(b, e.RoutingKey)
	b = binary.AppendUvarint(b, uint64(len(e.Tags)))
	for _, tag := range e.Tags {
		b = appendText(b, tag)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Metadata)))
	for _, key := range slices.Sorted(maps.Keys(e.Metadata)) {
		b = appendText(appendText(b, key), e.Metadata[key])
	}
	return b
}

// DecodeCommand decodes what MarshalBinary wrote. It never panics, and allocates no more than a small multiple
// of len(b). The command may refer to b, which must not be changed afterwards.
func DecodeCommand(b []byte) (Command, error) {
	d := decoder{rest: b}
	if version := d.byte(); d.err == nil && version != commandVersion {
		return Command{}, fmt.Errorf("%w: version %d, want %d", ErrMalformed, version, commandVersion)
	}
	var c Command
	switch op := d.byte(); op {
	case opAppend:
		c.Append = d.append(&c.Hash)
	case opClaim:
		c.Claim = &Claim{Key: d.text(), Worker: d.ulid()}
	case opAck:
		c.Ack = &Ack{Key: d.text(), Worker: d.ulid(), Position: Position(d.text()), Lag: d.uvarint()}
	case opPutSnapshot:
		c.PutSnapshot = &Snapshot{Stream: Stream(d.text()), Name: d.text(), Version: d.uvarint(), Data: d.bytes()}
	case opDropSnapshot:
		c.DropSnapshot = &SnapshotName{Stream: Stream(d.text()), Name: d.text()}
	default:
		d.fail("operation %d", op)
	}
	if len(d.rest) > 0 {
		d.fail("%d bytes too many", len(d.rest))
	}
	if d.err != nil {
		return Command{}, d.err
	}
	return c, nil
}

// decoder reads from the front of rest until something is wrong, and nothing after that.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	d.rest = nil
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail("wants %d bytes, has %d", n, len(d.rest))
		return nil
	}
	taken := d.rest[:n:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) byte() byte {
	if b := d.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail("bad number")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail("bad number")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }
func (d *decoder) text() string  { return string(d.bytes()) }

func (d *decoder) ulid() (id ulid.ULID) {
	copy(id[:], d.take(uint64(len(id))))
	return id
}

// count reads how many items of at least size bytes follow, and refuses more than there can be.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.rest)/size) {
		d.fail("wants %d items, has %d bytes", n, len(d.rest))
		return 0
	}
	return int(n)
}

func (d *decoder) append(hash *Hash) *Append {
	copy(hash[:], d.take(uint64(len(hash))))
	a := &Append{RequestID: d.text(), After: Position(d.text())}
	if n := d.count(2); n > 0 {
		a.Conditions = make([]Condition, n)
	}
	for i := range a.Conditions {
		a.Conditions[i] = Condition{Stream: Stream(d.text()), Expect: Expect(d.varint())}
	}
	const leastEvent = 16 + 7 // an id and seven lengths or flags
	if n := d.count(leastEvent); n > 0 {
		a.Events = make([]Event, n)
	}
	for i := range a.Events {
		d.event(&a.Events[i])
	}
	return a
}

func (d *decoder) event(e *Event) {
	e.ID = d.ulid()
	e.Stream = Stream(d.text())
	e.Version = d.uvarint()
	e.Type = d.text()
	switch flag := d.byte(); flag {
	case 0:
	case 1:
		e.Binary = true
	default:
		d.fail("flag %d", flag)
	}
	e.Data = d.bytes()
	e.RoutingKey = d.text()
	if n := d.count(1); n > 0 {
		e.Tags = make([]string, n)
	}
	for i := range e.Tags {
		e.Tags[i] = d.text()
	}
	if n := d.count(2); n > 0 {
		e.Metadata = make(map[string]string, n)
		for range n {
			key := d.text()
			e.Metadata[key] = d.text()
		}
	}
}
