package bus_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"natsaccord/accord"
	"natsaccord/bus"
	"natsaccord/embeddednats"
	"natsaccord/event"
)

func TestEventSubjects(t *testing.T) {
	s := bus.Subjects{Cluster: "c"}
	for _, c := range []struct {
		stream    event.Stream
		eventType string
		want      string
	}{
		{"order.17", "Placed", "order.17.Placed"},
		{"order.eu.17", "order.placed", "order.eu.17.order%2Eplaced"},
		{"file..travis.yml", "FileChanged", "file.%2Etravis.yml.FileChanged"},
		{"file.a..b", "T", "file.a.%2Eb.T"},
		{"file.a.", "T", "file.a%2E.T"},
		{"file....", "T", "file.%2E%2E%2E.T"},
		{"rate.50%", "*>", "rate.50%25.%2A%3E"},
		{"rate.%2E", "%", "rate.%252E.%25"},
		{"名.字", "型", ""},
		{"name.字", "型", "name.字.型"},
	} {
		got := s.Event(c.stream, c.eventType)
		if c.want != "" && got != "accord.v1.event."+c.want {
			t.Errorf("%s %s: got %s, want %s", c.stream, c.eventType, got, c.want)
		}
		stream, eventType, ok := s.ParseEvent(got)
		if c.want != "" && (!ok || stream != c.stream || eventType != c.eventType) {
			t.Errorf("%s: got back %s %s, %v", got, stream, eventType, ok)
		}
	}
	for _, subject := range []string{"", "accord.v1.event.", "accord.v1.event.a", "accord.v1.event.a.b", "accord.v1.read.a.b.c", "accord.v1.event.a.%zz.c", "accord.v1.event.a.b.%"} {
		if stream, eventType, ok := s.ParseEvent(subject); ok {
			t.Errorf("%q: got %s %s", subject, stream, eventType)
		}
	}
}

// TestEventSubjectsTellStreamsApart: whatever a stream and a type are called, their subject is one, and theirs alone.
func TestEventSubjectsTellStreamsApart(t *testing.T) {
	s := bus.Subjects{Cluster: "c"}
	rapid.Check(t, func(t *rapid.T) {
		stream := event.StreamOf("a", rapid.StringMatching(`[.%a2E*é]{1,8}`).Draw(t, "id"))
		eventType := rapid.StringMatching(`[.%a2E*>é]{1,8}`).Draw(t, "type")
		if stream.Validate() != nil {
			t.Skip("no stream")
		}
		subject := s.Event(stream, eventType)
		if !server.IsValidPublishSubject(subject) {
			t.Fatalf("%s %s: %s is no subject", stream, eventType, subject)
		}
		if gotStream, gotType, ok := s.ParseEvent(subject); !ok || gotStream != stream || gotType != eventType {
			t.Fatalf("%s: got back %s %s, want %s %s", subject, gotStream, gotType, stream, eventType)
		}
	})
}

func TestLiveMessages(t *testing.T) {
	e := event.Event{
		ID: ulid.MustParse("01ARZ3NDEKTSV4RRFFQ69G5FAV"), Stream: "file..été", Version: 7, Position: event.Position(strings.Repeat("0", 28)), TxnID: "t",
		Type: "File\"Changed\"", Data: []byte(`{"n":1}`), Metadata: map[string]string{"by": "me\nyou"}, RoutingKey: "50%", Tags: []string{"a,b", "c"},
		RecordedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
	}
	msg := bus.Subjects{Cluster: "prod"}.NewLiveMsg(&e)
	want := map[string]string{
		"Nats-Msg-Id": e.ID.String(), "ce-specversion": "1.0", "ce-id": e.ID.String(), "ce-source": "/accord/prod", "ce-type": "File%22Changed%22",
		"ce-subject": "file..%C3%A9t%C3%A9", "ce-time": "2026-01-02T03:04:05.000006Z", "ce-datacontenttype": "application/json", "ce-sequence": string(e.Position),
		"ce-streamversion": "7", "ce-txnid": "t", "ce-partitionkey": "50%25", "Accord-Tags": `["a,b","c"]`, "Accord-Metadata": `{"by":"me\nyou"}`,
	}
	for name, value := range want {
		if got := msg.Header.Get(name); got != value {
			t.Errorf("%s: got %q, want %q", name, got, value)
		}
	}
	if len(msg.Header) != len(want) || string(msg.Data) != string(e.Data) || !strings.HasPrefix(msg.Subject, "accord.v1.event.file.%2E") {
		t.Errorf("got %s %s with %d headers", msg.Subject, msg.Data, len(msg.Header))
	}
	e.Binary = true
	if got := (bus.Subjects{Cluster: "prod"}).NewLiveMsg(&e).Header.Get("ce-datacontenttype"); got != "application/octet-stream" {
		t.Errorf("bytes are called %s", got)
	}
}

// TestLivePublishes: what Publish has returned for has reached the server; after the server has gone and come back,
// it goes on.
func TestLivePublishes(t *testing.T) {
	start := func(port int) *embeddednats.Server {
		server, err := embeddednats.Start(t.Context(), embeddednats.Config{Port: port, MaxPayload: 2048})
		if err != nil {
			t.Fatal(err)
		}
		return server
	}
	server := start(embeddednats.AnyPort)
	url := server.URL()
	live, err := bus.NewLive(bus.Config{Node: "n1", Servers: []string{url}}, bus.Subjects{Cluster: "c"})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	batch := func(n int) []event.Event {
		var events []event.Event
		for i := range n {
			events = append(events, event.Event{ID: ulid.Make(), Stream: "order.1", Version: uint64(i + 1), Type: "Placed", Data: []byte("1")})
		}
		return events
	}
	publishAndHear := func(n int) {
		t.Helper()
		nc, err := nats.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		sub, err := nc.SubscribeSync("accord.v1.event.order.>")
		if err != nil || nc.Flush() != nil {
			t.Fatal(err)
		}
		events := batch(n)
		events[n/2].Data = make([]byte, 4096) // is left out
		if err := live.Publish(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		for i := range events {
			if i == n/2 {
				continue
			}
			msg, err := sub.NextMsg(time.Second)
			if err != nil || msg.Header.Get(nats.MsgIdHdr) != events[i].ID.String() {
				t.Fatalf("message %d: got %v, %v", i, msg, err)
			}
		}
	}
	publishAndHear(100)
	server.Shutdown()
	if err := live.Publish(t.Context(), batch(3)); err == nil {
		t.Error("published without a server")
	}
	port := 0
	if _, err := fmt.Sscanf(url[strings.LastIndexByte(url, ':'):], ":%d", &port); err != nil {
		t.Fatal(err)
	}
	server = start(port)
	defer server.Shutdown()
	publishAndHear(10)
}

func TestNotes(t *testing.T) {
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{Port: embeddednats.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	nodes := []string{"n1", "n2", "n3"}
	heard := make(chan string, 10)
	var peers []*bus.Peers
	for _, name := range nodes {
		nc, err := nats.Connect(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		p, err := bus.NewPeers(nc, bus.PeersConfig{Subjects: bus.Subjects{Cluster: "c"}, Self: name, Nodes: nodes, Incarnation: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		p.HearNotes(bus.NoteLive, func(from string, body []byte) { heard <- name + " hears " + string(body) + " from " + from })
		if err := p.Receive(func(accord.NodeID, accord.Header, []accord.Message) { t.Error("a note is taken for a message") }); err != nil || nc.Flush() != nil {
			t.Fatal(err)
		}
		peers = append(peers, p)
	}
	peers[1].SendNote(bus.NoteDigest, []byte("lost"))
	peers[1].SendNote(bus.NoteLive, make([]byte, 100<<10))
	peers[1].SendNote(bus.NoteLive, []byte("it"))
	got := []string{<-heard, <-heard}
	slices.Sort(got)
	if !slices.Equal(got, []string{"n1 hears it from n2", "n3 hears it from n2"}) {
		t.Errorf("got %q", got)
	}
}
