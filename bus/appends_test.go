package bus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/event"
	"natsaccord/event/eventtest"
)

// messages asks for several appends, and returns the messages that answer, as they arrive, until none is left to come.
func (s served) messages(subject, body string, arrived func(bus.AppendsReply)) {
	s.Helper()
	inbox := s.nc.NewInbox()
	sub, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		s.Fatal(err)
	}
	if err := s.nc.PublishRequest("accord.v1."+subject, inbox, []byte(body)); err != nil {
		s.Fatal(err)
	}
	for left := 1; left > 0; {
		msg, err := sub.NextMsgWithContext(s.Context())
		if err != nil {
			s.Fatalf("%s: %v", subject, err)
		}
		var reply bus.AppendsReply
		if err := bus.DecodeReply(msg.Data, &reply); err != nil || reply.Type != bus.TypeAppendsReply || len(reply.Replies) == 0 {
			s.Fatalf("%s: got %s, %v", subject, msg.Data, err)
		}
		left = reply.Left
		arrived(reply)
	}
}

// outcome is a reply to an append, whichever it is.
type outcome struct {
	bus.AppendReply
	Error bus.ErrorDetail `json:"error"`
}

// askMany asks for several appends, and returns the replies by their index.
func (s served) askMany(subject string, appends ...string) []outcome {
	s.Helper()
	replies, told, left := make([]outcome, len(appends)), make([]bool, len(appends)), len(appends)
	s.messages(subject, `{"appends":[`+strings.Join(appends, ",")+`]}`, func(m bus.AppendsReply) {
		if left -= len(m.Replies); m.Left != left {
			s.Errorf("%d are left after %d, want %d", m.Left, len(m.Replies), left)
		}
		for _, r := range m.Replies {
			if told[r.Index] {
				s.Errorf("append %d is told of twice", r.Index)
			}
			told[r.Index] = true
			if err := json.Unmarshal(r.Reply, &replies[r.Index]); err != nil {
				s.Fatal(err)
			}
		}
	})
	if slices.Contains(told, false) {
		s.Errorf("told of %v", told)
	}
	return replies
}

// one is a request for an append.
func one(requestID, stream, more string) string {
	return fmt.Sprintf(`{"request_id":%q,%s"events":[{"stream":%q,"type":"T","data":1}]}`, requestID, more, stream)
}

func TestAppendsStandEachForItself(t *testing.T) {
	s := serve(t, 0, bus.ServiceConfig{}, backend{})
	for _, subject := range []string{"appends", "node.n1.appends"} {
		stream := strings.ReplaceAll(subject, ".", "") + ".1"
		got := s.askMany(subject,
			one(subject+"-good", stream, ""),
			one(subject+"-typo", stream, `"exepct":1,`),
			one(subject+"-late", stream+".other", `"checks":[{"stream":"none.1","expect":7}],`),
			`{"events":[{"stream":"`+stream+`.third","type":"T","data":1}]}`,
			`null`,
			`{"events":[{"stream":"`+stream+`","type":"T","data": "spaces and \u0041" }] , "request_id":7}`,
			one(subject+"-past", stream, `"timeout_ms":-1,`),
		)
		for i, want := range []int{0, bus.CodeInvalid, bus.CodeConflict, 0, bus.CodeInvalid, bus.CodeInvalid, bus.CodeInvalid} {
			if got[i].Error.ErrCode != want || want == 0 && got[i].Outcome != "committed" || want != 0 && got[i].Error.Outcome != "not_committed" {
				t.Errorf("%s: of append %d: got %+v, want %d", subject, i, got[i], want)
			}
		}
		if got[0].RequestID != subject+"-good" || got[0].Streams[0] != (bus.StreamVersion{Stream: stream, Version: 1}) {
			t.Errorf("got %+v", got[0])
		}
		if got[1].Error.Detail.Field != "exepct" || !strings.HasSuffix(got[1].Error.Description, "; nothing was written") {
			t.Errorf("got %+v", got[1].Error)
		}
		if got[3].RequestID == "" || got[2].Error.Detail.RequestID != subject+"-late" {
			t.Errorf("got %+v and %+v", got[3], got[2])
		}
	}
}

// TestAppendIsAnsweredAsIfAlone compares what becomes of an append among others with what becomes of it alone.
func TestAppendIsAnsweredAsIfAlone(t *testing.T) {
	s := serve(t, 0, bus.ServiceConfig{}, backend{})
	requests := []string{one("a", "a.1", ""), one("b", "a.2", `"checks":[{"stream":"a.9","expect":1}],`), `{"events":[]}`}
	s.askMany("appends", requests...)
	replies := make([]json.RawMessage, len(requests))
	s.messages("appends", `{"appends":[`+strings.Join(requests, ",")+`]}`, func(m bus.AppendsReply) {
		for _, r := range m.Replies {
			replies[r.Index] = r.Reply
		}
	})
	for i, request := range requests {
		var alone json.RawMessage
		if s.ask("append", request, &alone); string(alone) != string(replies[i]) {
			t.Errorf("among others: %s, alone: %s", replies[i], alone)
		}
	}
}

func TestSlowAppendHoldsNoOther(t *testing.T) {
	others := make(chan struct{})
	memory := eventtest.NewMemory()
	s := serve(t, 0, bus.ServiceConfig{}, backend{Memory: memory, append: func(ctx context.Context, a event.Append) (event.Receipt, error) {
		if a.RequestID == "slow" {
			<-others
		}
		return memory.Append(ctx, a)
	}})
	for _, slow := range []int{0, 1, 3} {
		requests := []string{one("r0", "a.0", ""), one("r1", "a.1", ""), one("r2", "a.2", ""), one("r3", "a.3", "")}
		requests[slow] = one("slow", "a.9", "")
		told := 0
		s.messages("appends", `{"appends":[`+strings.Join(requests, ",")+`]}`, func(m bus.AppendsReply) {
			for _, r := range m.Replies {
				if (r.Index == slow) != (told == len(requests)-1) {
					t.Errorf("append %d is the %dth told of, and %d is slow", r.Index, told, slow)
				}
				if told++; told == len(requests)-1 {
					close(others)
				}
			}
		})
		others = make(chan struct{})
	}
}

func TestAppendsThatAreRefusedAsAWhole(t *testing.T) {
	called := make(chan event.Append, 1)
	s := serve(t, 8<<20, bus.ServiceConfig{}, backend{append: func(_ context.Context, a event.Append) (event.Receipt, error) {
		called <- a
		return event.Receipt{}, nil
	}})
	good := one("r", "a.1", "")
	for _, test := range []struct {
		body    string
		errCode int
	}{
		{`{"appends":[` + good + `}`, bus.CodeInvalid},
		{`{"appends":[` + good + `],"appends":[]}`, bus.CodeInvalid},
		{`{"appends":[` + good + `],"append":1}`, bus.CodeInvalid},
		{`{"appends":[` + good + `,{"events":}]}`, bus.CodeInvalid},
		{`{"appends":` + good + `}`, bus.CodeInvalid},
		{`[` + good + `]`, bus.CodeInvalid},
		{good, bus.CodeInvalid},
		{`{"appends":[]}`, bus.CodeInvalid},
		{`{"appends":null}`, bus.CodeInvalid},
		{``, bus.CodeInvalid},
		{"{\"appends\":[{\"request_id\":\"\xff\"}]}", bus.CodeInvalid},
		{`{"appends":[` + strings.Repeat(good+",", bus.MaxAppends) + good + `]}`, bus.CodeTooLarge},
		{`{"appends":[` + good + strings.Repeat(" ", 1<<20) + `]}`, bus.CodeTooLarge},
	} {
		for _, subject := range []string{"appends", "node.n1.appends"} {
			detail := s.refused(subject, test.body, test.errCode)
			if detail.Outcome != "not_committed" || !strings.HasSuffix(detail.Description, "; nothing was written") {
				t.Errorf("%.60s: got %+v", test.body, detail)
			}
		}
	}
	select {
	case a := <-called:
		t.Errorf("the backend was asked for %+v", a)
	default:
	}
}

// long answers with so many events that a reply takes about a message.
func long(events int) backend {
	return backend{append: func(_ context.Context, a event.Append) (event.Receipt, error) {
		return event.Receipt{RequestID: a.RequestID, Events: make([]event.Ref, events)}, nil
	}}
}

func TestRepliesToAppendsFitMessages(t *testing.T) {
	const payload = 32 << 10
	for _, test := range []struct {
		events    int
		truncated bool
	}{{0, false}, {60, false}, {280, false}, {1000, true}} {
		s := serve(t, payload, bus.ServiceConfig{}, long(test.events))
		var requests []string
		for i := range 50 {
			requests = append(requests, one(fmt.Sprint("r", i), "a.1", ""))
		}
		for i, got := range s.askMany("appends", requests...) {
			if got.Outcome != "committed" || got.Truncated != test.truncated || got.RequestID != fmt.Sprint("r", i) {
				t.Errorf("with %d events: of append %d: got %s, truncated: %v", test.events, i, got.Outcome, got.Truncated)
			}
		}
	}
}

// TestAppendsTakeRoomEach: those there is no room for are refused, and they alone.
func TestAppendsTakeRoomEach(t *testing.T) {
	leave := make(chan struct{})
	s := serve(t, 0, bus.ServiceConfig{MaxBusy: 2}, backend{append: func(_ context.Context, a event.Append) (event.Receipt, error) {
		<-leave
		return event.Receipt{RequestID: a.RequestID}, nil
	}})
	refused, committed := 0, 0
	s.messages("appends", `{"appends":[`+one("a", "a.1", "")+","+one("b", "a.1", "")+","+one("c", "a.1", "")+","+one("d", "a.1", "")+`]}`, func(m bus.AppendsReply) {
		for _, r := range m.Replies {
			var got outcome
			if err := json.Unmarshal(r.Reply, &got); err != nil {
				t.Fatal(err)
			}
			switch {
			case got.Error.ErrCode == bus.CodeOverloaded && got.Error.Detail.RetryAfterMS > 0:
				refused++
			case got.Outcome == "committed":
				committed++
			}
			if refused == 2 && committed == 0 {
				close(leave)
			}
		}
	})
	if refused != 2 || committed != 2 {
		t.Errorf("%d were refused and %d committed, want 2 and 2", refused, committed)
	}
}

// TestStopWaitsForAppends: a service that stops answers those it has begun with.
func TestStopWaitsForAppends(t *testing.T) {
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	s := serve(t, 0, bus.ServiceConfig{}, backend{append: func(_ context.Context, a event.Append) (event.Receipt, error) {
		entered <- struct{}{}
		<-leave
		return event.Receipt{RequestID: a.RequestID}, nil
	}})
	stopped := make(chan error, 1)
	go func() {
		<-entered
		<-entered
		go close(leave)
		stopped <- s.service.Stop()
	}()
	for i, got := range s.askMany("appends", one("a", "a.1", ""), one("b", "a.1", "")) {
		if got.Outcome != "committed" {
			t.Errorf("append %d: got %+v", i, got)
		}
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestAppendsWithoutReply: nobody has to listen. The message id of NATS is nobody's request id.
func TestAppendsWithoutReply(t *testing.T) {
	called := make(chan event.Append, 2)
	s := serve(t, 0, bus.ServiceConfig{}, backend{append: func(_ context.Context, a event.Append) (event.Receipt, error) {
		called <- a
		return event.Receipt{}, nil
	}})
	body := `{"appends":[{"events":[{"stream":"a.1","type":"T","data":1}]},{"events":[{"stream":"a.1","type":"T","data":1}]}]}`
	if err := s.nc.PublishMsg(&nats.Msg{Subject: "accord.v1.appends", Data: []byte(body), Header: nats.Header{nats.MsgIdHdr: {"m"}}}); err != nil {
		t.Fatal(err)
	}
	if a, b := <-called, <-called; a.RequestID == b.RequestID || a.RequestID == "m" || b.RequestID == "m" {
		t.Errorf("got the request ids %q and %q", a.RequestID, b.RequestID)
	}
}
