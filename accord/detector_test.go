package accord_test

import (
	"testing"

	"natsaccord/accord"
)

// link is a replica that asks another one, which answers after a while, or not at all.
type link struct {
	t       *testing.T
	machine *accord.Machine
	now     uint64
}

const asked, silent = accord.NodeID(2), accord.NodeID(3)

func newLink(t *testing.T) *link {
	m, err := accord.New(accord.Config{Self: 1, Nodes: []accord.NodeID{1, asked, silent}})
	if err != nil {
		t.Fatal(err)
	}
	return &link{t, m, accord.Second}
}

// ask makes the replica ask everybody.
func (l *link) ask() {
	l.machine.Step(l.now, accord.Submit{Txn: &accord.Txn{Keys: accord.NewKeys([]accord.Key{"k"}), Body: []byte("b")}})
	l.machine.Ready()
}

// answers has the asked node be heard of so long after each of so many questions.
func (l *link) answers(count int, after uint64) {
	for range count {
		l.ask()
		l.now += after
		l.machine.Step(l.now, accord.Deliver{From: asked, Header: accord.Header{SentHLC: l.now}})
		l.machine.Ready()
	}
}

// suspectedAfter returns after how many milliseconds of silence a node is suspected.
func (l *link) suspectedAfter(node accord.NodeID) uint64 {
	l.t.Helper()
	l.ask()
	for ms := range uint64(10_000) {
		l.machine.Step(l.now+ms*accord.Millisecond, accord.Tick{})
		l.machine.Ready()
		if l.machine.Suspected(node) {
			return ms
		}
	}
	l.t.Fatal("never suspected")
	return 0
}

// TestSuspicion: a node is suspected when it is later than it is wont to be; one that was never heard of, and one of
// which little is known, after the fixed limit.
func TestSuspicion(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers int
		after   uint64 // milliseconds
		want    [2]uint64
	}{
		{"little known", 5, 1, [2]uint64{1000, 1002}},
		{"quick", 50, 1, [2]uint64{200, 202}},
		{"steady and slow", 50, 300, [2]uint64{300, 350}},
		{"slower than the fixed limit", 50, 1500, [2]uint64{1500, 4001}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLink(t)
			l.answers(c.answers, c.after*accord.Millisecond)
			if got := l.suspectedAfter(asked); got < c.want[0] || got > c.want[1] {
				t.Errorf("suspected after %d ms, want %d to %d", got, c.want[0], c.want[1])
			}
		})
	}
}

// TestAbsenceTeachesLittle: a node that was away for long is suspected about as soon as before when it goes again.
func TestAbsenceTeachesLittle(t *testing.T) {
	l := newLink(t)
	l.answers(50, accord.Millisecond)
	l.answers(1, 60*accord.Second)
	l.answers(20, accord.Millisecond)
	if got := l.suspectedAfter(asked); got > 250 {
		t.Errorf("suspected after %d ms", got)
	}
}

// TestUnheardNode: who has never answered is suspected after the fixed limit.
func TestUnheardNode(t *testing.T) {
	l := newLink(t)
	if got := l.suspectedAfter(silent); got < 1000 || got > 1002 {
		t.Errorf("suspected after %d ms", got)
	}
}
