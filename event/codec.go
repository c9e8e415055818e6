package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
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
	opTakeOver
	opReset
	opAppendIf // an append with an Absence
	opBundle   // a count, then appends without their first two bytes
)

// ErrMalformed is what DecodeCommand's errors wrap.
var ErrMalformed = errors.New("event: malformed command")

// MarshalBinary encodes a command. Equal commands have equal encodings. An append's Timeout is its caller's
// business and not encoded.
func (c Command) MarshalBinary() ([]byte, error) {
	b := append(make([]byte, 0, c.sizeHint()), commandVersion)
	switch {
	case c.Append != nil:
		if c.Append.Absent != nil {
			return appendAppend(append(b, opAppendIf), c.Append, c.Hash), nil
		}
		return appendAppend(append(b, opAppend), c.Append, c.Hash), nil
	case c.Claim != nil:
		b = appendText(append(b, opClaim), c.Claim.Key)
		return append(b, c.Claim.Worker[:]...), nil
	case c.Ack != nil:
		b = appendText(append(b, opAck), c.Ack.Key)
		b = append(b, c.Ack.Worker[:]...)
		b = appendText(b, string(c.Ack.Position))
		return binary.AppendUvarint(b, c.Ack.Lag), nil
	case c.TakeOver != nil:
		b = appendText(append(b, opTakeOver), c.TakeOver.Key)
		b = append(b, c.TakeOver.Worker[:]...)
		return append(b, c.TakeOver.Previous[:]...), nil
	case c.Reset != nil:
		return appendText(appendText(append(b, opReset), c.Reset.Key), string(c.Reset.Position)), nil
	case c.PutSnapshot != nil:
		p := c.PutSnapshot
		b = appendText(appendText(append(b, opPutSnapshot), string(p.Stream)), p.Name)
		return appendText(binary.AppendUvarint(b, p.Version), string(p.Data)), nil
	case c.DropSnapshot != nil:
		return appendText(appendText(append(b, opDropSnapshot), string(c.DropSnapshot.Stream)), c.DropSnapshot.Name), nil
	case c.Bundle != nil:
		return appendBundle(append(b, opBundle), c.Bundle)
	}
	return nil, errors.New("event: command has no operation")
}

func (c Command) sizeHint() int {
	switch {
	case c.Append != nil:
		return c.Append.size()
	case c.PutSnapshot != nil:
		return 1024 + len(c.PutSnapshot.Data)
	}
	return 320
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
	if a.Absent == nil {
		return b
	}
	b = appendText(b, string(a.Absent.After))
	b = binary.AppendUvarint(b, uint64(len(a.Absent.Items)))
	for i := range a.Absent.Items {
		b = appendMatch(b, &a.Absent.Items[i])
	}
	return b
}

func appendTexts(b []byte, texts []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(texts)))
	for _, text := range texts {
		b = appendText(b, text)
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
	b = appendTexts(b, e.Tags)
	b = binary.AppendUvarint(b, uint64(len(e.Metadata)))
	for _, key := range sortedKeys(e.Metadata) {
		b = appendText(appendText(b, key), e.Metadata[key])
	}
	return b
}

// sortedKeys does in one allocation what slices.Sorted does in several.
func sortedKeys(m map[string]string) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// DecodeCommand decodes what MarshalBinary wrote, and nothing else: what it accepts is the one encoding of what
// it returns. It never panics, and allocates no more than a small multiple of len(b). The command may refer to
// b, which must not be changed afterwards; its strings share one copy of b.
func DecodeCommand(b []byte) (Command, error) {
	d := decoder{rest: b}
	if version := d.byte(); d.err == nil && version != commandVersion {
		return Command{}, fmt.Errorf("%w: version %d, want %d", ErrMalformed, version, commandVersion)
	}
	d.source = string(b)
	var c Command
	switch op := d.byte(); op {
	case opAppend:
		c.Append = d.append(&c.Hash)
	case opAppendIf:
		c.Append = d.append(&c.Hash)
		c.Append.Absent = d.absence()
	case opClaim:
		c.Claim = &Claim{Key: d.text(), Worker: d.ulid()}
	case opAck:
		c.Ack = &Ack{Key: d.text(), Worker: d.ulid(), Position: Position(d.text()), Lag: d.uvarint()}
	case opTakeOver:
		c.TakeOver = &TakeOver{Key: d.text(), Worker: d.ulid(), Previous: d.ulid()}
	case opReset:
		c.Reset = &Reset{Key: d.text(), Position: Position(d.text())}
	case opPutSnapshot:
		c.PutSnapshot = &Snapshot{Stream: Stream(d.text()), Name: d.text(), Version: d.uvarint(), Data: d.bytes()}
	case opDropSnapshot:
		c.DropSnapshot = &SnapshotName{Stream: Stream(d.text()), Name: d.text()}
	case opBundle:
		c.Bundle = d.bundle()
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
