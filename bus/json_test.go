package bus_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"natsaccord/bus"
	"natsaccord/event"
)

func TestBodiesThatAreRefused(t *testing.T) {
	for _, test := range []struct{ body, field string }{
		{`{"exepct":3}`, "exepct"},
		{`{"Expect":3}`, "Expect"},
		{`{"":1}`, ""},
		{`{"events":[{"type":"T","data":1},{"typ":"T"}]}`, "events[1].typ"},
		{`{"events":[{"":1}]}`, "events[0]."},
		{`{"expect":1,"expect":2}`, "expect"},
		{`{"expect":1,"\u0065xpect":2}`, "expect"},
		{`{"events":[{"metadata":{"a":"1","a":"2"}}]}`, "events[0].metadata.a"},
		{`{"events":[`, "body"},
		{`{} {}`, "body"},
		{`[]`, "body"},
		{`null`, "body"},
		{"{\"request_id\":\"\xff\"}", "body"},
		{`{"timeout_ms":"1"}`, "timeout_ms"},
		{`{"expect":"some"}`, "expect"},
		{`{"events":[{"data_base64":"!"}]}`, "data_base64"},
	} {
		var r bus.AppendRequest
		err := bus.DecodeRequest([]byte(test.body), &r)
		invalid, ok := errors.AsType[*event.InvalidError](err)
		if !ok || invalid.Field != test.field {
			t.Errorf("%s: got %v, want an error about %q", test.body, err, test.field)
			continue
		}
		reply := bus.NewErrorReply(err)
		if reply.Error.ErrCode != bus.CodeInvalid || reply.Error.Code != 400 {
			t.Errorf("%s: got %d, want %d", test.body, reply.Error.ErrCode, bus.CodeInvalid)
		}
		if back, ok := errors.AsType[*event.InvalidError](reply.Err()); !ok || *back != *invalid {
			t.Errorf("%s: %v comes back as %v", test.body, err, reply.Err())
		}
	}
}

func TestBodiesThatAreTaken(t *testing.T) {
	const data = `{"a":1,"a":{"x":[1, 2]},"B":"}"}`
	for _, body := range []string{
		"", " \n", "{}", " {} ",
		`{"x-trace":{"a":1,"a":2},"events":[{"type":"T","data":` + data + `,"x-note":"\"}","metadata":{"x-a":"1","b":"2"}}]}`,
		`{ "request_id" : "r" , "events" : [ { "type" : "T" , "data" : ` + data + ` } , null ] , "expect" : null }`,
	} {
		var r bus.AppendRequest
		if err := bus.DecodeRequest([]byte(body), &r); err != nil {
			t.Errorf("%s: %v", body, err)
		} else if len(r.Events) > 0 && string(r.Events[0].Data) != data {
			t.Errorf("data comes as %s, want %s", r.Events[0].Data, data)
		}
	}
}

func TestCheckNeedsExpect(t *testing.T) {
	var r bus.TransactionRequest
	if err := bus.DecodeRequest([]byte(`{"checks":[{"stream":"a.1"}],"events":[{"stream":"a.2","type":"T","data":1}]}`), &r); err != nil {
		t.Fatal(err)
	}
	_, err := r.Append()
	if invalid, ok := errors.AsType[*event.InvalidError](err); !ok || invalid.Field != "checks[0].expect" {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(`{"checks":[{"stream":"a.1","expect":"none"}],"events":[{"stream":"a.1","type":"T","data":{"a":[1,"]\\"]}}],"x-a":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r bus.TransactionRequest
		if err := bus.DecodeRequest(body, &r); err != nil || len(strings.TrimSpace(string(body))) == 0 {
			return
		}
		if !json.Valid(body) {
			t.Errorf("%q is taken and not JSON", body)
		}
	})
}

// FuzzDecodeAppends decodes messages of several appends as nodes do, and each of them.
func FuzzDecodeAppends(f *testing.F) {
	f.Add([]byte(`{"appends":[{"checks":[{"stream":"a.1","expect":"none"}],"events":[{"stream":"a.1","type":"T","data":{"a":[1,"]\\"]}}],"x-a":1}, null]}`))
	f.Add([]byte(`{ "x-a":1, "appends" : [ {"request_id":"r"} , 7, "}" ] }`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r bus.AppendsRequest
		if bus.DecodeRequest(body, &r) != nil {
			return
		}
		for _, one := range r.Appends {
			if !json.Valid(one) {
				t.Errorf("%q of %q is taken and not JSON", one, body)
			}
			var request bus.TransactionRequest
			if bus.DecodeRequest(one, &request) == nil {
				_, _ = request.Append()
			}
		}
	})
}
