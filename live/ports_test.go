package live

import (
	"bytes"
	"testing"

	"natsaccord/event"
)

func FuzzDecodeNote(f *testing.F) {
	f.Add(note{}.encode())
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, ok := decodeNote(body)
		if !ok {
			return
		}
		if _, err := event.ParsePosition(string(n.Published)); err != nil {
			t.Errorf("%q is taken: %v", body, err)
		}
		if again, ok := decodeNote(n.encode()); !ok || !bytes.Equal(again.encode(), n.encode()) {
			t.Errorf("%+v becomes %+v", n, again)
		}
	})
}
