package event_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"natsaccord/event"
)

// samples are commands whose encodings stand in testdata: the format is frozen.
func samples() map[string]event.Command {
	id := ulid.MustParse("01ARZ3NDEKTSV4RRFFQ69G5FAV")
	return map[string]event.Command{
		"append": {Hash: event.Hash{1, 2, 3}, Append: &event.Append{
			RequestID:  "request-1",
			After:      "0123456789abcdefghijklmn0001",
			Conditions: []event.Condition{{Stream: "account.7", Expect: event.ExpectExists}, {Stream: "account.8", Expect: 300}},
			Events: []event.Event{
				{ID: id, Stream: "account.7", Type: "Opened", Data: []byte(`{"n":1}`)},
				{
					ID: id, Stream: "blob.a.b", Version: 7, Type: "Stored", Data: []byte{0, 255}, Binary: true, RoutingKey: "eu",
					Tags: []string{"a", "b"}, Metadata: map[string]string{"z": "", "by": "ada", "k": "ü"},
				},
			},
		}},
		"claim":         {Claim: &event.Claim{Key: "mailer", Worker: id}},
		"ack":           {Ack: &event.Ack{Key: "mailer", Worker: id, Position: "0123456789abcdefghijklmn0001", Lag: 1 << 40}},
		"take_over":     {TakeOver: &event.TakeOver{Key: "mailer", Worker: id, Previous: ulid.ULID{1, 2}}},
		"reset":         {Reset: &event.Reset{Key: "mailer", Position: "0123456789abcdefghijklmn0001"}},
		"put_snapshot":  {PutSnapshot: &event.Snapshot{Stream: "account.7", Name: "balance", Version: 12, Data: []byte("blob")}},
		"drop_snapshot": {DropSnapshot: &event.SnapshotName{Stream: "account.7", Name: "balance"}},
		"bundle": {Bundle: []event.Command{
			{Hash: event.Hash{1}, Append: &event.Append{RequestID: "request-1", Events: []event.Event{{ID: id, Stream: "account.7", Type: "Opened", Data: []byte(`{}`)}}}},
			{Hash: event.Hash{2}, Append: &event.Append{RequestID: "request-2", Conditions: []event.Condition{{Stream: "account.8", Expect: 300}}}},
		}},
	}
}

// TestEncodingIsFrozen compares with bytes that stand in journals. A failure means that the format has changed:
// give it a new version instead of changing these files.
func TestEncodingIsFrozen(t *testing.T) {
	for name, command := range samples() {
		golden, err := os.ReadFile("testdata/command_v1_" + name + ".hex")
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.Join(strings.Fields(string(golden)), ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := encode(t, command); !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", name, got, want)
		}
		if got := decode(t, want); !reflect.DeepEqual(got, command) {
			t.Errorf("%s: got %+v, want %+v", name, got, command)
		}
	}
}

func TestEveryCutOfAnEncodingIsRefused(t *testing.T) {
	for name, command := range samples() {
		whole := encode(t, command)
		for n := range whole {
			if got, err := event.DecodeCommand(whole[:n]); !errors.Is(err, event.ErrMalformed) {
				t.Errorf("%s cut to %d of %d bytes: got %+v, %v", name, n, len(whole), got, err)
			}
		}
		if _, err := event.DecodeCommand(append(whole, 0)); !errors.Is(err, event.ErrMalformed) {
			t.Errorf("%s with a byte more: got %v", name, err)
		}
	}
}

func TestDecodeCommandRefuses(t *testing.T) {
	appendUpToEvents := "0101" + strings.Repeat("00", 16) + "00" + "00" + "00"
	event1 := appendUpToEvents + "01" + strings.Repeat("00", 16) + "00" + "00" + "00"
	for name, encoded := range map[string]string{
		"nothing":               "",
		"another version":       "02050000",
		"no operation":          "01",
		"an unknown operation":  "017f00",
		"a length out of range": "0105ffffffffffffffffff01",
		"an endless number":     "0105ffffffffffffffffffffffff",
		"a number too long":     "010580000161",
		"too many conditions":   "0101" + strings.Repeat("00", 16) + "0000" + "ffff7f",
		"too many events":       appendUpToEvents + "ffff7f",
		"a flag of 2":           event1 + "02" + "00000000",
		"metadata out of order": event1 + "00" + "0000" + "00" + "02" + "016200" + "016100",
		"a bundle of nothing":   "0109" + "00",
		"a bundle of one":       "0109" + "01" + strings.Repeat("00", 20),
		"a bundle cut short":    "0109" + "03" + strings.Repeat("00", 40),
		"metadata twice":        event1 + "00" + "0000" + "00" + "02" + "016100" + "016100",
	} {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(encoded)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := event.DecodeCommand(b); !errors.Is(err, event.ErrMalformed) {
				t.Errorf("got %+v, %v, want %v", got, err, event.ErrMalformed)
			}
		})
	}
	if b, _ := hex.DecodeString(event1 + "00" + "0000" + "00" + "02" + "016100" + "016200"); decode(t, b).Append.Events[0].Metadata["b"] != "" {
		t.Error("the twin of the refused metadata is refused")
	}
}

func TestCommandWithoutOperationDoesNotEncode(t *testing.T) {
	if b, err := (event.Command{}).MarshalBinary(); err == nil {
		t.Errorf("got %x", b)
	}
}

func TestCodecRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		command := anyCommand().Draw(t, "command")
		b := encode(t, command)
		if got := decode(t, b); !reflect.DeepEqual(got, command) {
			t.Fatalf("got %+v, want %+v", got, command)
		}
		if again := encode(t, command); !bytes.Equal(b, again) {
			t.Fatalf("encodes to %x, then to %x", b, again)
		}
	})
}

// TestDecodeCommandAllocatesLittle feeds it input that promises the most items for the fewest bytes.
func TestDecodeCommandAllocatesLittle(t *testing.T) {
	const size = 1 << 18
	head := append([]byte{1, 1}, make([]byte, 16+1+1)...)
	event1 := append(append([]byte{}, head...), append([]byte{0, 1}, make([]byte, 16+6)...)...)
	for name, b := range map[string][]byte{
		"conditions": pad(append(append([]byte{}, head...), 0xf0, 0xff, 0x07), size),
		"events":     pad(append(append([]byte{}, head...), 0, 0xa0, 0x50), size),
		"tags":       pad(append(append([]byte{}, event1...), 0xf0, 0xff, 0x0f), size),
		"metadata":   pad(append(append([]byte{}, event1...), 0, 0xe0, 0xff, 0x07), size),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := event.DecodeCommand(b)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 20*size {
			t.Errorf("%s: %d bytes make %d be allocated (%v)", name, size, grown, err)
		}
	}
}

func pad(b []byte, size int) []byte { return append(b, make([]byte, size-len(b))...) }

// FuzzDecodeCommand holds that what is accepted is the one encoding of what comes out.
func FuzzDecodeCommand(f *testing.F) {
	for _, command := range samples() {
		b, err := command.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		command, err := event.DecodeCommand(b)
		if err != nil {
			return
		}
		if again := encode(t, command); !bytes.Equal(again, b) {
			t.Errorf("%x decodes to %+v, which encodes to %x", b, command, again)
		}
		command.Keys()
	})
}

type failer interface {
	Helper()
	Fatal(args ...any)
}

func encode(t failer, c event.Command) []byte {
	t.Helper()
	b, err := c.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t failer, b []byte) event.Command {
	t.Helper()
	c, err := event.DecodeCommand(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// anyCommand draws commands that need not be valid: what nodes exchange is not the codec's business.
func anyCommand() *rapid.Generator[event.Command] {
	id := rapid.Custom(func(t *rapid.T) (id ulid.ULID) {
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		return id
	})
	text := rapid.String()
	data := rapid.SliceOf(rapid.Byte())
	name := rapid.Custom(func(t *rapid.T) event.SnapshotName {
		return event.SnapshotName{Stream: event.Stream(text.Draw(t, "stream")), Name: text.Draw(t, "name")}
	})
	return rapid.Custom(func(t *rapid.T) event.Command {
		hash := rapid.Custom(func(t *rapid.T) (hash event.Hash) {
			copy(hash[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "hash"))
			return hash
		})
		switch rapid.IntRange(0, 8).Draw(t, "operation") {
		case 0:
			return event.Command{Claim: &event.Claim{Key: text.Draw(t, "key"), Worker: id.Draw(t, "worker")}}
		case 1:
			return event.Command{Ack: &event.Ack{
				Key: text.Draw(t, "key"), Worker: id.Draw(t, "worker"),
				Position: event.Position(text.Draw(t, "position")), Lag: rapid.Uint64().Draw(t, "lag"),
			}}
		case 2:
			n := name.Draw(t, "snapshot")
			return event.Command{PutSnapshot: &event.Snapshot{Stream: n.Stream, Name: n.Name, Version: rapid.Uint64().Draw(t, "version"), Data: data.Draw(t, "data")}}
		case 3:
			n := name.Draw(t, "snapshot")
			return event.Command{DropSnapshot: &n}
		case 4:
			return event.Command{TakeOver: &event.TakeOver{Key: text.Draw(t, "key"), Worker: id.Draw(t, "worker"), Previous: id.Draw(t, "previous")}}
		case 5:
			return event.Command{Reset: &event.Reset{Key: text.Draw(t, "key"), Position: event.Position(text.Draw(t, "position"))}}
		case 6:
			bundle := make([]event.Command, rapid.IntRange(2, 4).Draw(t, "size"))
			for i := range bundle {
				bundle[i] = event.Command{Hash: hash.Draw(t, "hash"), Append: anyAppend(t, id)}
				bundle[i].Append.Absent = nil
			}
			return event.Command{Bundle: bundle}
		}
		return event.Command{Hash: hash.Draw(t, "hash"), Append: anyAppend(t, id)}
	})
}

func anyAppend(t *rapid.T, id *rapid.Generator[ulid.ULID]) *event.Append {
	text := rapid.String()
	a := &event.Append{RequestID: text.Draw(t, "request"), After: event.Position(text.Draw(t, "after"))}
	for range rapid.IntRange(0, 3).Draw(t, "conditions") {
		a.Conditions = append(a.Conditions, event.Condition{Stream: event.Stream(text.Draw(t, "stream")), Expect: event.Expect(rapid.Int64().Draw(t, "expect"))})
	}
	for range rapid.IntRange(0, 3).Draw(t, "events") {
		e := event.Event{
			ID: id.Draw(t, "id"), Stream: event.Stream(text.Draw(t, "stream")), Version: rapid.Uint64().Draw(t, "version"),
			Type: text.Draw(t, "type"), Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data"), Binary: rapid.Bool().Draw(t, "binary"),
			RoutingKey: text.Draw(t, "routing key"), Tags: rapid.SliceOfN(text, 0, 4).Draw(t, "tags"),
			Metadata: rapid.MapOfN(text, text, 0, 4).Draw(t, "metadata"),
		}
		if len(e.Tags) == 0 {
			e.Tags = nil
		}
		if len(e.Metadata) == 0 {
			e.Metadata = nil
		}
		a.Events = append(a.Events, e)
	}
	if rapid.Bool().Draw(t, "absent") {
		a.Absent = &event.Absence{After: event.Position(text.Draw(t, "after"))}
		for range rapid.IntRange(0, 2).Draw(t, "items") {
			m := event.Match{Types: rapid.SliceOfN(text, 0, 2).Draw(t, "types"), Tags: rapid.SliceOfN(text, 1, 2).Draw(t, "tags")}
			if len(m.Types) == 0 {
				m.Types = nil
			}
			a.Absent.Items = append(a.Absent.Items, m)
		}
	}
	return a
}

func BenchmarkCommand(b *testing.B) {
	command := samples()["append"]
	command.Append.Events[0].Data = bytes.Repeat([]byte("x"), 400)
	encoded := encode(b, command)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(encoded)))
		for b.Loop() {
			if _, err := command.MarshalBinary(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(encoded)))
		for b.Loop() {
			if _, err := event.DecodeCommand(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}
