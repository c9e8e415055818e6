package sqlstore

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"natsaccord/accord"
)

func drawTimestamp(t *rapid.T) accord.Timestamp {
	if rapid.Bool().Draw(t, "none") {
		return accord.Timestamp{}
	}
	return accord.Timestamp{
		HLC: rapid.Uint64().Draw(t, "hlc"), Epoch: rapid.Uint32().Draw(t, "epoch"),
		Node: accord.NodeID(rapid.Uint16().Draw(t, "node")), Kind: rapid.SampledFrom([]accord.Kind{accord.KindVote, accord.KindWrite, accord.KindFenceX}).Draw(t, "kind"),
	}
}

func drawDeps(t *rapid.T) *accord.Deps {
	if rapid.Bool().Draw(t, "no deps") {
		return nil
	}
	d := &accord.Deps{Floor: drawTimestamp(t), IDs: []accord.TxnID{}}
	for range rapid.IntRange(0, 3).Draw(t, "deps") {
		d.IDs = append(d.IDs, accord.TxnID{Timestamp: drawTimestamp(t)})
	}
	return d
}

func drawRecord(t *rapid.T) accord.Record {
	r := accord.Record{
		ID: accord.TxnID{Timestamp: drawTimestamp(t)}, Status: accord.Status(rapid.IntRange(0, int(accord.StatusInvalidated)).Draw(t, "status")),
		Promised: accord.Ballot{Timestamp: drawTimestamp(t)}, Vote: drawTimestamp(t), VoteFast: rapid.Bool().Draw(t, "fast"),
		VoteRejected: rapid.Bool().Draw(t, "rejected"), AcceptedBallot: accord.Ballot{Timestamp: drawTimestamp(t)},
		ExecuteAt: drawTimestamp(t), AcceptedDeps: drawDeps(t), Deps: drawDeps(t),
	}
	if rapid.Bool().Draw(t, "txn") {
		var keys []accord.Key
		for _, key := range rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "keys") {
			keys = append(keys, accord.Key(key))
		}
		r.Txn = &accord.Txn{Keys: accord.NewKeys(keys), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body")}
	}
	return r
}

func TestEntryComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := make([]accord.Record, 0)
		for range rapid.IntRange(0, 3).Draw(t, "records") {
			want = append(want, drawRecord(t))
		}
		var scalars *accord.Scalars
		if rapid.Bool().Draw(t, "scalars") {
			scalars = &accord.Scalars{HLCLimit: rapid.Uint64().Draw(t, "limit"), Epoch: rapid.Uint32().Draw(t, "epoch"), ConflictFloor: drawTimestamp(t),
				RejectFloor: drawTimestamp(t), Watermark: drawTimestamp(t), RedundantBefore: drawTimestamp(t)}
		}
		entry := appendEntry(nil, want, scalars)
		records, found, err := decodeEntry(entry)
		if err != nil || !reflect.DeepEqual(records, want) || !reflect.DeepEqual(found, scalars) {
			t.Fatalf("got %+v, %+v, %v, want %+v, %+v", records, found, err, want, scalars)
		}
		if n := rapid.IntRange(0, len(entry)-1).Draw(t, "cut"); true {
			if _, _, err := decodeEntry(entry[:n]); !errors.Is(err, errCorrupt) {
				t.Fatalf("cut at %d: got %v, want an error", n, err)
			}
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	deps := accord.NewDeps(accord.Timestamp{HLC: 1}, []accord.TxnID{{Timestamp: accord.Timestamp{HLC: 2, Kind: accord.KindWrite}}})
	f.Add(appendEntry(nil, []accord.Record{{Txn: &accord.Txn{Keys: accord.Keys{"a"}, Body: []byte("b")}, Deps: &deps}}, &accord.Scalars{HLCLimit: 7}))
	f.Add(appendEntry(nil, nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, scalars, err := decodeEntry(b)
		if err != nil {
			return
		}
		again, scalarsAgain, err := decodeEntry(appendEntry(nil, records, scalars))
		if err != nil || !reflect.DeepEqual(again, records) || !reflect.DeepEqual(scalarsAgain, scalars) {
			t.Fatalf("got %+v, %+v, %v, want %+v, %+v", again, scalarsAgain, err, records, scalars)
		}
	})
}
