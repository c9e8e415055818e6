package bus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"natsaccord/event"
)

// shape says which fields a JSON object may have, which encoding/json does not: it takes Expect for expect,
// drops the first of two, and cannot let x- fields through. A nil shape is of what is not looked into.
type shape struct {
	fields map[string]field // nil: any name
	list   bool             // it is a list of such objects
}

// field is a known field: its place among the fields, and what it holds.
type field struct {
	index int
	holds *shape
}

// shapeOf derives a shape from the type that encoding/json decodes into. Types have at most 64 fields.
func shapeOf(t reflect.Type) *shape {
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Map:
		return &shape{}
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		s := shapeOf(t.Elem())
		s.list = true
		return s
	case t.Kind() != reflect.Struct:
		return nil
	}
	s := &shape{fields: make(map[string]field, t.NumField())}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		s.fields[name] = field{i, shapeOf(t.Field(i).Type)}
	}
	return s
}

// check looks at the names in a valid JSON value. What is not of the shape's kind is encoding/json's business,
// which took it (null) or refused it already.
func (s *shape) check(value []byte) error {
	switch {
	case s.list:
		return s.checkItems(value)
	case s.fields == nil:
		return checkUnique(value)
	}
	seen := uint64(0)
	return eachField(value, func(name, value []byte) error {
		if bytes.HasPrefix(name, []byte("x-")) {
			return nil
		}
		f, known := s.fields[string(name)]
		switch {
		case !known:
			return badBody(clip(string(name)), "is not a known field")
		case seen&(1<<f.index) != 0:
			return badBody(string(name), "stands there twice")
		}
		seen |= 1 << f.index
		if f.holds == nil {
			return nil
		}
		return inside(name, f.holds.check(value))
	})
}

func (s *shape) checkItems(list []byte) error {
	one := shape{fields: s.fields}
	i := 0
	return eachItem(list, func(item []byte) error {
		err := one.check(item)
		if err != nil {
			err = inside(fmt.Appendf(nil, "[%d]", i), err)
		}
		i++
		return err
	})
}

// checkUnique refuses an object with a name that stands twice.
func checkUnique(object []byte) error {
	var seen map[string]bool
	return eachField(object, func(name, _ []byte) error {
		if seen[string(name)] {
			return badBody(clip(string(name)), "stands there twice")
		}
		if seen == nil {
			seen = make(map[string]bool)
		}
		seen[string(name)] = true
		return nil
	})
}

// inside adds to an error in which field or item it was found.
func inside(where []byte, err error) error {
	e, ok := asType[*event.InvalidError](err)
	if !ok {
		return err
	}
	if !strings.HasPrefix(e.Field, "[") {
		e.Field = "." + e.Field
	}
	e.Field = string(where) + e.Field
	return err
}

// eachField visits the fields of a valid JSON object. It visits nothing of another value.
func eachField(object []byte, visit func(name, value []byte) error) error {
	rest := trimLeft(object)
	if len(rest) == 0 || rest[0] != '{' {
		return nil
	}
	for rest = trimLeft(rest[1:]); rest[0] != '}'; {
		var quoted, value []byte
		quoted, rest = cutValue(rest)
		rest = trimLeft(rest)
		value, rest = cutValue(trimLeft(rest[1:])) // behind the colon
		if err := visit(unquote(quoted), value); err != nil {
			return err
		}
		rest = next(rest)
	}
	return nil
}

// eachItem visits the items of a valid JSON list. It visits nothing of another value.
func eachItem(list []byte, visit func(item []byte) error) error {
	rest := trimLeft(list)
	if len(rest) == 0 || rest[0] != '[' {
		return nil
	}
	for rest = trimLeft(rest[1:]); rest[0] != ']'; {
		var item []byte
		item, rest = cutValue(rest)
		if err := visit(item); err != nil {
			return err
		}
		rest = next(rest)
	}
	return nil
}

// next goes on to the next item, behind a comma if there is one.
func next(rest []byte) []byte {
	rest = trimLeft(rest)
	if rest[0] == ',' {
		rest = trimLeft(rest[1:])
	}
	return rest
}

// cutValue returns the value that valid JSON starts with, and what follows it.
func cutValue(b []byte) (value, rest []byte) {
	n := 0
	switch b[0] {
	case '"':
		n = stringLength(b)
	case '{', '[':
		n = nestedLength(b)
	default:
		if n = bytes.IndexAny(b, ",]} \t\r\n"); n < 0 {
			n = len(b)
		}
	}
	return b[:n], b[n:]
}

// stringLength is the length of the string that b starts with, quotes included.
func stringLength(b []byte) int {
	for i := 1; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// nestedLength is the length of the object or list that b starts with.
func nestedLength(b []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			i += stringLength(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

func trimLeft(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

// unquote returns the text of a valid JSON string.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	_ = json.Unmarshal(quoted, &text) // it is valid, or we would not be here
	return []byte(text)
}
