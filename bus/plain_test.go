package bus

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"natsaccord/event"
)

// drawText draws texts that are as a rule plain.
func drawText(t *rapid.T, name string) string {
	return rapid.OneOf(rapid.SampledFrom([]string{"", "a.1", "01JABCDEFGHJKMNPQRSTVWXYZ0", "fast", "é", "a\"b", "<&>", "\x7f\n"}), rapid.StringMatching(`[a-z]{1,9}`)).Draw(t, name)
}

func drawExpect(t *rapid.T) *event.Expect {
	x := rapid.SampledFrom([]event.Expect{event.ExpectAny, event.ExpectExists, 0, 7, 1 << 60}).Draw(t, "expect")
	return &x
}

func drawEvents(t *rapid.T) []NewEvent {
	events := []NewEvent{}
	for range rapid.IntRange(0, 3).Draw(t, "events") {
		e := NewEvent{
			ID: drawText(t, "id"), Stream: drawText(t, "stream"), Type: drawText(t, "type"), RoutingKey: drawText(t, "routing key"),
			Version: rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64()).Draw(t, "version"),
		}
		if data := rapid.SampledFrom([]string{"", "1", "null", `{"a":["]}",{}]}`, `"é"`, `{ "b": 1 }`, `"\u0041"`}).Draw(t, "data"); data != "" {
			e.Data = json.RawMessage(data)
		} else {
			e.DataBase64 = []byte{1}
		}
		if rapid.Bool().Draw(t, "more") {
			e.Tags, e.Metadata = []string{drawText(t, "tag")}, map[string]string{drawText(t, "key"): drawText(t, "value"), "k": "v"}
		}
		events = append(events, e)
	}
	return events
}

// drawValue draws what stands in a message of several: taken apart and put together it stays as it is.
func drawValue(t *rapid.T) json.RawMessage {
	return json.RawMessage(rapid.SampledFrom([]string{`{}`, `{"a":["]}",{}]}`, `null`, `[1,2]`, `"é"`, `{"a":"\u0041"}`, `7`}).Draw(t, "value"))
}

// drawMessage draws one of the messages that are read and written by hand.
func drawMessage(t *rapid.T) any {
	timeout := rapid.Int64Range(-1, 9000).Draw(t, "timeout")
	switch rapid.IntRange(0, 4).Draw(t, "type") {
	case 0:
		r := TransactionRequest{RequestID: drawText(t, "request id"), After: drawText(t, "after"), TimeoutMS: timeout, Events: drawEvents(t)}
		for range rapid.IntRange(0, 2).Draw(t, "checks") {
			r.Checks = append(r.Checks, Check{Stream: drawText(t, "stream"), Expect: drawExpect(t)})
		}
		if rapid.IntRange(0, 9).Draw(t, "absent") == 0 {
			r.Absent = &Absence{Items: []Match{{Tags: []string{"t"}}}}
		}
		return r
	case 1:
		return AppendRequest{RequestID: drawText(t, "request id"), Expect: drawExpect(t), After: drawText(t, "after"), TimeoutMS: timeout, Events: drawEvents(t)}
	case 2:
		r := AppendsRequest{Appends: []json.RawMessage{}}
		for range rapid.IntRange(0, 3).Draw(t, "appends") {
			r.Appends = append(r.Appends, drawValue(t))
		}
		return r
	case 3:
		r := AppendsReply{Type: TypeAppendsReply, Replies: []IndexedReply{}, Left: rapid.IntRange(0, MaxAppends).Draw(t, "left")}
		for i := range rapid.IntRange(0, 3).Draw(t, "replies") {
			r.Replies = append(r.Replies, IndexedReply{i, drawValue(t)})
		}
		return r
	}
	r := AppendReply{
		Type: TypeAppendReply, Outcome: drawText(t, "outcome"), RequestID: drawText(t, "request id"), Txn: drawText(t, "txn"), Position: drawText(t, "position"),
		Streams: []StreamVersion{{"a.1", 2}}, Events: []EventRef{}, Duplicate: rapid.Bool().Draw(t, "duplicate"), Path: drawText(t, "path"), Truncated: rapid.Bool().Draw(t, "truncated"),
		Node: drawText(t, "node"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "events") {
		r.Events = append(r.Events, EventRef{drawText(t, "id"), drawText(t, "stream"), rapid.Uint64().Draw(t, "version"), drawText(t, "position")})
	}
	return r
}

// checkRead compares what is read by hand with what encoding/json and the check of names make of it, and tells whether
// it was plain.
func checkRead(t rapid.TB, body []byte, of reflect.Type) bool {
	plain, twin := reflect.New(of), reflect.New(of)
	if !readPlain(body, plain.Interface()) {
		return false
	}
	err := json.Unmarshal(body, twin.Interface())
	if err == nil {
		err = shapeOf(of).check(body)
	}
	if err != nil || !reflect.DeepEqual(plain.Interface(), twin.Interface()) {
		t.Errorf("%s: got %+v, want %+v, %v", body, plain.Elem(), twin.Elem(), err)
	}
	return true
}

// TestPlainIsAsEncodingJSONHasIt writes and reads messages by hand and with encoding/json.
func TestPlainIsAsEncodingJSONHasIt(t *testing.T) {
	written, read := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		want, err := encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := writePlain(m); ok {
			written++
			if string(got) != string(want) {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if checkRead(t, want, reflect.TypeOf(m)) {
			read++
		}
	})
	if written == 0 || read == 0 {
		t.Errorf("%d messages were written by hand, %d read", written, read)
	}
}

// TestSeveralAreWrittenAsEncodingJSONHasIt writes messages of several requests and replies by hand and with encoding/json.
func TestSeveralAreWrittenAsEncodingJSONHasIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got []byte
		m := drawMessage(t)
		switch m := m.(type) {
		case AppendsRequest:
			var encoded [][]byte
			for _, one := range m.Appends {
				encoded = append(encoded, one)
			}
			got = EncodeAppends(encoded)
		case AppendsReply:
			got = encodeReplies(m.Replies, m.Left)
		default:
			t.Skip("another message")
		}
		if want, err := encode(m); err != nil || string(got) != string(want) {
			t.Errorf("got %s, want %s, %v", got, want, err)
		}
	})
}

// TestOrdinaryMessagesArePlain: what this package's own client and service send is read and written by hand.
func TestOrdinaryMessagesArePlain(t *testing.T) {
	expect := event.Expect(4)
	for _, m := range []any{
		TransactionRequest{
			RequestID: "01JABCDEFGHJKMNPQRSTVWXYZ0", TimeoutMS: 2700, Checks: []Check{{"a.1", &expect}},
			Events: []NewEvent{{Stream: "a.1", Type: "Noted", Data: json.RawMessage(`{"n":1,"text":"é\n"}`), RoutingKey: "r"}},
		},
		NewAppendReply(event.Receipt{RequestID: "r", TxnID: "t", Position: "p", Streams: []event.StreamVersion{{Stream: "a.1", Version: 5}}, Events: []event.Ref{{Stream: "a.1", Version: 5}}, Path: "fast"}),
	} {
		body, ok := writePlain(m)
		if !ok || !checkRead(t, body, reflect.TypeOf(m)) {
			t.Errorf("%+v is not plain: %s", m, body)
		}
		if !checkRead(t, EncodeAppends([][]byte{body, body}), reflect.TypeFor[AppendsRequest]()) {
			t.Errorf("two of %s are not plain", body)
		}
		if !checkRead(t, encodeReplies([]IndexedReply{{3, body}, {0, body}}, 7), reflect.TypeFor[AppendsReply]()) {
			t.Errorf("two replies of %s are not plain", body)
		}
	}
}

// TestTwiceIsNotPlain: a field that stands twice is refused by who looks for that.
func TestTwiceIsNotPlain(t *testing.T) {
	for _, body := range []string{
		`{"request_id":"a","request_id":"b","events":[]}`, `{"events":[{"type":"T","type":"T"}]}`, `{"events":[{"metadata":{"a":"1","a":"2"}}]}`,
		`{"checks":[{"stream":"a.1","stream":"a.1"}]}`, `{"events":[]}x`, `{"events":[],}`, `{"events":[`, `{"Events":[]}`, `{"timeout_ms":01}`, `{"timeout_ms":-1}`, `{"after":null}`, `[]`, ``, `{`,
	} {
		if readPlain([]byte(body), &TransactionRequest{}) {
			t.Errorf("%s is read", body)
		}
	}
}

func FuzzReadPlain(f *testing.F) {
	f.Add([]byte(`{"request_id":"r","checks":[{"stream":"a.1","expect":"none"}],"after":"p","timeout_ms":10,"events":[{"stream":"a.1","type":"T","data":{"a":[1,"]\\"]},"tags":["t"],"metadata":{"k":"v"}}]}`))
	f.Add([]byte(`{"expect":3,"events":[{"id":"i","version":1,"routing_key":"r","type":"T"}]}`))
	f.Add([]byte(`{"type":"x","outcome":"committed","position":"p","streams":[{"stream":"a.1","version":2}],"events":[{"id":"i","stream":"s","version":1,"position":"p"}],"duplicate":true,"path":"slow","truncated":false}`))
	f.Add([]byte(`{"appends":[{"request_id":"r","events":[]},null,{}]}`))
	f.Add([]byte(`{"type":"x","replies":[{"index":1,"reply":{"type":"y","error":{"code":409}}},{"index":0,"reply":{}}],"left":3}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if utf8.Valid(body) {
			for _, m := range []any{TransactionRequest{}, AppendRequest{}, AppendReply{}, AppendsRequest{}, AppendsReply{}} {
				checkRead(t, body, reflect.TypeOf(m))
			}
		}
	})
}
