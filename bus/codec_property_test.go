package bus_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"natsaccord/accord"
	"natsaccord/bus"
)

func drawTimestamp(t *rapid.T) accord.Timestamp {
	return accord.Timestamp{
		HLC:   rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64()).Draw(t, "hlc"),
		Epoch: rapid.OneOf(rapid.Uint32Range(0, 2), rapid.Uint32()).Draw(t, "epoch"),
		Node:  accord.NodeID(rapid.OneOf(rapid.Uint16Range(0, 2), rapid.Uint16()).Draw(t, "node")),
		Kind:  accord.Kind(rapid.IntRange(0, int(accord.KindFenceX)).Draw(t, "kind")),
	}
}

func drawTxnIDs(t *rapid.T) []accord.TxnID {
	var ids []accord.TxnID
	for range rapid.IntRange(0, 5).Draw(t, "ids") {
		ids = append(ids, accord.TxnID{Timestamp: drawTimestamp(t)})
	}
	return ids
}

func drawKeys(t *rapid.T) accord.Keys {
	var keys []accord.Key
	for _, key := range rapid.SliceOfN(rapid.StringN(1, 5, -1), 0, 4).Draw(t, "keys") {
		keys = append(keys, accord.Key(key))
	}
	return accord.NewKeys(keys)
}

// drawInto fills v, whose type is a part of a message. It knows the types whose values are not free; a type that
// it cannot fill ends the test, so that no field of a message is left out.
func drawInto(t *rapid.T, v reflect.Value) {
	switch v.Interface().(type) {
	case accord.Timestamp:
		v.Set(reflect.ValueOf(drawTimestamp(t)))
		return
	case accord.Status:
		v.Set(reflect.ValueOf(accord.Status(rapid.IntRange(0, int(accord.StatusInvalidated)).Draw(t, "status"))))
		return
	case accord.NackReason:
		v.Set(reflect.ValueOf(accord.NackReason(rapid.IntRange(1, int(accord.NackNeedBody)).Draw(t, "reason"))))
		return
	case accord.Deps:
		v.Set(reflect.ValueOf(accord.NewDeps(drawTimestamp(t), drawTxnIDs(t))))
		return
	case accord.Keys:
		v.Set(reflect.ValueOf(drawKeys(t)))
		return
	case []accord.TxnID:
		v.Set(reflect.ValueOf(drawTxnIDs(t)))
		return
	case []byte:
		v.SetBytes(append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "bytes")...))
		return
	}
	drawKind(t, v)
}

func drawKind(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			drawInto(t, v.Field(i))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "present") {
			v.Set(reflect.New(v.Type().Elem()))
			drawInto(t, v.Elem())
		}
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Uint8:
		v.SetUint(uint64(rapid.Byte().Draw(t, "byte")))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, "uint64"))
	default:
		t.Fatalf("no values for a %s", v.Type())
	}
}

func drawBody(t *rapid.T, like accord.Body) accord.Body {
	v := reflect.New(reflect.TypeOf(like)).Elem()
	drawInto(t, v)
	return v.Interface().(accord.Body)
}

func drawEnvelope(t *rapid.T) bus.Envelope {
	return bus.Envelope{
		Cluster:     rapid.StringMatching(`[a-z]{1,64}`).Draw(t, "cluster"),
		From:        accord.NodeID(rapid.Uint16().Draw(t, "from")),
		To:          accord.NodeID(rapid.Uint16().Draw(t, "to")),
		Incarnation: rapid.Uint64().Draw(t, "incarnation"),
		Epoch:       rapid.Uint32().Draw(t, "epoch"),
		Header: accord.Header{
			SentHLC: rapid.Uint64().Draw(t, "sent"), Watermark: drawTimestamp(t), RedundantBefore: drawTimestamp(t),
		},
	}
}

func drawMessages(t *rapid.T, e bus.Envelope, like func() accord.Body) []accord.Message {
	msgs := make([]accord.Message, rapid.IntRange(0, 4).Draw(t, "messages"))
	for i := range msgs {
		msgs[i] = accord.Message{From: e.From, To: e.To, TxnID: accord.TxnID{Timestamp: drawTimestamp(t)}, Body: drawBody(t, like())}
	}
	return msgs
}

// TestEveryBodySurvivesItsFrame sends arbitrary values of each message type through a frame of its own.
func TestEveryBodySurvivesItsFrame(t *testing.T) {
	for _, like := range bodies() {
		t.Run(fmt.Sprintf("%T", like), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				e := drawEnvelope(t)
				checkSurvives(t, e, drawMessages(t, e, func() accord.Body { return like }))
			})
		})
	}
}

func TestMixedFramesSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEnvelope(t)
		checkSurvives(t, e, drawMessages(t, e, func() accord.Body { return rapid.SampledFrom(bodies()).Draw(t, "body") }))
	})
}

func checkSurvives(t *rapid.T, e bus.Envelope, msgs []accord.Message) {
	frame := bus.AppendFrame(nil, e, msgs)
	gotE, got, err := bus.DecodeFrame(frame)
	if err != nil {
		t.Fatalf("a frame of our own is refused: %v", err)
	}
	if gotE != e || !reflect.DeepEqual(got, msgs) {
		t.Errorf("got %+v %+v, want %+v %+v", gotE, got, e, msgs)
	}
	for n := range frame {
		if _, _, err := bus.DecodeFrame(frame[:n]); err == nil {
			t.Fatalf("a frame of %d bytes decodes when cut to %d", len(frame), n)
		}
	}
}

// TestArbitraryBytesAreRefusedInKind feeds frames whose end is anything: no panic, and no error that a receiver
// could not tell apart.
func TestArbitraryBytesAreRefusedInKind(t *testing.T) {
	good := bus.AppendFrame(nil, envelope(), messages())
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.IntRange(0, len(good)-1).Draw(t, "keep")
		tail := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "tail")
		e, msgs, err := bus.DecodeFrame(append(good[:keep:keep], tail...))
		_, isVersion := errors.AsType[*bus.VersionError](err)
		_, isRefusal := errors.AsType[*bus.Refusal](err)
		switch {
		case err == nil:
			checkSurvives(t, e, msgs)
		case !errors.Is(err, bus.ErrMalformed) && !isVersion && !isRefusal:
			t.Errorf("got %v, want ErrMalformed, a VersionError or a Refusal", err)
		}
	})
}
