package event_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"natsaccord/event"
)

func TestExpectJSON(t *testing.T) {
	for text, want := range map[string]event.Expect{
		`"any"`: event.ExpectAny, `"none"`: event.ExpectNone, `"exists"`: event.ExpectExists, `0`: 0, `17`: 17, `"17"`: 17, `9223372036854775807`: 1<<63 - 1,
	} {
		var got event.Expect
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{`-1`, `-2`, `"-1"`, `1.5`, `"some"`, `true`, `{}`, `""`, `9223372036854775808`, `"any`} {
		var got event.Expect
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %v", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		x := event.Expect(rapid.Int64Min(int64(event.ExpectExists)).Draw(t, "expect"))
		b, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		var got event.Expect
		if err := json.Unmarshal(b, &got); err != nil || got != x {
			t.Fatalf("%d: %s becomes %d, %v", x, b, got, err)
		}
		if parsed, err := event.ParseExpect(x.String()); err != nil || parsed != x {
			t.Fatalf("%d: %s parses to %d, %v", x, x, parsed, err)
		}
	})
}

func TestPosition(t *testing.T) {
	const executeAt = "0123456789abcdefghijklmn"
	last := event.Position("")
	for _, index := range []int{0, 1, 31, 32, 1000, 32768, event.MaxIndex} {
		p := event.PositionAt(executeAt, index)
		if p <= last || p.ExecuteAt() != executeAt {
			t.Errorf("index %d: %s does not follow %s, or is not of its transaction", index, p, last)
		}
		if parsed, err := event.ParsePosition(string(p)); err != nil || parsed != p {
			t.Errorf("%s parses to %s, %v", p, parsed, err)
		}
		last = p
	}
	for _, s := range []string{"x", strings.Repeat("0", 27), strings.Repeat("0", 29), strings.Repeat("w", 28), strings.Repeat("A", 28), strings.Repeat(" ", 28)} {
		if p, err := event.ParsePosition(s); err == nil {
			t.Errorf("%q parses to %s", s, p)
		}
	}
	if p, err := event.ParsePosition(""); p != "" || err != nil || p.ExecuteAt() != "" {
		t.Errorf("the empty position parses to %q, %v", p, err)
	}
}
