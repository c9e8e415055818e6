package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"natsaccord/event"
)

func valid() event.Append {
	return event.Append{Events: []event.Event{{Stream: "account.7", Type: "Opened", Data: []byte(`{}`)}}}
}

func TestNewAppendRefuses(t *testing.T) {
	long := strings.Repeat("x", 256)
	id := ulid.MustParse("01ARZ3NDEKTSV4RRFFQ69G5FAV")
	for name, c := range map[string]struct {
		change func(*event.Append)
		field  string
	}{
		"no events":              {func(a *event.Append) { a.Events = nil }, "events"},
		"a negative timeout":     {func(a *event.Append) { a.Timeout = -1 }, "timeout"},
		"no position":            {func(a *event.Append) { a.After = "x" }, "after"},
		"a space in the request": {func(a *event.Append) { a.RequestID = "a b" }, "request_id"},
		"a wildcard request":     {func(a *event.Append) { a.RequestID = "a.*" }, "request_id"},
		"a full wildcard":        {func(a *event.Append) { a.RequestID = ">" }, "request_id"},
		"an empty token":         {func(a *event.Append) { a.RequestID = "a..b" }, "request_id"},
		"a dot in front":         {func(a *event.Append) { a.RequestID = ".a" }, "request_id"},
		"a dot behind":           {func(a *event.Append) { a.RequestID = "a." }, "request_id"},
		"a control character":    {func(a *event.Append) { a.RequestID = "a\x7f" }, "request_id"},
		"a long request":         {func(a *event.Append) { a.RequestID = long[:129] }, "request_id"},
		"a request of no UTF-8":  {func(a *event.Append) { a.RequestID = "\xff" }, "request_id"},
		"a bad check":            {func(a *event.Append) { a.Conditions = []event.Condition{{Stream: "x"}} }, "checks[0].stream"},
		"a bad expectation":      {func(a *event.Append) { a.Conditions = []event.Condition{{Stream: "x.y", Expect: -3}} }, "checks[0].expect"},
		"a huge expectation":     {func(a *event.Append) { a.Conditions = []event.Condition{{Stream: "x.y", Expect: 1<<62 + 1}} }, "checks[0].expect"},
		"a bad stream":           {func(a *event.Append) { a.Events = append(a.Events, event.Event{Stream: "x"}) }, "events[1].stream"},
		"no type":                {func(a *event.Append) { a.Events[0].Type = "" }, "events[0].type"},
		"a long type":            {func(a *event.Append) { a.Events[0].Type = long }, "events[0].type"},
		"a space in the type":    {func(a *event.Append) { a.Events[0].Type = "a b" }, "events[0].type"},
		"a bad routing key":      {func(a *event.Append) { a.Events[0].RoutingKey = "a\n" }, "events[0].routing_key"},
		"a huge version":         {func(a *event.Append) { a.Events[0].Version = 1<<62 + 1 }, "events[0].version"},
		"an empty tag":           {func(a *event.Append) { a.Events[0].Tags = []string{""} }, "events[0].tags"},
		"an empty metadata key":  {func(a *event.Append) { a.Events[0].Metadata = map[string]string{"": "x"} }, "events[0].metadata"},
		"NUL in metadata":        {func(a *event.Append) { a.Events[0].Metadata = map[string]string{"x": "\x00"} }, "events[0].metadata"},
		"metadata of no UTF-8":   {func(a *event.Append) { a.Events[0].Metadata = map[string]string{"x": "\xff"} }, "events[0].metadata"},
		"no data":                {func(a *event.Append) { a.Events[0].Data = nil }, "events[0].data"},
		"half a document":        {func(a *event.Append) { a.Events[0].Data = []byte(`{"a":`) }, "events[0].data"},
		"two documents":          {func(a *event.Append) { a.Events[0].Data = []byte(`{}{}`) }, "events[0].data"},
		"data of no UTF-8":       {func(a *event.Append) { a.Events[0].Data = []byte("\"\xff\"") }, "events[0].data"},
		"NUL in JSON":            {func(a *event.Append) { a.Events[0].Data = []byte(`{"a":"x\u0000"}`) }, "events[0].data"},
		"a lonely high half":     {func(a *event.Append) { a.Events[0].Data = []byte(`"\ud83d"`) }, "events[0].data"},
		"a lonely low half":      {func(a *event.Append) { a.Events[0].Data = []byte(`"\uDE00"`) }, "events[0].data"},
		"two high halves":        {func(a *event.Append) { a.Events[0].Data = []byte(`"\ud83d\ud83d"`) }, "events[0].data"},
		"a half and an escape":   {func(a *event.Append) { a.Events[0].Data = []byte(`"\ud83d\nDE00"`) }, "events[0].data"},
		"deep nesting":           {func(a *event.Append) { a.Events[0].Data = nested(513) }, "events[0].data"},
		"deeper nesting":         {func(a *event.Append) { a.Events[0].Data = nested(20000) }, "events[0].data"},
		"an id twice": {func(a *event.Append) {
			a.Events = append(a.Events, a.Events[0])
			a.Events[0].ID, a.Events[1].ID = id, id
		}, "events[1].id"},
	} {
		t.Run(name, func(t *testing.T) {
			a := valid()
			c.change(&a)
			_, err := event.NewAppend(a, event.DefaultLimits())
			invalid, ok := errors.AsType[*event.InvalidError](err)
			if !ok || invalid.Field != c.field {
				t.Errorf("got %v, want an InvalidError of %s", err, c.field)
			}
		})
	}
}

func nested(depth int) []byte {
	return []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
}

func TestNewAppendTakes(t *testing.T) {
	for name, change := range map[string]func(*event.Append){
		"a request of several tokens":  func(a *event.Append) { a.RequestID = "order-7.2026.ü" },
		"the longest request":          func(a *event.Append) { a.RequestID = strings.Repeat("x", 128) },
		"an escaped backslash":         func(a *event.Append) { a.Events[0].Data = []byte(`"\\u0000 \\"`) },
		"a whole surrogate pair":       func(a *event.Append) { a.Events[0].Data = []byte(`"\ud83d\uDE00"`) },
		"brackets in a string":         func(a *event.Append) { a.Events[0].Data = []byte(`"` + strings.Repeat("[", 600) + `"`) },
		"nesting up to the limit":      func(a *event.Append) { a.Events[0].Data = nested(512) },
		"wide documents":               func(a *event.Append) { a.Events[0].Data = []byte("[" + strings.Repeat("[],", 600) + "0]") },
		"a scalar":                     func(a *event.Append) { a.Events[0].Data = []byte(`null`) },
		"a huge number":                func(a *event.Append) { a.Events[0].Data = []byte(`1e999999`) },
		"no bytes at all":              func(a *event.Append) { a.Events[0].Data, a.Events[0].Binary = nil, true },
		"any bytes":                    func(a *event.Append) { a.Events[0].Data, a.Events[0].Binary = []byte{0, 255}, true },
		"the highest version":          func(a *event.Append) { a.Events[0].Version = 1 << 62 },
		"a check of a stream not read": func(a *event.Append) { a.Conditions = []event.Condition{{Stream: "x.y", Expect: event.ExpectExists}} },
	} {
		t.Run(name, func(t *testing.T) {
			a := valid()
			change(&a)
			if _, err := event.NewAppend(a, event.DefaultLimits()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNewAppendHoldsLimits takes an append that is as large as may be in one way, and one that is larger by one.
func TestNewAppendHoldsLimits(t *testing.T) {
	limits := event.Limits{Events: 3, Streams: 2, EventBytes: 8, Tags: 2, MetadataKeys: 2, MetadataBytes: 10, AppendBytes: 1000}
	fill := func(n int, what func(i int) event.Event) (a event.Append) {
		for i := range n {
			a.Events = append(a.Events, what(i))
		}
		return a
	}
	stream := func(i int) event.Stream { return event.Stream(fmt.Sprintf("a.%d", i)) }
	of := func(e event.Event) event.Append {
		e.Stream, e.Type = "a.1", "T"
		if e.Data == nil {
			e.Data = []byte("1")
		}
		return event.Append{Events: []event.Event{e}}
	}
	for what, c := range map[string]struct {
		most int
		make func(n int) event.Append
	}{
		"number of events": {3, func(n int) event.Append { return fill(n, func(int) event.Event { return of(event.Event{}).Events[0] }) }},
		"number of streams": {2, func(n int) event.Append {
			return fill(n, func(i int) event.Event { e := of(event.Event{}).Events[0]; e.Stream = stream(i); return e })
		}},
		"number of checks": {2, func(n int) event.Append {
			a := of(event.Event{})
			for range n {
				a.Conditions = append(a.Conditions, event.Condition{Stream: "a.1"})
			}
			return a
		}},
		"events[0].data in bytes": {8, func(n int) event.Append { return of(event.Event{Data: bytes.Repeat([]byte("1"), n)}) }},
		"events[0].tags":          {2, func(n int) event.Append { return of(event.Event{Tags: strings.Split(strings.Repeat("x", n), "")}) }},
		"events[0].metadata": {2, func(n int) event.Append {
			m := make(map[string]string)
			for i := range n {
				m[fmt.Sprint(i)] = ""
			}
			return of(event.Event{Metadata: m})
		}},
		"events[0].metadata in bytes": {10, func(n int) event.Append {
			return of(event.Event{Metadata: map[string]string{"k": strings.Repeat("v", n-1)}})
		}},
	} {
		t.Run(what, func(t *testing.T) {
			if _, err := event.NewAppend(c.make(c.most), limits); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			_, err := event.NewAppend(c.make(c.most+1), limits)
			large, ok := errors.AsType[*event.TooLargeError](err)
			if !ok || *large != (event.TooLargeError{What: what, Size: c.most + 1, Limit: c.most}) {
				t.Errorf("over the limit: %v", err)
			}
		})
	}
}

// TestAppendBytesBoundTheEncoding holds that what NewAppend lets through encodes to no more than the limit.
func TestAppendBytesBoundTheEncoding(t *testing.T) {
	limits := event.DefaultLimits()
	limits.AppendBytes = 600
	refused := false
	rapid.Check(t, func(t *rapid.T) {
		a := anyValid(t)
		command, err := event.NewAppend(a, limits)
		if large, ok := errors.AsType[*event.TooLargeError](err); ok && large.What == "append in bytes" {
			refused = true
			return
		}
		if n := len(encode(t, command)); n > limits.AppendBytes {
			t.Fatalf("encodes to %d bytes, the limit is %d", n, limits.AppendBytes)
		}
	})
	if !refused {
		t.Error("nothing was ever too large: the test shows nothing")
	}
}

func anyValid(t *rapid.T) event.Append {
	name := rapid.StringMatching(`[a-z]{1,40}`)
	a := event.Append{RequestID: name.Draw(t, "request")}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		a.Conditions = append(a.Conditions, event.Condition{Stream: event.StreamOf(name.Draw(t, "category"), name.Draw(t, "id")), Expect: event.Expect(rapid.IntRange(-2, 1<<40).Draw(t, "expect"))})
	}
	for range rapid.IntRange(1, 3).Draw(t, "events") {
		a.Events = append(a.Events, event.Event{
			Stream: event.StreamOf(name.Draw(t, "category"), name.Draw(t, "id")), Type: name.Draw(t, "type"), Version: uint64(rapid.IntRange(0, 1<<62).Draw(t, "version")),
			Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data"), Binary: true,
			Tags: rapid.SliceOfN(name, 0, 4).Draw(t, "tags"), Metadata: rapid.MapOfN(name, name, 0, 4).Draw(t, "metadata"),
		})
	}
	return a
}

func TestNewAppendNormalizes(t *testing.T) {
	a := valid()
	a.Timeout = time.Second
	a.Events[0].Data = []byte("{ \"b\" : \"<&>\u2028\",\n\"a\": [ 1.0 ] }")
	a.Events[0].Tags = []string{"z", "a", "z"}
	a.Events = append(a.Events, a.Events[0])
	command, err := event.NewAppend(a, event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	got := command.Append.Events[0]
	if want := "{\"b\":\"<&>\u2028\",\"a\":[1.0]}"; string(got.Data) != want {
		t.Errorf("data is %s, want %s", got.Data, want)
	}
	if want := []string{"a", "z"}; !reflect.DeepEqual(got.Tags, want) {
		t.Errorf("tags are %q, want %q", got.Tags, want)
	}
	if _, err := ulid.ParseStrict(command.Append.RequestID); err != nil {
		t.Errorf("request id %q: %v", command.Append.RequestID, err)
	}
	if got.ID == (ulid.ULID{}) || got.ID == command.Append.Events[1].ID {
		t.Errorf("event ids are %s and %s, want two", got.ID, command.Append.Events[1].ID)
	}
	if command.Append.Timeout != 0 {
		t.Error("the timeout is part of the command")
	}
}

// TestNewAppendSharesNothing changes what NewAppend was given, and looks at what it returned.
func TestNewAppendSharesNothing(t *testing.T) {
	a := event.Append{
		Conditions: []event.Condition{{Stream: "a.1", Expect: 1}},
		Events: []event.Event{
			{Stream: "a.1", Type: "T", Data: []byte(`{"a":1}`), Tags: []string{"b", "a"}, Metadata: map[string]string{"k": "v"}},
			{Stream: "a.1", Type: "T", Data: []byte("bytes"), Binary: true},
		},
	}
	before, _ := json.Marshal(a)
	command, err := event.NewAppend(a, event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := json.Marshal(a); !bytes.Equal(before, after) {
		t.Errorf("the input became %s, was %s", after, before)
	}
	made := encode(t, command)
	a.Conditions[0].Expect = 9
	a.Events[0].Data[1], a.Events[1].Data[0] = 'X', 'X'
	a.Events[0].Tags[0] = "X"
	a.Events[0].Metadata["k"] = "X"
	if now := encode(t, command); !bytes.Equal(made, now) {
		t.Error("changing the input changes the command")
	}
}

func TestHash(t *testing.T) {
	hash := func(change func(*event.Append)) event.Hash {
		a := valid()
		a.RequestID = "r"
		change(&a)
		command, err := event.NewAppend(a, event.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		return command.Hash
	}
	base := hash(func(*event.Append) {})
	for name, change := range map[string]func(*event.Append){
		"nothing":     func(*event.Append) {},
		"the request": func(a *event.Append) { a.RequestID = "" },
		"the timeout": func(a *event.Append) { a.Timeout = time.Hour },
		"spaces":      func(a *event.Append) { a.Events[0].Data = []byte(" { } ") },
		"no tags":     func(a *event.Append) { a.Events[0].Tags = []string{} },
		"no metadata": func(a *event.Append) { a.Events[0].Metadata = map[string]string{} },
		"no checks":   func(a *event.Append) { a.Conditions = []event.Condition{} },
	} {
		if hash(change) != base {
			t.Errorf("%s changes the hash", name)
		}
	}
	for name, change := range map[string]func(*event.Append){
		"data":        func(a *event.Append) { a.Events[0].Data = []byte("1") },
		"the kind":    func(a *event.Append) { a.Events[0].Binary = true },
		"the type":    func(a *event.Append) { a.Events[0].Type = "Closed" },
		"an event id": func(a *event.Append) { a.Events[0].ID = ulid.MustParse("01ARZ3NDEKTSV4RRFFQ69G5FAV") },
		"the version": func(a *event.Append) { a.Events[0].Version = 1 },
		"a tag":       func(a *event.Append) { a.Events[0].Tags = []string{"a"} },
		"metadata":    func(a *event.Append) { a.Events[0].Metadata = map[string]string{"a": "b"} },
		"a check":     func(a *event.Append) { a.Conditions = []event.Condition{{Stream: "a.1"}} },
		"after":       func(a *event.Append) { a.After = "0123456789abcdefghijklmn0001" },
		"one more":    func(a *event.Append) { a.Events = append(a.Events, a.Events[0]) },
	} {
		if hash(change) == base {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

func TestStreamValidate(t *testing.T) {
	for _, s := range []event.Stream{"account.7", "a.b.c", "A-_=/9.x", "a._", "a.$", "a.ü/%", "a..b", "a.b.", "a.b..c", event.StreamOf(strings.Repeat("c", 128), strings.Repeat("i", 255))} {
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if got, err := event.ParseStream(string(s)); got != s || err != nil {
			t.Errorf("%s parses to %s, %v", s, got, err)
		}
	}
	for _, s := range []event.Stream{
		"", "account", ".7", "account.", "$SYS.x", "_INBOX.x", "a b.c", "ü.c", "a.*", "a.>", "a.b*c", "a.b c", "a.b\tc", "a.b\x00", "a.b\u0085", "a.\xff",
		"*.a", event.StreamOf(strings.Repeat("c", 129), "x"), event.StreamOf("a", strings.Repeat("i", 256)), event.Stream(strings.Repeat("x", 1<<20)),
	} {
		err := s.Validate()
		if invalid, ok := errors.AsType[*event.InvalidError](err); !ok || invalid.Field != "stream" || len(err.Error()) > 300 {
			t.Errorf("%.50q: got %v", s, err)
		}
		if got, err := event.ParseStream(string(s)); got != "" || err == nil {
			t.Errorf("%.50q parses to %q, %v", s, got, err)
		}
	}
}

func TestValidateRequestID(t *testing.T) {
	for id, valid := range map[string]bool{"order-7.2026": true, "": false, "a b": false, "a.>": false, strings.Repeat("x", 129): false} {
		if err := event.ValidateRequestID(id); (err == nil) != valid {
			t.Errorf("%q: got %v", id, err)
		}
	}
}

func TestNewCommandsOfSubscribersAndSnapshots(t *testing.T) {
	limits := event.DefaultLimits()
	worker := ulid.MustParse("01ARZ3NDEKTSV4RRFFQ69G5FAV")
	const position = event.Position("0123456789abcdefghijklmn0001")
	claim := func(key string) error { _, err := event.NewClaim(key, worker); return err }
	take := func(key string) error { _, err := event.NewTakeOver(key, worker, worker); return err }
	reset := func(key string, p event.Position) error { _, err := event.NewReset(key, p); return err }
	_, nobody := event.NewClaim("k", ulid.ULID{})
	ack := func(key string, p event.Position, lag uint64) error {
		_, err := event.NewAck(key, worker, p, lag)
		return err
	}
	put := func(s event.Snapshot) error { _, err := event.NewPutSnapshot(s, limits); return err }
	drop := func(stream event.Stream, name string) error {
		_, err := event.NewDropSnapshot(stream, name)
		return err
	}
	long := strings.Repeat("k", 256)
	for name, c := range map[string]struct {
		err   error
		field string // empty: no error
	}{
		"claim":                  {claim(long[1:]), ""},
		"claim of nothing":       {claim(""), "key"},
		"claim of a long key":    {claim(long), "key"},
		"claim for nobody":       {nobody, "worker"},
		"take over":              {take(long[1:]), ""},
		"take over nothing":      {take(""), "key"},
		"take over a long key":   {take(long), "key"},
		"reset":                  {reset("k", position), ""},
		"reset to the start":     {reset("k", ""), ""},
		"reset of nothing":       {reset("", position), "key"},
		"reset to a bad place":   {reset("k", "x"), "position"},
		"ack":                    {ack("k", position, 0), ""},
		"ack of nothing":         {ack("", position, 0), "key"},
		"ack without a position": {ack("k", "", 0), "position"},
		"ack of a bad position":  {ack("k", "x", 0), "position"},
		"ack of a huge lag":      {ack("k", position, 1<<62+1), "lag"},
		"put":                    {put(event.Snapshot{Stream: "a.1", Name: "n", Data: make([]byte, limits.SnapshotBytes)}), ""},
		"put without a stream":   {put(event.Snapshot{Name: "n"}), "stream"},
		"put without a name":     {put(event.Snapshot{Stream: "a.1"}), "name"},
		"put of a huge version":  {put(event.Snapshot{Stream: "a.1", Name: "n", Version: 1<<62 + 1}), "version"},
		"drop":                   {drop("a.1", "n"), ""},
		"drop without a stream":  {drop("", "n"), "stream"},
		"drop without a name":    {drop("a.1", ""), "name"},
	} {
		invalid, ok := errors.AsType[*event.InvalidError](c.err)
		if ok != (c.field != "") || ok && invalid.Field != c.field || !ok && c.err != nil {
			t.Errorf("%s: got %v, want an error of %q", name, c.err, c.field)
		}
	}
	large, ok := errors.AsType[*event.TooLargeError](put(event.Snapshot{Stream: "a.1", Name: "n", Data: make([]byte, limits.SnapshotBytes+1)}))
	if !ok || large.Limit != limits.SnapshotBytes {
		t.Errorf("a snapshot over the limit: got %v", large)
	}
}
