package accord_test

import (
	"testing"

	"natsaccord/accord"
)

func FuzzParseTimestamp(f *testing.F) {
	f.Add(accord.Timestamp{}.String())
	f.Add(accord.Timestamp{Epoch: 1, HLC: 1 << 50, Kind: accord.KindWrite, Node: 3}.String())
	f.Add("00000000000000000000000\n")
	f.Fuzz(func(t *testing.T, text string) {
		if parsed, err := accord.ParseTimestamp(text); err == nil && parsed.String() != text {
			t.Errorf("%q is written again as %q", text, parsed)
		}
	})
}
