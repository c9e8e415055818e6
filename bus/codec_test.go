package bus_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"

	"natsaccord/accord"
	"natsaccord/bus"
)

func at(hlc uint64) accord.Timestamp {
	return accord.Timestamp{HLC: hlc, Epoch: 1, Node: 2, Kind: accord.KindWrite}
}
func id(hlc uint64) accord.TxnID { return accord.TxnID{Timestamp: at(hlc)} }
func ballot(hlc uint64) accord.Ballot {
	return accord.Ballot{Timestamp: accord.Timestamp{HLC: hlc, Node: 3}}
}

// bodies returns a message of every kind, with something in every field.
func bodies() []accord.Body {
	txn := &accord.Txn{Keys: accord.NewKeys([]accord.Key{"sa.1", "cr"}), Body: []byte{1, 2, 3}}
	deps := accord.NewDeps(at(1), []accord.TxnID{id(2), id(3)})
	stable := accord.Stable{Txn: txn, ExecuteAt: at(9), Deps: deps, Truncated: true}
	record := accord.Record{
		ID: id(5), Txn: txn, Status: accord.StatusStable, Promised: ballot(6), Vote: at(7), VoteFast: true, VoteRejected: true,
		AcceptedBallot: ballot(4), ExecuteAt: at(9), AcceptedDeps: &deps, Deps: &deps,
	}
	return []accord.Body{
		accord.PreAccept{Txn: txn}, accord.PreAcceptOK{Vote: at(6), Fast: true, Rejected: true, Deps: deps},
		accord.Accept{Ballot: ballot(6), Txn: txn, ExecuteAt: at(9), Deps: deps}, accord.AcceptOK{Ballot: ballot(6), Deps: deps},
		accord.AcceptInvalidate{Ballot: ballot(6)}, accord.AcceptInvalidateOK{Ballot: ballot(6)},
		accord.Nack{Ballot: ballot(6), Reason: accord.NackStable, Promised: ballot(7), Stable: &stable},
		stable, accord.StableOK{}, accord.Invalidated{}, accord.InvalidatedOK{}, accord.Fetch{}, accord.FetchOK{Record: record, Active: true},
		accord.Commit{Ballot: ballot(6), Txn: txn, ExecuteAt: at(9), Deps: deps}, accord.CommitOK{Ballot: ballot(6)},
		accord.Recover{Ballot: ballot(6), Txn: txn},
		accord.RecoverOK{
			Ballot: ballot(6), Status: accord.StatusAccepted, AcceptedBallot: ballot(5), ExecuteAt: at(9), AcceptedDeps: deps,
			Vote: at(7), Fast: true, Rejected: true, LocalDeps: deps, RuledOut: true, Wait: []accord.TxnID{id(2)},
		},
		accord.BeginInvalidation{Ballot: ballot(6)},
		accord.InvalidateOK{Ballot: ballot(6), Status: accord.StatusPreAccepted, AcceptedBallot: ballot(5), Txn: txn},
		accord.FenceCollect{}, accord.FenceAccept{Deps: deps}, accord.FenceOK{Round: 2, Deps: deps}, accord.FenceCommit{Deps: deps}, accord.FenceFetch{},
		accord.ReadDeps{Keys: txn.Keys}, accord.ReadDepsOK{Deps: deps}, accord.Ping{}, accord.Pong{HLCLimit: 77, RedundantBefore: at(5)},
	}
}

func messages() []accord.Message {
	var msgs []accord.Message
	for _, body := range bodies() {
		msgs = append(msgs, accord.Message{From: 1, To: 2, TxnID: id(5), Body: body})
	}
	return msgs
}

func envelope() bus.Envelope {
	return bus.Envelope{Cluster: "c", From: 1, To: 2, Incarnation: 3, Epoch: 4, Header: accord.Header{SentHLC: 5, Watermark: at(1), RedundantBefore: at(1)}}
}

func TestFrameRoundTrip(t *testing.T) {
	frame := bus.AppendFrame(nil, envelope(), messages())
	e, msgs, err := bus.DecodeFrame(frame)
	if err != nil {
		t.Fatal(err)
	}
	if e != envelope() {
		t.Errorf("got envelope %+v, want %+v", e, envelope())
	}
	if len(msgs) != len(bodies()) {
		t.Fatalf("got %d messages, want %d", len(msgs), len(bodies()))
	}
	for i, want := range messages() {
		if !reflect.DeepEqual(msgs[i].Body, want.Body) || msgs[i].TxnID != want.TxnID {
			t.Errorf("got %+v, want %+v", msgs[i], want)
		}
	}
	if again := bus.AppendFrame(nil, e, msgs); !bytes.Equal(again, frame) {
		t.Error("what was decoded encodes differently")
	}
}

// TestEveryBodyIsTested finds the message types of the core that bodies lacks.
func TestEveryBodyIsTested(t *testing.T) {
	tested := make(map[string]bool)
	for _, body := range bodies() {
		tested[reflect.TypeOf(body).Name()] = true
	}
	found := 0
	for _, file := range []string{"message.go", "message_recover.go", "message_fence.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), "../accord/"+file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != "isBody" {
				continue
			}
			found++
			if name := f.Recv.List[0].Type.(*ast.Ident).Name; !tested[name] {
				t.Errorf("no frame holds a %s", name)
			}
		}
	}
	if found != len(bodies()) {
		t.Errorf("the core has %d messages, %d are tested", found, len(bodies()))
	}
}

func TestCutAndChangedFramesDoNotPanic(t *testing.T) {
	frame := bus.AppendFrame(nil, envelope(), messages())
	for n := range frame {
		if _, _, err := bus.DecodeFrame(frame[:n]); err == nil {
			t.Fatalf("a frame of %d bytes decodes when cut to %d", len(frame), n)
		}
		for _, b := range []byte{0, 1, 0x7f, 0xff} {
			changed := bytes.Clone(frame)
			changed[n] = b
			_, _, _ = bus.DecodeFrame(changed) // must come back
		}
	}
	if _, _, err := bus.DecodeFrame(append(frame, 0)); err == nil {
		t.Error("a frame with a byte too many decodes")
	}
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add(bus.AppendFrame(nil, envelope(), messages()))
	for _, msg := range messages() {
		f.Add(bus.AppendFrame(nil, envelope(), []accord.Message{msg}))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		e, msgs, err := bus.DecodeFrame(frame)
		if err != nil {
			return
		}
		again, msgsAgain, err := bus.DecodeFrame(bus.AppendFrame(nil, e, msgs))
		if err != nil || again != e || !reflect.DeepEqual(msgs, msgsAgain) {
			t.Errorf("what was decoded does not survive: %v", err)
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	msg := accord.Message{From: 1, To: 2, TxnID: id(5), Body: accord.PreAccept{Txn: &accord.Txn{
		Keys: accord.NewKeys([]accord.Key{"saccount.alice", "c01K0000000000000000000000", "e01K0000000000000000000000"}), Body: []byte(strings.Repeat("x", 256)),
	}}}
	b.ReportAllocs()
	var frame []byte
	for b.Loop() {
		frame = bus.AppendFrame(frame[:0], envelope(), []accord.Message{msg})
		if _, _, err := bus.DecodeFrame(frame); err != nil {
			b.Fatal(err)
		}
	}
}
