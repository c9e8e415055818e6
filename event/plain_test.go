package event_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"natsaccord/event"
)

// checkPlain compares what is said of a value with what encoding/json says.
func checkPlain(t *testing.T, b []byte) (n int) {
	t.Helper()
	n = event.PlainJSON(b)
	if n == 0 {
		return 0
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b[:n]); err != nil || !bytes.Equal(compact.Bytes(), b[:n]) || !utf8.Valid(b[:n]) || bytes.Contains(b[:n], []byte(`\u`)) && !bytes.Contains(b[:n], []byte(`\\u`)) {
		t.Errorf("%q is called plain: %v, %q", b[:n], err, compact.Bytes())
	}
	return n
}

func TestPlainJSON(t *testing.T) {
	for _, text := range []string{
		`{}`, `[]`, `""`, `0`, `-1`, `1.5e-7`, `10E+2`, `true`, `false`, `null`, `{"a":[1,{"b":"c\n\"\\"}],"é":"日本"}`, `"\\u0000"`, strings.Repeat("[", 512) + strings.Repeat("]", 512),
	} {
		if n := checkPlain(t, []byte(text)); n != len(text) {
			t.Errorf("%s: got %d, want %d", text, n, len(text))
		}
		if n := event.PlainJSON([]byte(text + ",x")); n != len(text) {
			t.Errorf("%s and more: got %d, want %d", text, n, len(text))
		}
	}
	for _, text := range []string{
		``, ` 1`, `{ }`, `[1, 2]`, `"\u0041"`, `"\x"`, `"`, `"a`, "\"\x01\"", "\"\xff\"", `{"a"}`, `{"a":1,}`, `{a:1}`, `[1,]`, `[`, `-`, `1.`, `.5`, `1e`, `tru`, `nul`, `+1`,
		strings.Repeat("[", 513) + strings.Repeat("]", 513),
	} {
		if n := checkPlain(t, []byte(text)); n == len(text) && n > 0 {
			t.Errorf("%s is called plain", text)
		}
	}
}

func FuzzPlainJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"c\n\"\\"}],"é":-1.5e+7}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := checkPlain(t, b)
		var compact bytes.Buffer
		if err := json.Compact(&compact, b); err == nil && bytes.Equal(compact.Bytes(), b) && utf8.Valid(b) && !bytes.Contains(b, []byte(`\u`)) && len(b) < 1000 && n != len(b) {
			t.Errorf("%q is valid, and not called plain", b)
		}
	})
}
