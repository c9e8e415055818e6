package event

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Longest names, in bytes.
const (
	maxCategory  = 128
	maxStreamID  = 255
	maxName      = 255 // types, tags, routing keys, subscriber keys, snapshot names
	maxRequestID = 128
)

// ValidateRequestID checks that id can be a request's, and returns an *InvalidError if not.
func ValidateRequestID(id string) error {
	if id == "" {
		return &InvalidError{"request_id", "is empty"}
	}
	return checkRequestID(id)
}

// checkRequestID allows what can be asked for on a subject.
func checkRequestID(id string) error {
	switch {
	case id == "":
		return nil
	case len(id) > maxRequestID:
		return &InvalidError{"request_id", fmt.Sprintf("has %d bytes, want at most %d", len(id), maxRequestID)}
	case !isSubject(id):
		return &InvalidError{"request_id", "wants UTF-8 without spaces, control characters, * and >, and no empty part between dots"}
	}
	return nil
}

// isSubject tells whether s can stand at the end of a subject.
func isSubject(s string) bool {
	return s != "" && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..") && isPrintable(s)
}

// isPrintable tells whether s has nothing in it that no name may hold.
func isPrintable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r == '*' || r == '>' || unicode.IsSpace(r) || unicode.IsControl(r)
	})
}

// Validate checks a stream's name, and returns an *InvalidError if it is none.
func (s Stream) Validate() error {
	const field = "stream"
	category, id, found := strings.Cut(string(s), ".")
	switch {
	case !found:
		return &InvalidError{field, fmt.Sprintf("is %q, want <category>.<id>", clip(string(s)))}
	case len(category) == 0 || len(category) > maxCategory:
		return &InvalidError{field, fmt.Sprintf("has a category of %d bytes, want 1 to %d", len(category), maxCategory)}
	case category[0] == '$' || category[0] == '_':
		return &InvalidError{field, fmt.Sprintf("has the category %q, which must not start with $ or _", category)}
	case strings.ContainsFunc(category, notCategory):
		return &InvalidError{field, fmt.Sprintf("has the category %q, want letters, digits, _, =, / and -", clip(category))}
	case len(id) == 0 || len(id) > maxStreamID:
		return &InvalidError{field, fmt.Sprintf("has an id of %d bytes, want 1 to %d", len(id), maxStreamID)}
	case !isPrintable(id):
		return &InvalidError{field, "has an id with spaces, control characters, * or >"}
	}
	return nil
}

// IsSubject tells whether a stream's name can stand in a NATS subject. An id like ".travis.yml" cannot, since no
// token of a subject is empty: such streams are named in the body of requests instead.
func (s Stream) IsSubject() bool { return isSubject(string(s)) }

func notCategory(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '=' || r == '/' || r == '-')
}

// clip keeps error messages short whatever was sent.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// ParseStream checks that s names a stream.
func ParseStream(s string) (Stream, error) {
	if err := Stream(s).Validate(); err != nil {
		return "", err
	}
	return Stream(s), nil
}

// checkName allows printable text without spaces.
func checkName(field, name string, optional bool) error {
	switch {
	case name == "" && optional:
		return nil
	case len(name) == 0 || len(name) > maxName:
		return &InvalidError{field, fmt.Sprintf("has %d bytes, want 1 to %d", len(name), maxName)}
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return &InvalidError{field, "wants UTF-8 without spaces and control characters"}
	}
	return nil
}

// isText tells whether a SQL text column takes s.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
