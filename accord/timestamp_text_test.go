package accord_test

import (
	"encoding/base32"
	"math/rand/v2"
	"strings"
	"testing"

	"natsaccord/accord"
)

// TestTimestampText compares the text of timestamps, made by hand, with what encoding/base32 makes.
func TestTimestampText(t *testing.T) {
	twin := base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)
	for range 10_000 {
		at := accord.Timestamp{
			HLC: rand.Uint64() >> rand.N(64), Epoch: rand.Uint32() >> rand.N(32), Kind: accord.Kind(rand.N(5)), Node: accord.NodeID(rand.N(1 << 16)),
		}
		want := twin.EncodeToString(at.AppendBinary(nil))
		if got := at.String(); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		if back, err := accord.ParseTimestamp(want); err != nil || back != at {
			t.Fatalf("got %+v, %v, want %+v", back, err, at)
		}
	}
}

func TestTimestampTextThatIsNone(t *testing.T) {
	good := accord.Timestamp{HLC: 1, Kind: accord.KindWrite, Node: 1}.String()
	for _, text := range []string{"", good[1:], good + "0", strings.Replace(good, "0", "w", 1), strings.Replace(good, "0", "A", 1), strings.Repeat("v", accord.TextSize)} {
		if at, err := accord.ParseTimestamp(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, at)
		}
	}
}
