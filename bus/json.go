package bus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"natsaccord/event"
)

// decodeStrict decodes a request body. An empty body is {}. A field that is not known is refused, since a typo
// must not lose data, unless its name starts with "x-".
func decodeStrict(body []byte, into any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	err := decodeKnown(body, into)
	if err == nil || !bytes.Contains(body, []byte(`"x-`)) {
		return err
	}
	stripped, stripErr := stripExtensions(body)
	if stripErr != nil {
		return err
	}
	return decodeKnown(stripped, into)
}

func decodeKnown(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return badJSON(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return &event.InvalidError{Field: "body", Reason: "has something behind its JSON object"}
	}
	return nil
}

// badJSON says what is wrong with a body in the words of the wire rather than of Go.
func badJSON(err error) error {
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return &event.InvalidError{Field: strings.Trim(name, `"`), Reason: "is not a known field"}
	}
	if wrong, ok := asType[*json.UnmarshalTypeError](err); ok {
		return &event.InvalidError{Field: wrong.Field, Reason: fmt.Sprintf("is a %s, want a %s", wrong.Value, wrong.Type)}
	}
	if invalid, ok := asType[*event.InvalidError](err); ok {
		return invalid
	}
	return &event.InvalidError{Field: "body", Reason: "is not valid JSON: " + clip(err.Error())}
}

// stripExtensions removes the fields whose names start with "x-" from the request and its events and checks,
// but never from an event's data.
func stripExtensions(body []byte) ([]byte, error) {
	var request map[string]json.RawMessage
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	strip(request)
	for _, field := range []string{"events", "checks"} {
		var items []map[string]json.RawMessage
		if request[field] == nil || json.Unmarshal(request[field], &items) != nil {
			continue
		}
		for _, item := range items {
			strip(item)
		}
		encoded, err := json.Marshal(items)
		if err != nil {
			return nil, err
		}
		request[field] = encoded
	}
	return json.Marshal(request)
}

func strip(fields map[string]json.RawMessage) {
	for name := range fields {
		if strings.HasPrefix(name, "x-") {
			delete(fields, name)
		}
	}
}

// Encode encodes a message as JSON and leaves the bytes of data as they are: json.Marshal would escape some.
func Encode(message any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(message)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
