package accord_test

import (
	"cmp"
	"slices"
	"testing"

	"natsaccord/accord"
)

// region is a coordinator whose nodes answer after a fixed time each, and agree with everything.
type region struct {
	t       *testing.T
	machine *accord.Machine
	away    map[accord.NodeID]uint64 // milliseconds there and back
	now     uint64
	due     []answer
}

type answer struct {
	at   uint64
	from accord.NodeID
	msg  accord.Message
}

func newRegion(t *testing.T, fastQuorum int, electorate []accord.NodeID, away ...uint64) *region {
	r := &region{t: t, away: map[accord.NodeID]uint64{1: 1}, now: accord.Second}
	nodes := []accord.NodeID{1}
	for i, ms := range away {
		nodes = append(nodes, accord.NodeID(i+2))
		r.away[accord.NodeID(i+2)] = ms
	}
	var err error
	if r.machine, err = accord.New(accord.Config{Self: 1, Nodes: nodes, FastQuorum: fastQuorum, Electorate: electorate}); err != nil {
		t.Fatal(err)
	}
	return r
}

// append proposes a transaction, and returns in how many milliseconds it was decided, and how.
func (r *region) append() (ms uint64, path accord.Path) {
	r.t.Helper()
	began := r.now
	r.machine.Step(r.now, accord.Submit{Txn: &accord.Txn{Keys: accord.NewKeys([]accord.Key{"k"}), Body: []byte("b")}})
	for range 100_000 {
		for _, x := range r.handle() {
			r.machine.Step(r.now, accord.Executed{IDs: []accord.TxnID{x.Record.ID}})
			ms, path = (r.now-began)/accord.Millisecond, x.Path
		}
		if path != 0 && len(r.due) == 0 {
			r.now += accord.Millisecond + 1 // another time of day
			return ms, path
		}
		r.now += accord.Millisecond / 4
		r.deliver()
	}
	r.t.Fatal("never decided")
	return 0, 0
}

// handle does what the machine wants done.
func (r *region) handle() []accord.Execution {
	ready := r.machine.Ready()
	for _, msg := range slices.Concat(ready.Messages, ready.AfterPersist) {
		if msg.To == msg.From { // its own answer, once that is durable
			r.due = append(r.due, answer{r.now + accord.Millisecond, 1, msg})
		} else if body := agree(msg); body != nil {
			r.due = append(r.due, answer{r.now + r.away[msg.To]*accord.Millisecond, msg.To, accord.Message{From: msg.To, To: 1, TxnID: msg.TxnID, Body: body}})
		}
	}
	return ready.Execute
}

// agree answers as a node does that knows of nothing else.
func agree(msg accord.Message) accord.Body {
	switch b := msg.Body.(type) {
	case accord.PreAccept:
		return accord.PreAcceptOK{Vote: msg.TxnID.Timestamp, Fast: true}
	case accord.Accept:
		return accord.AcceptOK{Ballot: b.Ballot}
	case accord.Commit:
		return accord.CommitOK{Ballot: b.Ballot}
	case accord.Stable:
		return accord.StableOK{}
	}
	return nil
}

func (r *region) deliver() {
	slices.SortStableFunc(r.due, func(a, b answer) int { return cmp.Compare(a.at, b.at) })
	for len(r.due) > 0 && r.due[0].at <= r.now {
		a := r.due[0]
		r.due = r.due[1:]
		r.machine.Step(r.now, accord.Deliver{From: a.from, Header: accord.Header{SentHLC: r.now}, Messages: []accord.Message{a.msg}})
	}
	r.machine.Step(r.now, accord.Tick{})
}

// TestTheShorterWay: a coordinator knows its links after some transactions, and from then on decides as soon as the votes of a
// fast quorum can be there or two rounds to the nearest majority over, whichever is sooner.
func TestTheShorterWay(t *testing.T) {
	for _, c := range []struct {
		name     string
		fast     int             // quorum; 0: the default
		electors []accord.NodeID // electorate; nil: all
		away     []uint64
		path     accord.Path
		most     uint64 // milliseconds
	}{
		{"three regions", 3, nil, []uint64{65, 70}, accord.PathFast, 72},
		{"three regions, seen from a far one", 3, nil, []uint64{70, 125}, accord.PathFast, 127},
		{"five regions, two near", 5, nil, []uint64{65, 70, 150, 215}, accord.PathSlow, 143},
		{"five regions, a smaller fast quorum", 4, nil, []uint64{65, 70, 150, 215}, accord.PathFast, 152},
		{"five regions, seen from a far one", 5, nil, []uint64{162, 178, 70, 215}, accord.PathFast, 217},
		{"five regions, the last one a little late", 5, nil, []uint64{70, 97, 150, 205}, accord.PathFast, 207},
		{"one room", 3, nil, []uint64{1, 2}, accord.PathFast, 3},
		{"an electorate of two, the near ones", 0, []accord.NodeID{1, 2}, []uint64{65, 300}, accord.PathFast, 67},
		{"an electorate of two, seen from outside", 0, []accord.NodeID{2, 3}, []uint64{65, 70}, accord.PathFast, 72},
		{"an electorate of two, one very far", 0, []accord.NodeID{1, 3}, []uint64{65, 300}, accord.PathSlow, 203},
		{"an electorate of three of five", 0, []accord.NodeID{1, 2, 4}, []uint64{65, 150, 70, 215}, accord.PathFast, 72},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRegion(t, c.fast, c.electors, c.away...)
			for range 20 {
				r.append()
			}
			short := 0
			for range 64 {
				if ms, path := r.append(); path == c.path && ms <= c.most {
					short++
				}
			}
			if short < 64 {
				t.Errorf("%d of 64 took the %s path in %d ms or less", short, c.path, c.most)
			}
		})
	}
}
