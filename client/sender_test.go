package client

// These tests are inside the package to hold the sender: what gathers is else a matter of luck.

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/embeddednats"
)

// bench is a sender that sends when the test has it send, and a node's place on the other side.
type bench struct {
	*testing.T
	*sender
	node     *nats.Conn
	messages *nats.Subscription
}

// to is where the sender's calls go.
func to() target { return target{"p.v1.append", "p.v1.appends"} }

func newBench(t *testing.T, cfg embeddednats.Config, listens bool) *bench {
	t.Helper()
	server, err := embeddednats.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	connect := func() *nats.Conn {
		closed := make(chan struct{})
		nc, err := nats.Connect("", nats.InProcessServer(server), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close(); <-closed })
		return nc
	}
	b := &bench{T: t, sender: newSender(connect()), node: connect()}
	b.sending = true // somebody else does that: so nothing is sent before the test has it sent
	if listens {
		if b.messages, err = b.node.SubscribeSync("p.v1.>"); err != nil {
			t.Fatal(err)
		}
		if err := b.node.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// flush sends a message, and goes on to hold what comes after it.
func (b *bench) flush() (more bool) {
	more = b.send()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sending = true
	return more
}

// result is what came of a call.
type result struct {
	body string
	err  error
}

// start makes n calls, which wait to be sent. Their bodies are their indexes.
func (b *bench) start(ctx context.Context, n int) []chan result {
	b.Helper()
	return b.startLong(ctx, n, 0)
}

// startLong makes n calls whose bodies have zeros in front.
func (b *bench) startLong(ctx context.Context, n, size int) []chan result {
	b.Helper()
	results := make([]chan result, n)
	for i := range results {
		results[i] = make(chan result, 1)
		before := b.queued()
		go func() {
			body, err := b.ask(ctx, to(), fmt.Appendf(nil, "%0*d", size, i))
			results[i] <- result{string(body), err}
		}()
		b.until(func() bool { return b.queued() == before+1 })
	}
	return results
}

// ask makes one try of a call.
func (b *bench) ask(ctx context.Context, to target, body []byte) ([]byte, error) {
	t := tries{sender: b.sender}
	defer t.end()
	t.ask(&call{to: to, body: body}, time.Minute)
	a := t.next(ctx)
	return a.body, a.err
}

func (b *bench) queued() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

func (b *bench) underWay() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sent)
}

// until waits for what another goroutine is about to do.
func (b *bench) until(done func() bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	for !done() {
		if ctx.Err() != nil {
			b.Fatal("waits in vain")
		}
		sleep(ctx, time.Millisecond)
	}
}

// next returns the next message that reaches the node.
func (b *bench) next() *nats.Msg {
	b.Helper()
	msg, err := b.messages.NextMsgWithContext(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return msg
}

func (b *bench) reply(to *nats.Msg, body string) {
	b.Helper()
	if err := b.node.Publish(to.Reply, []byte(body)); err != nil {
		b.Fatal(err)
	}
}

// replies is the body of a message that answers with the texts of the indexes.
func replies(left int, indexes ...int) string {
	m := bus.AppendsReply{Type: bus.TypeAppendsReply, Left: left}
	for _, i := range indexes {
		m.Replies = append(m.Replies, bus.IndexedReply{Index: i, Reply: json.RawMessage(fmt.Sprintf(`"answer %d"`, i))})
	}
	encoded, _ := bus.Encode(m)
	return string(encoded)
}

func (b *bench) want(results []chan result, indexes ...int) {
	b.Helper()
	for _, i := range indexes {
		if r := <-results[i]; r.err != nil || r.body != fmt.Sprintf(`"answer %d"`, i) {
			b.Errorf("call %d got %s, %v", i, r.body, r.err)
		}
	}
}

// TestCallsThatGatherShareAMessage: a slow one keeps none waiting, and what is no answer to anybody does no harm.
func TestCallsThatGatherShareAMessage(t *testing.T) {
	b := newBench(t, embeddednats.Config{}, true)
	results := b.start(t.Context(), 4)
	if b.flush() {
		t.Error("something is left to be sent")
	}
	msg := b.next()
	if msg.Subject != to().many || string(msg.Data) != `{"appends":[0,1,2,3]}` {
		t.Fatalf("got %s on %s", msg.Data, msg.Subject)
	}
	b.reply(&nats.Msg{Reply: b.inbox + "zz"}, replies(0, 1))
	b.reply(&nats.Msg{Reply: b.inbox + "_"}, "x")
	b.reply(msg, replies(2, 2, 0, 4, -1, 0))
	b.want(results, 0, 2)
	b.reply(msg, replies(1, 0, 3))
	b.want(results, 3)
	if len(results[1]) > 0 || b.underWay() != 1 {
		t.Errorf("call 1, which has no answer: %d, messages under way: %d", len(results[1]), b.underWay())
	}
	b.reply(msg, replies(0, 1))
	b.want(results, 1)
	if b.underWay() != 0 {
		t.Error("the message is not forgotten")
	}
}

func TestCallAloneGoesAsItIs(t *testing.T) {
	b := newBench(t, embeddednats.Config{}, true)
	b.sending = false
	answered := make(chan result, 1)
	go func() {
		body, err := b.ask(t.Context(), to(), []byte("request"))
		answered <- result{string(body), err}
	}()
	msg := b.next()
	if msg.Subject != to().one || string(msg.Data) != "request" {
		t.Errorf("got %s on %s", msg.Data, msg.Subject)
	}
	b.reply(msg, "answer")
	if r := <-answered; r.err != nil || r.body != "answer" {
		t.Errorf("got %+v", r)
	}
}

// TestErrorAnswersAll: what is wrong with a message is the answer to all in it.
func TestErrorAnswersAll(t *testing.T) {
	for _, test := range []struct{ reply, body, err string }{
		{`{"type":"accord.v1.error"}`, `{"type":"accord.v1.error"}`, ""},
		{`no JSON`, "", "client: decode the reply on p.v1.appends: "},
	} {
		b := newBench(t, embeddednats.Config{}, true)
		results := b.start(t.Context(), 3)
		b.flush()
		b.reply(b.next(), test.reply)
		for i := range results {
			if r := <-results[i]; r.body != test.body || (r.err == nil) != (test.err == "") || r.err != nil && !strings.HasPrefix(r.err.Error(), test.err) {
				t.Errorf("%s: call %d got %+v", test.reply, i, r)
			}
		}
	}
}

// TestMessagesFitTheServer: what does not fit one message goes in the next.
func TestMessagesFitTheServer(t *testing.T) {
	const payload = 4096
	b := newBench(t, embeddednats.Config{MaxPayload: payload}, true)
	for range 2 {
		results := b.startLong(t.Context(), 10, payload/5)
		for told := 0; told < len(results); {
			b.flush()
			msg := b.next()
			n := 1 + strings.Count(string(msg.Data), ",")
			for i := range n {
				b.reply(msg, replies(n-1-i, i))
				if r := <-results[told+i]; r.err != nil {
					t.Errorf("call %d got %v", told+i, r.err)
				}
			}
			told += n
		}
	}
}

func TestTogether(t *testing.T) {
	calls := func(n, size int) []*call {
		return slices.Collect(func(yield func(*call) bool) {
			for range n {
				if !yield(&call{to: to(), body: make([]byte, size)}) {
					return
				}
			}
		})
	}
	const most = 10_000
	mixed := func(n, size int) []*call { // every third goes elsewhere
		all := calls(n, size)
		for i := 2; i < n; i += 3 {
			all[i].to.one = "p.v1.node.n1.append"
		}
		return all
	}
	for name, test := range map[string]struct {
		calls []*call
		want  int
	}{
		"one": {calls(1, 1), 1}, "few": {calls(9, 1), 9}, "many": {calls(bus.MaxAppends+1, 1), bus.MaxAppends},
		"long": {calls(9, most/2-frameBytes), 2}, "too long": {calls(2, most+1), 1}, "short, long": {append(calls(1, 1), calls(1, most)...), 1},
		"mixed": {mixed(9, 1), 6}, "many mixed": {mixed(2*bus.MaxAppends, 1), bus.MaxAppends}, "long mixed": {mixed(9, most/3-frameBytes), 3},
		"the last elsewhere": {mixed(3, 1), 2},
	} {
		message, others := together(test.calls, most)
		if len(message) != test.want {
			t.Errorf("%s: got %d, want %d", name, len(message), test.want)
		}
		var bodies [][]byte
		at := make(map[*call]int)
		for i, c := range test.calls {
			at[c] = i
		}
		for _, c := range message {
			if bodies = append(bodies, c.body); c.to != test.calls[0].to {
				t.Errorf("%s: call %d goes to %s", name, at[c], c.to.one)
			}
		}
		if size := len(bus.EncodeAppends(bodies)); len(message) > 1 && size > most {
			t.Errorf("%s: %d go together and take %d bytes", name, len(message), size)
		}
		inOrder := func(a, b *call) int { return at[a] - at[b] }
		if !slices.IsSortedFunc(message, inOrder) || !slices.IsSortedFunc(others, inOrder) {
			t.Errorf("%s: the order is another", name)
		}
		for _, c := range slices.Concat(message, others) {
			delete(at, c)
		}
		if len(message)+len(others) != len(test.calls) || len(at) > 0 {
			t.Errorf("%s: of %d calls %d go and %d are left", name, len(test.calls), len(message), len(others))
		}
	}
}
