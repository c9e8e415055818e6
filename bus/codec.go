package bus

import (
	"encoding/binary"
	"errors"
	"fmt"

	"natsaccord/accord"
)

// codecVersion is the first byte of every frame. A change of format takes a new version; a receiver that does
// not know a frame's version answers with a refusal, which every version can read.
const codecVersion = 1

// refusalVersion marks a refusal: the same four bytes in every version, so that any two can talk about not
// understanding each other.
const refusalVersion = 0

// ErrMalformed is what DecodeFrame's errors wrap if the frame makes no sense.
var ErrMalformed = errors.New("bus: malformed frame")

// VersionError says that a frame is of a codec version this node does not know.
type VersionError struct {
	Version byte
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("bus: frame of codec version %d, want %d", e.Version, codecVersion)
}

// Refusal is a peer's answer to a frame whose version it does not know.
type Refusal struct {
	Version  byte // of the refused frame
	Min, Max byte // the versions the refuser knows
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("bus: peer refuses codec version %d, it knows %d to %d", r.Version, r.Min, r.Max)
}

// AppendRefusal appends the refusal of a frame whose first byte is version.
func AppendRefusal(b []byte, version byte) []byte {
	return append(b, refusalVersion, version, codecVersion, codecVersion)
}

// Envelope stands in front of the messages of a frame and says whose they are.
type Envelope struct {
	Cluster     string
	From, To    accord.NodeID
	Incarnation uint64 // of the sender: grows at every start
	Epoch       uint32 // of the topology that node ids refer to
	Header      accord.Header
}

// countSize is the size of the number of messages, the envelope's last field. It is of fixed size so that it
// can be filled in once the messages that fit are known.
const countSize = 4

// leastMessage is the size of the smallest message: a TxnID and a tag.
const leastMessage = accord.TimestampSize + 1

// AppendFrame appends a frame of all msgs, whatever their From and To say: the envelope's count.
func AppendFrame(b []byte, e Envelope, msgs []accord.Message) []byte {
	b = appendEnvelope(b, e)
	count := len(b) - countSize
	for i := range msgs {
		b = appendMessage(b, &msgs[i])
	}
	binary.BigEndian.PutUint32(b[count:], uint32(len(msgs)))
	return b
}

func appendEnvelope(b []byte, e Envelope) []byte {
	b = append(b, codecVersion)
	b = appendText(b, e.Cluster)
	b = binary.BigEndian.AppendUint16(b, uint16(e.From))
	b = binary.BigEndian.AppendUint64(b, e.Incarnation)
	b = binary.BigEndian.AppendUint16(b, uint16(e.To))
	b = binary.BigEndian.AppendUint32(b, e.Epoch)
	b = binary.BigEndian.AppendUint64(b, e.Header.SentHLC)
	b = e.Header.Watermark.AppendBinary(b)
	b = e.Header.RedundantBefore.AppendBinary(b)
	return binary.BigEndian.AppendUint32(b, 0)
}

// DecodeFrame decodes what AppendFrame wrote. It never panics, and allocates no more than a small multiple of
// len(b). It keeps no reference to b. Its errors are a *VersionError, a *Refusal, or wrap ErrMalformed.
func DecodeFrame(b []byte) (Envelope, []accord.Message, error) {
	r := reader{rest: b}
	if err := r.version(); err != nil {
		return Envelope{}, nil, err
	}
	e := r.envelope()
	msgs := r.messages(e)
	if r.err == nil && len(r.rest) > 0 {
		r.fail("%d bytes too many", len(r.rest))
	}
	if r.err != nil {
		return Envelope{}, nil, r.err
	}
	return e, msgs, nil
}

// version reads the first byte of a frame, and returns an error unless the rest can be read.
func (r *reader) version() error {
	whole := r.rest
	switch version := r.byte(); {
	case r.err != nil:
		return r.err
	case version == refusalVersion && len(whole) == 4:
		return &Refusal{Version: whole[1], Min: whole[2], Max: whole[3]}
	case version != codecVersion:
		return &VersionError{Version: version}
	}
	return nil
}

func (r *reader) envelope() Envelope {
	return Envelope{
		Cluster:     r.shortText(),
		From:        accord.NodeID(r.uint16()),
		Incarnation: r.uint64(),
		To:          accord.NodeID(r.uint16()),
		Epoch:       r.uint32(),
		Header:      accord.Header{SentHLC: r.uint64(), Watermark: r.timestamp(), RedundantBefore: r.timestamp()},
	}
}

func (r *reader) messages(e Envelope) []accord.Message {
	n := r.uint32()
	if uint64(n) > uint64(len(r.rest)/leastMessage) {
		r.fail("wants %d messages, has %d bytes", n, len(r.rest))
		return nil
	}
	msgs := make([]accord.Message, n)
	for i := range msgs {
		msgs[i] = accord.Message{From: e.From, To: e.To, TxnID: r.txnID(), Body: r.body()}
		if r.err != nil {
			return nil
		}
	}
	return msgs
}

func appendMessage(b []byte, m *accord.Message) []byte {
	return appendBody(m.TxnID.AppendBinary(b), m.Body)
}
