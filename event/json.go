package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting bounds the depth of JSON, so that what wraps it on its way can still be parsed and cast.
const maxNesting = 512

// compactJSON checks a JSON text and leaves out its spaces. It also refuses the escapes of NUL and of half a
// surrogate pair: they are JSON, but Postgres takes them in and then fails every query that looks into them.
func compactJSON(data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, errors.New("is missing")
	}
	if PlainJSON(data) == len(data) {
		return bytes.Clone(data), nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil || !utf8.Valid(data) {
		return nil, errors.New("is not JSON")
	}
	return compact.Bytes(), checkJSON(compact.Bytes())
}

// checkJSON looks at the nesting and the escapes of valid JSON.
func checkJSON(data []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			n, err := checkEscape(data[i:])
			if err != nil {
				return err
			}
			i += n - 1
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			if depth++; depth > maxNesting {
				return errors.New("is nested deeper than 512 levels")
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return nil
}

// checkEscape looks at the escape that s starts with, and returns its length: that of both halves if it is a
// surrogate pair.
func checkEscape(s []byte) (int, error) {
	if s[1] != 'u' {
		return 2, nil
	}
	r := unescape(s)
	if r == 0 {
		return 0, errors.New("holds \\u0000, which Postgres cannot read: send it as bytes")
	}
	if !utf16.IsSurrogate(r) {
		return 6, nil
	}
	if utf16.DecodeRune(r, unescape(s[6:])) == utf8.RuneError {
		return 0, errors.New("holds half a surrogate pair, which Postgres cannot read: send it as bytes")
	}
	return 12, nil
}

// unescape returns the code unit of the \u escape that s starts with, and -1 if it starts with none.
func unescape(s []byte) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	r, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(r)
}
