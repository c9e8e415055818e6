package tests

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/event"
)

// asked is what a client of its own is answered on the wire.
type asked struct {
	reply   bus.AppendReply
	refusal bus.ErrorReply
	err     error
}

// both has two clients, each with a connection of its own, ask two nodes at the same time.
func (c *cluster) both(t *testing.T, verb, body string) (answers [2]asked) {
	t.Helper()
	var running sync.WaitGroup
	begin := make(chan struct{})
	for i := range answers {
		nc, err := nats.Connect(c.server)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		running.Go(func() {
			<-begin
			answers[i] = request(nc, fmt.Sprintf("accord.v1.node.n%d.%s", i+1, verb), body)
		})
	}
	close(begin)
	running.Wait()
	return answers
}

func request(nc *nats.Conn, subject, body string) (a asked) {
	msg, err := nc.Request(subject, []byte(body), 30*time.Second)
	if err != nil {
		a.err = err
		return a
	}
	if a.err = json.Unmarshal(msg.Data, &a.reply); a.err == nil {
		a.err = json.Unmarshal(msg.Data, &a.refusal)
	}
	return a
}

// conflict checks that an answer is a 409 with just this stream.
func (a *asked) conflict(t *testing.T, want bus.WireConflict) {
	t.Helper()
	e := a.refusal.Error
	if a.err != nil || e.Code != 409 || e.ErrCode != bus.CodeConflict || e.Outcome != "not_committed" || !slices.Equal(e.Detail.Conflicts, []bus.WireConflict{want}) {
		t.Errorf("got %+v, want 409 with %+v", a, want)
	}
}

// TestTwoClientsAtTwoNodes has two clients append to one stream at once through different nodes, with no expected version and with the
// same, and checks what each is told on the wire and that the nodes have one order.
func TestTwoClientsAtTwoNodes(t *testing.T) {
	const rounds = 20
	c := start(t, sqliteStores(t))
	version := uint64(0)
	for range rounds {
		answers := c.both(t, "append.account.any", `{"events":[{"type":"Noted","data":1}]}`)
		var got []uint64
		for i := range answers {
			if a := &answers[i]; a.err != nil || a.reply.Outcome != "committed" || len(a.reply.Streams) != 1 {
				t.Fatalf("node %d answers %+v", i+1, a)
			}
			got = append(got, answers[i].reply.Streams[0].Version)
		}
		if slices.Sort(got); !slices.Equal(got, []uint64{version + 1, version + 2}) {
			t.Fatalf("got versions %d behind %d", got, version)
		}
		version += 2
	}
	for n := range rounds {
		answers := c.both(t, "append.account.exact", fmt.Sprintf(`{"expect":%d,"events":[{"type":"Noted","data":1}]}`, n))
		won := slices.IndexFunc(answers[:], func(a asked) bool { return a.reply.Outcome == "committed" })
		if won < 0 {
			t.Fatalf("round %d: nobody wins: %+v", n, answers)
		}
		answers[1-won].conflict(t, bus.WireConflict{Stream: "account.exact", Want: event.Expect(n), Have: uint64(n) + 1})
	}
	c.wants(c.run("verify"), fmt.Sprintf("3 nodes agree on %d events", 3*rounds))
}

// TestStaleCheckOfTwoStreams appends to two streams of which one is not where it is demanded to be: nothing is written to either, at any node.
func TestStaleCheckOfTwoStreams(t *testing.T) {
	c := start(t, sqliteStores(t))
	for range 2 {
		c.run("append", "account.a", "1")
	}
	a := request(c.nc, "accord.v1.node.n2.append", `{"checks":[{"stream":"account.a","expect":1},{"stream":"account.b","expect":"none"}],
"events":[{"stream":"account.a","type":"Noted","data":1},{"stream":"account.b","type":"Noted","data":1}]}`)
	a.conflict(t, bus.WireConflict{Stream: "account.a", Want: 1, Have: 2})
	for _, node := range []string{"n1", "n2", "n3"} {
		at, err := c.client.At(node)
		if err != nil {
			t.Fatal(err)
		}
		for stream, want := range map[event.Stream]uint64{"account.a": 2, "account.b": 0} {
			if head, err := at.Head(t.Context(), stream); err != nil || head.Version != want {
				t.Errorf("%s has %s at %d (%v), want %d", node, stream, head.Version, err, want)
			}
		}
	}
	c.wants(c.run("verify"), "3 nodes agree on 2 events")
}
