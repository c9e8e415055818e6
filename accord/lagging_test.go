package accord_test

import (
	"slices"
	"testing"

	"natsaccord/accord"
)

// lagging is a node among three that talks with one that has been away and is slow now.
type lagging struct {
	t       *testing.T
	machine *accord.Machine
	now     uint64
}

func newLagging(t *testing.T, self accord.NodeID) *lagging {
	m, err := accord.New(accord.Config{Self: self, Nodes: []accord.NodeID{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	return &lagging{t, m, accord.Second}
}

// hear has the machine hear from a node.
func (l *lagging) hear(from accord.NodeID, msgs ...accord.Message) {
	l.machine.Step(l.now, accord.Deliver{From: from, Header: accord.Header{SentHLC: l.now}, Messages: msgs})
}

// pass lets a time pass, and returns what is sent to others.
func (l *lagging) pass(span uint64) (sent []accord.Message) {
	for end := l.now + span; l.now < end; l.now += accord.Millisecond {
		l.machine.Step(l.now, accord.Tick{})
		sent = append(sent, l.handle()...)
	}
	return sent
}

// handle does what the machine wants done, until there is nothing more, and returns what is sent to others.
func (l *lagging) handle() (sent []accord.Message) {
	for {
		ready := l.machine.Ready()
		var own []accord.Message
		for _, msg := range slices.Concat(ready.Messages, ready.AfterPersist) {
			if msg.To == msg.From {
				own = append(own, msg)
			} else {
				sent = append(sent, msg)
			}
		}
		if len(own) == 0 && len(ready.Execute) == 0 {
			return sent
		}
		if len(own) > 0 {
			l.hear(own[0].From, own...)
		}
		for _, x := range ready.Execute {
			l.machine.Step(l.now, accord.Executed{IDs: []accord.TxnID{x.Record.ID}})
		}
	}
}

// to returns what of some messages goes to a node.
func to(node accord.NodeID, sent []accord.Message) []accord.Message {
	return slices.DeleteFunc(slices.Clone(sent), func(msg accord.Message) bool { return msg.To != node })
}

// bodies returns how many bytes of bodies decisions bring.
func bodies(sent []accord.Message) (bytes int) {
	for _, msg := range sent {
		if stable, ok := msg.Body.(accord.Stable); ok && stable.Txn != nil {
			bytes += len(stable.Txn.Body)
		}
	}
	return bytes
}

// TestSlowNodeIsNotFlooded: while node 3 was away, 300 large transactions were decided. It is back, and alive, but confirms nothing for
// two seconds. Before, these brought it 240 MiB; now no more is under way
// than it can be expected to take. Then it confirms what it is sent, and gets all of it.
func TestSlowNodeIsNotFlooded(t *testing.T) {
	const count, size, window = 300, 64 << 10, 1 << 20
	l := newLagging(t, 1)
	for range count {
		l.machine.Step(l.now, accord.Submit{Txn: &accord.Txn{Keys: accord.NewKeys([]accord.Key{"k"}), Body: make([]byte, size)}})
		for range 50 { // milliseconds, more than it takes to do without node 3
			for _, msg := range to(2, l.pass(accord.Millisecond)) {
				if body := agree(msg); body != nil {
					l.hear(2, accord.Message{From: 2, To: 1, TxnID: msg.TxnID, Body: body})
				}
			}
		}
	}
	if got := l.machine.Unacked(3); got != count {
		t.Fatalf("node 3 has %d decisions to confirm, want %d", got, count)
	}
	bytes := 0
	for range 200 { // for two seconds, each 10 ms a sign of life
		l.hear(3)
		bytes += bodies(to(3, l.pass(10*accord.Millisecond)))
	}
	if bytes < window || bytes > 8*window {
		t.Errorf("a node that confirms nothing was sent %d KiB in two seconds, want 1 to 8 MiB", bytes>>10)
	}
	for range 1000 {
		for _, msg := range to(3, l.pass(10*accord.Millisecond)) {
			if _, ok := msg.Body.(accord.Stable); ok {
				l.hear(3, accord.Message{From: 3, To: 1, TxnID: msg.TxnID, Body: accord.StableOK{}})
			}
		}
	}
	if got := l.machine.Unacked(3); got != 0 {
		t.Errorf("node 3 confirmed everything that it was sent for ten seconds, and %d decisions are left", got)
	}
}

// TestNodeThatLagsDoesNotAskForEverythingAtOnce: a node is told to wait for 1,000 transactions of 64 KiB that it has never heard of, over links that take
// more or less time for the answers. Before, it asked both others about all of them at once, and again while the answers were on their
// way, up to 800 MB of them. Now so many first questions are under way as bring some MiB, and when these are answered as many more, until it has
// asked about each; and hardly anything is asked twice.
func TestNodeThatLagsDoesNotAskForEverythingAtOnce(t *testing.T) {
	const count, size = 1000, 64 << 10
	for _, c := range []struct {
		name  string
		speed int    // bytes that the node can read in a millisecond
		delay uint64 // of an answer, microseconds
		most  uint64 // how long it may take until everything is there
	}{
		{"at 100 MB/s", 100_000, 100, 2 * accord.Second},
		{"at 10 MB/s", 10_000, 100, 20 * accord.Second},
		{"from far away", 100_000, 200_000, 20 * accord.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLagging(t, 3)
			wire := &wire3{lagging: l, speed: c.speed, delay: c.delay}
			began := l.now
			wire.miss(count)
			for l.machine.Counters().Applied < count+1 && l.now < began+c.most {
				wire.pass(size)
			}
			if got := l.machine.Counters().Applied; got != count+1 {
				t.Errorf("after %d ms %d of %d transactions are applied", c.most/accord.Millisecond, got, count+1)
			}
			if limit := 32 << 20; wire.most > limit {
				t.Errorf("%d KiB were under way at a time, want %d at most", wire.most>>10, limit>>10)
			}
			if limit := 5 * count / 2; wire.questions > limit { // both are asked
				t.Errorf("%d questions were asked about %d transactions, want %d at most", wire.questions, count, limit)
			}
		})
	}
}

// wire3 is what node 3 reads its answers from, one after another.
type wire3 struct {
	*lagging
	speed     int // bytes a millisecond
	delay     uint64
	queue     []answer3
	ready     int // bytes that may be read
	questions int
	most      int // bytes under way at a time
}

type answer3 struct {
	at  uint64
	msg accord.Message
}

// miss has node 3 wait for so many transactions that it has never heard of.
func (l *wire3) miss(count int) {
	var missed []accord.TxnID
	for i := range count {
		missed = append(missed, instant(i+1))
	}
	last := instant(count + 1)
	l.hear(1, accord.Message{From: 1, To: 3, TxnID: last, Body: accord.Stable{
		Txn: &accord.Txn{Keys: accord.NewKeys([]accord.Key{"k"}), Body: []byte("b")}, ExecuteAt: last.Timestamp, Deps: accord.NewDeps(accord.Timestamp{}, missed),
	}})
}

// pass lets a millisecond pass: what is asked is answered, with a body of so many bytes, and read in its time.
func (l *wire3) pass(size int) {
	for _, msg := range l.lagging.pass(accord.Millisecond) {
		if _, ok := msg.Body.(accord.Fetch); !ok {
			continue
		}
		l.questions++
		l.queue = append(l.queue, answer3{l.now + l.delay, accord.Message{From: msg.To, To: 3, TxnID: msg.TxnID, Body: accord.FetchOK{Record: accord.Record{
			ID: msg.TxnID, Txn: &accord.Txn{Keys: accord.NewKeys([]accord.Key{"k"}), Body: make([]byte, size)},
			Status: accord.StatusApplied, ExecuteAt: msg.TxnID.Timestamp, Deps: &accord.Deps{},
		}}}})
	}
	l.most = max(l.most, len(l.queue)*size)
	l.ready = min(l.ready+l.speed, l.speed+2*size)
	for len(l.queue) > 0 && l.queue[0].at <= l.now && l.ready >= size {
		l.ready -= size
		l.hear(l.queue[0].msg.From, l.queue[0].msg)
		l.queue = l.queue[1:]
	}
}
