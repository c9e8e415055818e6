package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.uber.org/goleak"

	"natsaccord/bus"
	"natsaccord/embeddednats"
	"natsaccord/event"
	"natsaccord/event/eventtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is a store in memory whose appends a test can take over.
type backend struct {
	*eventtest.Memory
	append func(context.Context, event.Append) (event.Receipt, error)
}

func (b backend) Append(ctx context.Context, a event.Append) (event.Receipt, error) {
	if b.append != nil {
		return b.append(ctx, a)
	}
	return b.Memory.Append(ctx, a)
}

func (backend) Drain(context.Context) error { return nil }

// served is a node's service, and a client of it.
type served struct {
	*testing.T
	nc      *nats.Conn
	own     *nats.Conn // the service's
	service *bus.Service
}

func serve(t *testing.T, maxPayload int, cfg bus.ServiceConfig, b backend) served {
	t.Helper()
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{MaxPayload: maxPayload})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	nc := connect(t, server)
	cfg.Subjects, cfg.Node = bus.Subjects{Cluster: "c"}, "n1"
	if b.Memory == nil {
		b.Memory = eventtest.NewMemory()
	}
	service, err := bus.NewService(nc, cfg, b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return served{t, connect(t, server), nc, service}
}

// ask sends a raw request and decodes its reply.
func (s served) ask(subject, body string, into any) *nats.Msg {
	s.Helper()
	msg, err := s.nc.RequestWithContext(s.Context(), "accord.v1."+subject, []byte(body))
	if err != nil {
		s.Fatalf("%s: %v", subject, err)
	}
	if err := json.Unmarshal(msg.Data, into); err != nil {
		s.Fatalf("%s: %v in %s", subject, err, msg.Data)
	}
	return msg
}

// refused asks for what must be refused with a code.
func (s served) refused(subject, body string, errCode int) bus.ErrorDetail {
	s.Helper()
	var reply bus.ErrorReply
	msg := s.ask(subject, body, &reply)
	if reply.Type != bus.TypeError || reply.Error.ErrCode != errCode {
		s.Errorf("%s %.80s: got %.200s, want %d", subject, body, msg.Data, errCode)
	}
	if got := msg.Header.Get(micro.ErrorCodeHeader); got != fmt.Sprint(reply.Error.Code) || msg.Header.Get(micro.ErrorHeader) == "" {
		s.Errorf("%s: the headers say %v", subject, msg.Header)
	}
	return reply.Error
}

func TestEveryVerb(t *testing.T) {
	s := serve(t, 0, bus.ServiceConfig{}, backend{})
	const worker = `"01ARZ3NDEKTSV4RRFFQ69G5FAV"`
	var appended bus.AppendReply
	s.ask("append.account.7.eu", `{"request_id":"r.1","expect":"none","events":[{"type":"Opened","data":{"a":"<&>"}},{"type":"B","data_base64":""}]}`, &appended)
	if appended.Type != bus.TypeAppendReply || appended.Outcome != "committed" || appended.Streams[0] != (bus.StreamVersion{Stream: "account.7.eu", Version: 2}) {
		t.Fatalf("got %+v", appended)
	}
	for _, test := range []struct{ subject, body, want string }{
		{"append", `{"checks":[{"stream":"account.7.eu","expect":2}],"events":[{"stream":"account.8","type":"Opened","data":null}]}`, `"type":"accord.v1.append_reply"`},
		{"append.account.7.eu", `{"request_id":"r.1","expect":"none","events":[{"type":"Opened","data":{"a":"<&>"}},{"type":"B","data_base64":""}]}`, `"duplicate":true`},
		{"append.account.7.eu", `{"request_id":"r.1","expect":"none","events":[{"type":"Opened","data":{"a":"<&>"}},{"type":"B","data_base64":""}]}`, `"node":"n1"`},
		{"read", ``, `"node":"n1"`},
		{"head.account.9", ``, `"node":"n1"`},
		{"read", ``, `"data":null`},
		{"read.account", `{"limit":1}`, `"data":{"a":"<&>"}`},
		{"read.account", `{"limit":1}`, `"frontier":"` + "0000"},
		{"read.account", `{"tags":["none"]}`, `"events":[],"next"`},
		{"read.account.7.eu", `{"direction":"backward","limit":1}`, `"data_base64":""`},
		{"head.account.7.eu", ``, `"version":2`},
		{"head", `{"stream":"account.8"}`, `"version":1`},
		{"txn.r.1", ``, `"type":"accord.v1.txn_reply"`},
		{"subscriber.claim", `{"key":"k","worker":` + worker + `}`, `"running":true`},
		{"subscriber.ack", `{"key":"k","worker":` + worker + `,"position":"` + appended.Position + `"}`, `"running":true`},
		{"subscriber.get", `{"key":"k","worker":` + worker + `}`, `"running":true,"worker":` + worker + `,"cursor":"` + appended.Position + `","seen":"2`},
		{"subscriber.claim", `{"key":"k","worker":` + worker + `,"previous":` + worker + `}`, `"running":true`},
		{"subscriber.claim", `{"key":"k","worker":"none","previous":` + worker + `}`, `"running":false`},
		{"subscriber.claim", `{"key":"k","worker":` + worker + `,"previous":"none"}`, `"running":true`},
		{"subscriber.list", ``, `"subscribers":[{"type":"accord.v1.subscriber_reply","key":"k","running":false,"worker":` + worker + `,"cursor":"` + appended.Position + `"`},
		{"subscriber.list", `{"after":"k"}`, `"subscribers":[]`},
		{"subscriber.reset", `{"key":"k"}`, `"type":"accord.v1.subscriber_reply","key":"k","running":false}`},
		{"subscriber.get", `{"key":"k"}`, `"key":"k","running":false,"seen":"2`},
		{"count", `{"category":"account"}`, `"count":3`},
		{"count", `{"stream":"account.8","after":"` + appended.Position + `"}`, `"count":1`},
		{"snapshot.put", `{"stream":"account.8","name":"n","version":1,"data_base64":"AAE="}`, `"type":"accord.v1.snapshot_reply"`},
		{"snapshot.get", `{"stream":"account.8","name":"n"}`, `"data_base64":"AAE="`},
		{"snapshot.drop", `{"stream":"account.8","name":"n"}`, `"type":"accord.v1.snapshot_reply"`},
		{"cluster.info", ``, `"type":"accord.v1.cluster_reply"`},
		{"node.n1.info", ``, `"type":"accord.v1.node_reply"`},
		{"node.n1.health", ``, `"state":"ready"`},
		{"node.n1.read.account", ``, `"type":"accord.v1.read_reply"`},
		{"node.n1.head.account.8", ``, `"version":1`},
		{"node.n1.txn.r.1", ``, `"type":"accord.v1.txn_reply"`},
		{"node.n1.drain", ``, `"type":"accord.v1.node_reply"`},
	} {
		var reply map[string]any
		if msg := s.ask(test.subject, test.body, &reply); !strings.Contains(string(msg.Data), test.want) {
			t.Errorf("%s: got %s, want %s in it", test.subject, msg.Data, test.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := serve(t, 8<<20, bus.ServiceConfig{}, backend{})
	const one = `{"events":[{"type":"T","data":1}]}`
	for _, test := range []struct {
		subject, body string
		errCode       int
	}{
		{"apend", one, bus.CodeVerb},
		{"apend.account", one, bus.CodeVerb},
		{"subscriber.gett", `{}`, bus.CodeVerb},
		{"subscriber.get.it", `{}`, bus.CodeVerb},
		{"subscriber.list", `{"limit":-1}`, bus.CodeInvalid},
		{"subscriber.list", `{"after":"\u0000"}`, bus.CodeInvalid},
		{"subscriber.claim", `{"key":"k","worker":"none"}`, bus.CodeInvalid},
		{"subscriber.claim", `{"key":"k","worker":"none","previous":"nobody"}`, bus.CodeInvalid},
		{"subscriber.claim", `{"key":"k","worker":"01ARZ3NDEKTSV4RRFFQ69G5FAV","previous":"01ARZ3NDEKTSV4RRFFQ69G5FAW"}`, bus.CodeFenced},
		{"subscriber.reset", `{"key":"k","position":"x"}`, bus.CodeInvalid},
		{"count", `{"category":"$x"}`, bus.CodeInvalid},
		{"node.n1.explode", `{}`, bus.CodeVerb},
		{"node.n1.digest", `{}`, bus.CodeVerb}, // of a backend that has none
		{"node.n1.digest", `{"until":1}`, bus.CodeInvalid},
		{"append.account.*", one, bus.CodeInvalid},
		{"append.account", one, bus.CodeInvalid},
		{"append.$account.7", one, bus.CodeInvalid},
		{"append." + strings.Repeat("c", 129) + ".7", one, bus.CodeInvalid},
		{"append.account." + strings.Repeat("i", 256), one, bus.CodeInvalid},
		{"append.account.7", `{"events":[]}`, bus.CodeInvalid},
		{"append.account.7", `{"events":[{"type":"T","data":1,"stream":"account.8"}]}`, bus.CodeInvalid},
		{"append.account.7", `{"timeout_ms":-1,"events":[{"type":"T","data":1}]}`, bus.CodeInvalid},
		{"append.account.7", `{"exepct":1,"events":[{"type":"T","data":1}]}`, bus.CodeInvalid},
		{"append.account.7", `{"events":[` + strings.Repeat(`{"type":"T","data":1},`, 1000) + `{"type":"T","data":1}]}`, bus.CodeTooLarge},
		{"append.account.7", strings.Repeat(" ", 2<<20), bus.CodeTooLarge},
		{"append.account.7", `{"expect":5,"events":[{"type":"T","data":1}]}`, bus.CodeConflict},
		{"read.account", `{"direction":"up"}`, bus.CodeInvalid},
		{"read.account.7", `{"from_version":9223372036854775809}`, bus.CodeInvalid},
		{"read.account.7", `{"stream":"account.8"}`, bus.CodeInvalid},
		{"read", `{"after":"x"}`, bus.CodeInvalid},
		{"read", `{"tags":[""]}`, bus.CodeInvalid},
		{"read", `{"tags":[` + strings.Repeat(`"t",`, 16) + `"t"]}`, bus.CodeTooLarge},
		{"txn.nobody", ``, bus.CodeNotFound},
		{"txn.nobody", `{"explain":true}`, bus.CodeInvalid},
		{"subscriber.claim", `{"key":"k"}`, bus.CodeInvalid},
		{"subscriber.ack", `{"key":"k","worker":"01ARZ3NDEKTSV4RRFFQ69G5FAV","position":"` + strings.Repeat("0", 28) + `"}`, bus.CodeFenced},
		{"snapshot.get", `{"stream":"account.8","name":"n"}`, bus.CodeNotFound},
	} {
		s.refused(test.subject, test.body, test.errCode)
	}
	for _, subject := range []string{"accord.v1.node.n2.info", "accord.v1.apend.account.7"} {
		if _, err := s.nc.RequestWithContext(t.Context(), subject, nil); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("%s: got %v, want no responders", subject, err)
		}
	}
}

func TestErrorsOfTheBackend(t *testing.T) {
	failure := errors.New("dial postgres.internal: refused")
	for errCode, err := range everyError() {
		s := serve(t, 0, bus.ServiceConfig{}, backend{append: func(context.Context, event.Append) (event.Receipt, error) { return event.Receipt{}, err }})
		if errCode == bus.CodeTimeout {
			errCode = bus.CodeUnknown // of a write
		}
		s.refused("append.account.7", `{"request_id":"r","events":[{"type":"T","data":1}]}`, errCode)
	}
	s := serve(t, 0, bus.ServiceConfig{}, backend{append: func(context.Context, event.Append) (event.Receipt, error) { return event.Receipt{}, failure }})
	detail := s.refused("append.account.7", `{"request_id":"r","events":[{"type":"T","data":1}]}`, bus.CodeInternal)
	if detail.Outcome != "unknown" || detail.Detail.RequestID != "r" || strings.Contains(detail.Description, "postgres") {
		t.Errorf("got %+v", detail)
	}
	back := (&bus.ErrorReply{Error: detail}).Err()
	if unknown, ok := errors.AsType[*event.UnknownError](back); !ok || unknown.RequestID != "r" {
		t.Errorf("comes back as %v", back)
	}
}

// TestOutcomeOfRefusals: an error says what became of a write, asked about later as well; of a read it says nothing.
func TestOutcomeOfRefusals(t *testing.T) {
	s := serve(t, 0, bus.ServiceConfig{}, backend{})
	const none, nothing = "not_committed", "; nothing was written"
	for _, test := range []struct {
		subject, body string
		errCode       int
		outcome       string
		says          bool // that nothing was written
	}{
		{"append.a.1", `{"request_id":"refused","expect":5,"events":[{"type":"T","data":1}]}`, bus.CodeConflict, none, true},
		{"txn.refused", ``, bus.CodeConflict, none, true},
		{"node.n1.txn.refused", ``, bus.CodeConflict, none, true},
		{"txn.refused", `{"explain":true}`, bus.CodeInvalid, "", false},
		{"txn.nobody", ``, bus.CodeNotFound, "", false},
		{"append.a.1", `{"events":[]}`, bus.CodeInvalid, none, true},
		{"append.a.1", `{"request_id":"` + strings.Repeat("r", 1000) + `","events":[{"type":"T","data":1}]}`, bus.CodeInvalid, none, true},
		{"append.a.1", `{"events":[` + strings.Repeat(`{"type":"T","data":1},`, 1000) + `{"type":"T","data":1}]}`, bus.CodeTooLarge, none, true},
		{"read.a", `{"direction":"up"}`, bus.CodeInvalid, "", false},
		{"read", `{"tags":[` + strings.Repeat(`"t",`, 16) + `"t"]}`, bus.CodeTooLarge, "", false},
		{"head.a.1", `{"version":1}`, bus.CodeInvalid, "", false},
	} {
		got := s.refused(test.subject, test.body, test.errCode)
		if got.Outcome != test.outcome || strings.HasSuffix(got.Description, nothing) != test.says {
			t.Errorf("%s %.60s: got outcome %q and %q", test.subject, test.body, got.Outcome, got.Description)
		}
	}
}

func TestMessageIDServesAsRequestID(t *testing.T) {
	s := serve(t, 0, bus.ServiceConfig{}, backend{})
	msg := &nats.Msg{Subject: "accord.v1.append.account.7", Data: []byte(`{"events":[{"type":"T","data":1}]}`), Header: nats.Header{nats.MsgIdHdr: {"m"}}}
	for _, duplicate := range []bool{false, true} {
		got, err := s.nc.RequestMsgWithContext(t.Context(), msg)
		if err != nil {
			t.Fatal(err)
		}
		var reply bus.AppendReply
		if err := json.Unmarshal(got.Data, &reply); err != nil || reply.RequestID != "m" || reply.Duplicate != duplicate {
			t.Errorf("got %s, %v", got.Data, err)
		}
	}
}

func TestPagesFitMessages(t *testing.T) {
	const maxPayload = 64 << 10
	memory := eventtest.NewMemory()
	text := `{"data":"` + strings.Repeat(`x`, 9000) + `"}`
	for range 40 {
		events := []event.Event{
			{Stream: "a.1", Type: "T", Data: []byte(text), Metadata: map[string]string{"k": strings.Repeat("\x01", 1000)}},
			{Stream: "a.1", Type: "B", Data: make([]byte, 9000), Binary: true},
		}
		if err := memory.Write(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, maxPayload, bus.ServiceConfig{}, backend{Memory: memory})
	for _, direction := range []string{"forward", "backward"} {
		cursor, seen := "", 0
		for end := false; !end; {
			bound := "after"
			if direction == "backward" {
				bound = "before"
			}
			var page bus.ReadReply
			s.ask("read.a.1", fmt.Sprintf(`{"limit":1000,"direction":%q,%q:%q}`, direction, bound, cursor), &page)
			if len(page.Events) == 0 {
				t.Fatalf("%s: a page behind %d events is empty", direction, seen)
			}
			cursor, seen, end = page.Next, seen+len(page.Events), page.End
		}
		if seen != 80 {
			t.Errorf("%s: got %d events, want 80", direction, seen)
		}
	}
	if err := memory.Write(t.Context(), []event.Event{{Stream: "a.2", Type: "B", Data: make([]byte, 60<<10), Binary: true}}); err != nil {
		t.Fatal(err)
	}
	if detail := s.refused("read.a.2", ``, bus.CodeTooLarge); detail.Outcome != "" || !strings.Contains(detail.Detail.What, "the event at") {
		t.Errorf("got %+v", detail)
	}
}

func TestLongAppendIsNotCalledRefused(t *testing.T) {
	s := serve(t, 32<<10, bus.ServiceConfig{}, backend{append: func(_ context.Context, a event.Append) (event.Receipt, error) {
		return event.Receipt{RequestID: a.RequestID, Events: make([]event.Ref, 1000)}, nil
	}})
	var reply bus.AppendReply
	s.ask("append.account.7", `{"events":[{"type":"T","data":1}]}`, &reply)
	if reply.Outcome != "committed" || !reply.Truncated || len(reply.Events) != 0 {
		t.Errorf("got %+v", reply)
	}
}

func TestOverloadAndDrain(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := serve(t, 0, bus.ServiceConfig{MaxBusy: 1}, backend{append: func(_ context.Context, a event.Append) (event.Receipt, error) {
		entered <- struct{}{}
		<-leave
		return event.Receipt{RequestID: a.RequestID}, nil
	}})
	const one = `{"events":[{"type":"T","data":1}]}`
	answered := make(chan error, 1)
	go func() {
		msg, err := s.nc.RequestWithContext(t.Context(), "accord.v1.append.account.7", []byte(one))
		if err == nil && !strings.Contains(string(msg.Data), `"committed"`) {
			err = errors.New(string(msg.Data))
		}
		answered <- err
	}()
	<-entered
	if detail := s.refused("append.account.7", one, bus.CodeOverloaded); detail.Detail.RetryAfterMS <= 0 {
		t.Errorf("got %+v", detail)
	}
	var head bus.HeadReply
	s.ask("head.account.7", ``, &head)
	if head.Type != bus.TypeHeadReply {
		t.Error("a read has no room while writes are under way")
	}

	stopped := make(chan error, 1)
	go func() { stopped <- s.service.Stop() }()
	for draining := false; !draining; {
		var reply bus.ErrorReply
		s.ask("head.account.7", ``, &reply)
		draining = reply.Error.ErrCode == bus.CodeDraining
	}
	select {
	case <-stopped:
		t.Error("stopped before its requests were served")
	default:
	}
	close(leave)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestGiveUp: a node that has waited for long enough leaves, and whoever still waits for it is told that the outcome is unknown.
func TestGiveUp(t *testing.T) {
	entered := make(chan struct{})
	s := serve(t, 0, bus.ServiceConfig{Timeout: time.Hour}, backend{append: func(ctx context.Context, a event.Append) (event.Receipt, error) {
		close(entered)
		<-ctx.Done()
		return event.Receipt{}, &event.UnknownError{RequestID: a.RequestID, Err: ctx.Err()}
	}})
	answered := make(chan string, 1)
	go func() {
		msg, err := s.nc.RequestWithContext(t.Context(), "accord.v1.append.account.7", []byte(`{"request_id":"r","events":[{"type":"T","data":1}]}`))
		if err != nil {
			t.Error(err)
			msg = &nats.Msg{}
		}
		answered <- string(msg.Data)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.service.Stop() }()
	s.service.GiveUp()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if got := <-answered; !strings.Contains(got, `"outcome":"unknown"`) || !strings.Contains(got, `"request_id":"r"`) {
		t.Errorf("got %s", got)
	}
}

func TestWriteThatRunsOutOfTimeIsUnknown(t *testing.T) {
	s := serve(t, 0, bus.ServiceConfig{Timeout: time.Minute}, backend{append: func(ctx context.Context, _ event.Append) (event.Receipt, error) {
		<-ctx.Done()
		return event.Receipt{}, ctx.Err()
	}})
	detail := s.refused("append.account.7", `{"timeout_ms":1,"events":[{"type":"T","data":1}]}`, bus.CodeUnknown)
	if detail.Outcome != "unknown" || detail.Detail.RequestID == "" {
		t.Errorf("got %+v", detail)
	}
}
