package event

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// String returns x as it stands in requests: any, none, exists or a version.
func (x Expect) String() string {
	switch x {
	case ExpectAny:
		return "any"
	case ExpectExists:
		return "exists"
	case ExpectNone:
		return "none"
	}
	return strconv.FormatInt(int64(x), 10)
}

// ParseExpect reads any, none, exists or a version.
func ParseExpect(s string) (Expect, error) {
	switch s {
	case "any":
		return ExpectAny, nil
	case "exists":
		return ExpectExists, nil
	case "none":
		return ExpectNone, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("event: expect is %q, want any, none, exists or a version from 0 on", s)
	}
	return Expect(n), nil
}

// MarshalJSON writes a version as a number and the rest as words.
func (x Expect) MarshalJSON() ([]byte, error) {
	if x >= 0 {
		return strconv.AppendInt(nil, int64(x), 10), nil
	}
	return strconv.AppendQuote(nil, x.String()), nil
}

// UnmarshalJSON reads what MarshalJSON writes, and "none".
func (x *Expect) UnmarshalJSON(b []byte) error {
	text := string(b)
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	parsed, err := ParseExpect(text)
	if err != nil {
		return err
	}
	*x = parsed
	return nil
}
