package event

import (
	"encoding/binary"
	"fmt"

	"github.com/oklog/ulid/v2"
)

// decoder reads a command from the front of rest until something is wrong, and nothing after that.
type decoder struct {
	source string // a copy of the whole input, whose end rest is
	rest   []byte
	err    error
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
	d.number(n)
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.number(n)
	return v
}

// number takes the n bytes of a number, and refuses one that could be shorter.
func (d *decoder) number(n int) {
	if n <= 0 || n > 1 && d.rest[n-1] == 0 {
		d.fail("bad number")
		return
	}
	d.rest = d.rest[n:]
}

func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }

func (d *decoder) text() string {
	n := len(d.bytes())
	end := len(d.source) - len(d.rest)
	return d.source[end-n : end]
}

func (d *decoder) texts() []string {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	texts := make([]string, n)
	for i := range texts {
		texts[i] = d.text()
	}
	return texts
}

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
	const leastEvent = 16 + 8 // an id and eight lengths, numbers and flags
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
	e.Tags = d.texts()
	e.Metadata = d.metadata()
}

// metadata reads entries in strictly ascending order of their keys, so that a map has one encoding. The map
// grows with what is really there: an entry of two bytes takes many in a map.
func (d *decoder) metadata() map[string]string {
	n := d.count(2)
	if n == 0 {
		return nil
	}
	m := make(map[string]string, min(n, 64))
	last := ""
	for i := range n {
		key := d.text()
		if d.err != nil || i > 0 && key <= last {
			d.fail("metadata out of order")
			return nil
		}
		m[key] = d.text()
		last = key
	}
	return m
}
