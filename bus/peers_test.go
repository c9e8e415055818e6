package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/accord"
	"natsaccord/bus"
	"natsaccord/embeddednats"
)

// batch is what Receive's function was called with.
type batch struct {
	from accord.NodeID
	h    accord.Header
	msgs []accord.Message
}

// wire is a NATS server with the nodes n1, n2 and n3 on it, as far as they are started.
type wire struct {
	*testing.T
	server *embeddednats.Server
}

func newWire(t *testing.T, maxPayload int) *wire {
	t.Helper()
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{MaxPayload: maxPayload})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	return &wire{t, server}
}

func (w *wire) connect() *nats.Conn {
	w.Helper()
	return connect(w.T, w.server)
}

func nodes() []string { return []string{"n1", "n2", "n3"} }

func subjects() bus.Subjects { return bus.Subjects{Prefix: "accord", Cluster: "test"} }

// peers starts a node's end. What it receives comes out of the channel, and it is known to listen.
func (w *wire) peers(self string, change func(*bus.PeersConfig)) (*bus.Peers, <-chan batch) {
	w.Helper()
	cfg := bus.PeersConfig{Subjects: subjects(), Self: self, Nodes: nodes(), Incarnation: 1}
	if change != nil {
		change(&cfg)
	}
	nc := w.connect()
	p, err := bus.NewPeers(nc, cfg)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(p.Close)
	received := make(chan batch, 1000)
	if err := p.Receive(func(from accord.NodeID, h accord.Header, msgs []accord.Message) { received <- batch{from, h, msgs} }); err != nil {
		w.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		w.Fatal(err)
	}
	return p, received
}

// take waits for the next batch.
func (w *wire) take(received <-chan batch) batch {
	w.Helper()
	select {
	case b := <-received:
		return b
	case <-time.After(10 * time.Second):
		w.Fatal("nothing was received")
		return batch{}
	}
}

// counted waits until a counter has a value: what is dropped has no other trace.
func (w *wire) counted(p *bus.Peers, name string, want uint64) {
	w.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for p.Counters()[name] != want {
		select {
		case <-ticker.C:
		case <-deadline.C:
			w.Fatalf("got %d %s, want %d; all: %v", p.Counters()[name], name, want, p.Counters())
		}
	}
}

func to2(id uint64, body accord.Body) accord.Message {
	return accord.Message{From: 1, To: 2, TxnID: accord.TxnID{Timestamp: at(id)}, Body: body}
}

func TestPeersCarryMessages(t *testing.T) {
	w := newWire(t, 0)
	n1, _ := w.peers("n1", nil)
	_, received := w.peers("n2", nil)
	txn := &accord.Txn{Keys: accord.NewKeys([]accord.Key{"a", "b"}), Body: []byte("body")}
	n1.Send(accord.Header{SentHLC: 7, Watermark: at(3)}, []accord.Message{to2(1, accord.PreAccept{Txn: txn}), to2(2, accord.PreAccept{Txn: txn})})
	got := w.take(received)
	if got.from != 1 || got.h.SentHLC != 7 || got.h.Watermark != at(3) || len(got.msgs) != 2 {
		t.Fatalf("got %+v, want two messages of node 1", got)
	}
	pre, ok := got.msgs[1].Body.(accord.PreAccept)
	if !ok || !bytes.Equal(pre.Txn.Body, txn.Body) || !slices.Equal(pre.Txn.Keys, txn.Keys) || got.msgs[1].TxnID.Timestamp != at(2) {
		t.Errorf("got %+v, want the message as it was sent", got.msgs[1])
	}
}

// One turn of the loop is one publish for each peer and phase, however many messages it has.
func TestPeersPublishOncePerPeerAndPhase(t *testing.T) {
	w := newWire(t, 0)
	n1, _ := w.peers("n1", nil)
	_, received2 := w.peers("n2", nil)
	_, received3 := w.peers("n3", nil)
	var msgs []accord.Message
	for i := range uint64(50) {
		msgs = append(msgs, to2(i+1, accord.Fetch{}), to2(i+1, accord.StableOK{}))
		msgs = append(msgs, accord.Message{From: 1, To: 3, TxnID: accord.TxnID{Timestamp: at(i + 1)}, Body: accord.Fetch{}})
	}
	n1.Send(accord.Header{}, msgs)
	if a, b, c := w.take(received2), w.take(received2), w.take(received3); len(a.msgs)+len(b.msgs)+len(c.msgs) != 150 {
		t.Errorf("got %d, %d and %d messages, want 150 in all", len(a.msgs), len(b.msgs), len(c.msgs))
	}
	w.counted(n1, "sent_messages", 150)
	w.counted(n1, "sent_frames", 3)
}

// What does not fit one message of NATS goes in several, and arrives whole and in order.
func TestPeersSplitWhatIsTooLarge(t *testing.T) {
	w := newWire(t, 32<<10)
	n1, _ := w.peers("n1", nil)
	_, received := w.peers("n2", nil)
	body := bytes.Repeat([]byte("x"), 10<<10)
	var msgs []accord.Message
	for i := range uint64(20) {
		msgs = append(msgs, to2(i+1, accord.PreAccept{Txn: &accord.Txn{Keys: accord.Keys{"k"}, Body: body}}))
	}
	huge := to2(99, accord.PreAccept{Txn: &accord.Txn{Keys: accord.Keys{"k"}, Body: bytes.Repeat([]byte("x"), 40<<10)}})
	n1.Send(accord.Header{}, append(msgs, huge))
	var next uint64 = 1
	for next <= 20 {
		for _, msg := range w.take(received).msgs {
			if msg.TxnID.Timestamp != at(next) || len(msg.Body.(accord.PreAccept).Txn.Body) != len(body) {
				t.Fatalf("got %s, want %s, whole", msg.TxnID, at(next))
			}
			next++
		}
	}
	w.counted(n1, "dropped_too_large", 1)
	w.counted(n1, "sent_messages", 20)
	if frames := n1.Counters()["sent_frames"]; frames < 7 {
		t.Errorf("got %d frames for 200 KiB, want at least 7", frames)
	}
}

// forged publishes a frame on the subject of one node to another.
func (w *wire) forged(from, to string, frame []byte) {
	w.Helper()
	w.forgedOn(bus.PhaseFetch, from, to, frame)
}

func (w *wire) forgedOn(phase bus.Phase, from, to string, frame []byte) {
	w.Helper()
	nc := w.connect()
	if err := nc.Publish(subjects().Peer(to, from, phase), frame); err != nil {
		w.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		w.Fatal(err)
	}
}

func TestPeersDropWhatIsNotForThemOrNotFromWhomItSays(t *testing.T) {
	fetch := []accord.Message{to2(1, accord.Fetch{})}
	right := bus.Envelope{Cluster: "test", From: 1, To: 2, Incarnation: 5}
	cases := []struct {
		counter string
		from    string // of the subject
		change  func(*bus.Envelope)
	}{
		{"dropped_other_sender", "n3", func(*bus.Envelope) {}},
		{"dropped_other_sender", "n9", func(*bus.Envelope) {}},
		{"dropped_other_sender", "n2", func(e *bus.Envelope) { e.From = 2 }},
		{"dropped_other_cluster", "n1", func(e *bus.Envelope) { e.Cluster = "other" }},
		{"dropped_other_receiver", "n1", func(e *bus.Envelope) { e.To = 3 }},
		{"dropped_other_epoch", "n1", func(e *bus.Envelope) { e.Epoch = 1 }},
		{"dropped_old_incarnation", "n1", func(e *bus.Envelope) { e.Incarnation = 0 }},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s from %s", c.counter, c.from), func(t *testing.T) {
			w := newWire(t, 0)
			n2, received := w.peers("n2", nil)
			e := right
			c.change(&e)
			w.forged(c.from, "n2", bus.AppendFrame(nil, e, fetch))
			w.counted(n2, c.counter, 1)
			w.forged("n1", "n2", bus.AppendFrame(nil, right, fetch))
			if got := w.take(received); got.from != 1 {
				t.Errorf("got a batch of node %d, want only the right one, of node 1", got.from)
			}
			if n := n2.Counters()["received_messages"]; n != 1 {
				t.Errorf("got %d messages, want 1", n)
			}
		})
	}
}

// A process that was replaced is not heard any more, whatever it has left to say.
func TestPeersFenceOlderIncarnations(t *testing.T) {
	w := newWire(t, 0)
	old, _ := w.peers("n1", func(c *bus.PeersConfig) { c.Incarnation = 4 })
	n2, received := w.peers("n2", nil)
	old.Send(accord.Header{SentHLC: 1}, []accord.Message{to2(1, accord.Fetch{})})
	w.take(received)
	successor, _ := w.peers("n1", func(c *bus.PeersConfig) { c.Incarnation = 5 })
	successor.Send(accord.Header{SentHLC: 2}, []accord.Message{to2(2, accord.Fetch{})})
	w.take(received)
	old.Send(accord.Header{SentHLC: 3}, []accord.Message{to2(3, accord.Fetch{})})
	w.counted(n2, "dropped_old_incarnation", 1)
	successor.Send(accord.Header{SentHLC: 4}, []accord.Message{to2(4, accord.Fetch{})})
	if got := w.take(received); got.h.SentHLC != 4 {
		t.Errorf("got the batch of %d, want that of 4", got.h.SentHLC)
	}
}

// A frame of another version is answered, so that an operator learns which nodes do not understand each other.
func TestPeersAnswerUnknownVersions(t *testing.T) {
	for _, phase := range []bus.Phase{bus.PhaseFetch, bus.PhaseLog} {
		t.Run(string(phase), func(t *testing.T) {
			w := newWire(t, 0)
			n1, _ := w.peers("n1", nil)
			n2, _ := w.peers("n2", nil)
			frame := bus.AppendFrame(nil, bus.Envelope{Cluster: "test", From: 1, To: 2, Incarnation: 1}, nil)
			frame[0] = 9
			w.forgedOn(phase, "n1", "n2", frame)
			w.counted(n2, "dropped_unknown_version", 1)
			w.counted(n1, "refused_by_peer", 1) // and a refusal is not answered: it would never end
		})
	}
}

func TestPeersDropWhatTheyCannotRead(t *testing.T) {
	w := newWire(t, 0)
	n2, received := w.peers("n2", nil)
	frame := bus.AppendFrame(nil, bus.Envelope{Cluster: "test", From: 1, To: 2, Incarnation: 1}, []accord.Message{to2(1, accord.Fetch{})})
	bad := [][]byte{{}, {1}, frame[:len(frame)-1], append(slices.Clone(frame), 0), bytes.Repeat([]byte{1}, 100)}
	for _, b := range bad {
		w.forged("n1", "n2", b)
		w.forgedOn(bus.PhaseLog, "n1", "n2", b[:max(0, len(b)-20)])
	}
	w.counted(n2, "dropped_malformed", 2*uint64(len(bad)))
	w.forged("n1", "n2", frame)
	w.take(received)
}

// A full queue drops and says so. It is full while nobody publishes: the connection is not there.
func TestPeersDropWhatFindsTheQueueFull(t *testing.T) {
	w := newWire(t, 0)
	n1, _ := w.peers("n1", func(c *bus.PeersConfig) { c.MaxQueued = 10 })
	n1.Send(accord.Header{}, slices.Repeat([]accord.Message{to2(1, accord.Fetch{})}, 11))
	w.counted(n1, "dropped_queue_full", 11)
	large, _ := w.peers("n3", func(c *bus.PeersConfig) { c.MaxBytes = 10 })
	txn := &accord.Txn{Keys: accord.Keys{"k"}, Body: make([]byte, 20)}
	large.Send(accord.Header{}, []accord.Message{to2(1, accord.PreAccept{Txn: txn})})
	w.counted(large, "sent_messages", 1) // alone it may go, however large
}

// Frames that come faster than they are handled are dropped and counted; the connection goes on.
func TestPeersCountWhatTheyAreTooSlowFor(t *testing.T) {
	w := newWire(t, 0)
	n1, _ := w.peers("n1", nil)
	nc := w.connect()
	n2, err := bus.NewPeers(nc, bus.PeersConfig{Subjects: subjects(), Self: "n2", Nodes: nodes(), Incarnation: 1, MaxUnread: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n2.Close)
	entered, leave := make(chan struct{}, 10), make(chan struct{})
	release := sync.OnceFunc(func() { close(leave) })
	defer release()
	if err := n2.Receive(func(accord.NodeID, accord.Header, []accord.Message) { entered <- struct{}{}; <-leave }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	n1.Send(accord.Header{}, []accord.Message{to2(1, accord.Fetch{})})
	<-entered
	for i := range uint64(9) {
		n1.Send(accord.Header{}, []accord.Message{to2(i+2, accord.Fetch{})})
	}
	w.counted(n2, "dropped_slow_consumer", 7)
	release()
	w.counted(n2, "received_messages", 3)
	n2.Close()
	w.counted(n2, "dropped_slow_consumer", 7)
}

// After Close nothing is handed on, and nothing is being handed on.
func TestPeersCloseWaitsForReceive(t *testing.T) {
	w := newWire(t, 0)
	n1, _ := w.peers("n1", nil)
	nc := w.connect()
	n2, err := bus.NewPeers(nc, bus.PeersConfig{Subjects: subjects(), Self: "n2", Nodes: nodes(), Incarnation: 1})
	if err != nil {
		t.Fatal(err)
	}
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var mu sync.Mutex
	closed, late := false, 0
	if err := n2.Receive(func(accord.NodeID, accord.Header, []accord.Message) {
		once.Do(func() { close(entered); <-leave })
		mu.Lock()
		defer mu.Unlock()
		if closed {
			late++
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(100) {
		n1.Send(accord.Header{}, []accord.Message{to2(i+1, accord.Fetch{})})
	}
	<-entered
	done := make(chan struct{})
	go func() {
		n2.Close()
		mu.Lock()
		closed = true
		mu.Unlock()
		close(done)
	}()
	select {
	case <-done:
		t.Error("Close returned while a batch was being handled")
	case <-time.After(20 * time.Millisecond): // it can only be seen to wait
	}
	close(leave)
	<-done
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if mu.Lock(); late > 0 {
		t.Errorf("got %d batches after Close", late)
	}
	mu.Unlock()
}

// Answers about logs are larger than messages of NATS can be, and come whole or not at all.
func TestPeersAskForLogs(t *testing.T) {
	w := newWire(t, 32<<10)
	n1, _ := w.peers("n1", nil)
	n2, _ := w.peers("n2", nil)
	answer := bytes.Repeat([]byte("0123456789"), 20<<10)
	n2.AnswerLog(func(_ context.Context, question []byte) ([]byte, error) {
		if string(question) == "bad" {
			return nil, errors.New("secret detail")
		}
		return append([]byte(question), answer...), nil
	})
	for _, question := range []string{"", "after 7"} {
		got, err := n1.AskLog(t.Context(), 2, []byte(question))
		if err != nil || string(got) != question+string(answer) {
			t.Errorf("got %d bytes and error %v, want %d", len(got), err, len(question)+len(answer))
		}
	}
	if _, err := n1.AskLog(t.Context(), 2, []byte("bad")); !errors.Is(err, bus.ErrNoAnswer) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got error %v, want ErrNoAnswer without the other's reasons", err)
	}
	nobody, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := n1.AskLog(nobody, 3, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v of a node that is not there, want the deadline", err)
	}
}
