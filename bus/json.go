package bus

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"natsaccord/event"
)

// DecodeRequest decodes a request body into one of the request types, as nodes do. An empty body is {}. A typo
// must not lose data: a field that is not known is refused unless its name starts with "x-", and so is one
// that stands twice; what stands in an event's data is its maker's business. Errors are *event.InvalidError. What is decoded
// may refer to body.
func DecodeRequest(body []byte, into any) error {
	return decodeRequest(body, into, shapeOf(reflect.TypeOf(into).Elem()))
}

func decodeRequest(body []byte, into any, s *shape) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return badBody("body", "is not UTF-8")
	}
	if readPlain(body, into) {
		return nil
	}
	reflect.ValueOf(into).Elem().SetZero()
	if err := json.Unmarshal(body, into); err != nil {
		return badJSON(err)
	}
	if body[0] != '{' {
		return badBody("body", "is not a JSON object")
	}
	return s.check(body)
}

// Encode encodes a message as JSON and leaves the bytes of data as they are: json.Marshal would escape some.
func Encode(message any) ([]byte, error) {
	if plain, ok := writePlain(message); ok {
		return plain, nil
	}
	return encode(message)
}

// DecodeReply decodes a reply. What it does not know in one is passed over: newer nodes may say more.
func DecodeReply(body []byte, into any) error {
	if utf8.Valid(body) && readPlain(body, into) {
		return nil
	}
	reflect.ValueOf(into).Elem().SetZero()
	return json.Unmarshal(body, into)
}

// encode encodes any message.
func encode(message any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(message)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func badBody(field, reason string) error { return &event.InvalidError{Field: field, Reason: reason} }

// badJSON says what is wrong with a body in the words of the wire rather than of Go.
func badJSON(err error) error {
	if wrong, ok := asType[*json.UnmarshalTypeError](err); ok {
		field := wrong.Field
		if field == "" {
			field = "body"
		}
		return badBody(field, fmt.Sprintf("is a JSON %s, want %s", wrong.Value, kindName(wrong.Type)))
	}
	if _, ok := asType[base64.CorruptInputError](err); ok {
		return badBody("data_base64", "is not base64")
	}
	if _, ok := asType[*json.SyntaxError](err); ok {
		return badBody("body", "is not valid JSON: "+err.Error())
	}
	// What is left are the words of the one type that reads itself.
	return badBody("expect", strings.TrimPrefix(err.Error(), "event: expect "))
}

// kindName names what a field takes, as JSON calls it.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Uint64:
		return "a whole number from 0 on"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}
