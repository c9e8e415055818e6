package accordtest

import (
	"testing"

	"natsaccord/accord"
)

// TestAnswersToAcceptedFences: a fence may be accepted from two that collect it before anything is synced. What it is accepted
// with then lacks what either did not name, and so may the record that the answer to the first one is sent with.
func TestAnswersToAcceptedFences(t *testing.T) {
	txn := func(hlc uint64) accord.TxnID {
		return accord.TxnID{Timestamp: accord.Timestamp{HLC: hlc, Kind: accord.KindWrite, Node: 1}}
	}
	fence := accord.TxnID{Timestamp: accord.Timestamp{HLC: 100, Kind: accord.KindFence, Node: 1}}
	known, lost, unknown := txn(10), txn(11), txn(12)
	body := &accord.Txn{Keys: accord.NewKeys([]accord.Key{"k"})}
	named := func(ids ...accord.TxnID) accord.Deps { return accord.NewDeps(accord.Timestamp{HLC: 5}, ids) }
	for name, c := range map[string]struct {
		accepted, answer accord.Deps
		legal            bool
	}{
		"as accepted":                           {named(known), named(known), true},
		"narrowed since":                        {named(known), named(known, unknown), true},
		"accepted with what it does not name":   {named(known, unknown), named(known), false},
		"silent about more than the answer is":  {accord.NewDeps(accord.Timestamp{HLC: 6}, nil), named(), false},
		"names what its sender may forget":      {named(known), named(known, lost), false},
		"names what its sender knows and keeps": {named(), named(known), true},
	} {
		t.Run(name, func(t *testing.T) {
			durableView, live := newView(), newView()
			durableView.scalars.ConflictFloor, durableView.scalars.Watermark = fence.Timestamp, accord.Timestamp{HLC: 6}
			durableView.records[known] = accord.Record{ID: known, Txn: body}
			durableView.records[fence] = accord.Record{ID: fence, Status: accord.StatusAccepted, AcceptedDeps: &c.accepted}
			for _, id := range []accord.TxnID{known, lost} {
				live.records[id] = accord.Record{ID: id, Txn: body}
			}
			d := durable{&durableView, &live, 1, accord.Message{TxnID: fence, Body: accord.FenceOK{Round: 2, Deps: c.answer}}}
			if err := d.body(); (err == nil) != c.legal {
				t.Errorf("got %v, want it to be legal: %t", err, c.legal)
			}
		})
	}
}
