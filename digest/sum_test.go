package digest_test

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// TestSumsNeverChange holds the encoding: sums stand in databases, and all versions of the program must agree on them.
func TestSumsNeverChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		full := event.Event{
			ID: ulid.MustParse("01ARZ3NDEKTSV4RRFFQ69G5FAV"), Stream: "order.17", Version: 3, Position: position(2), TxnID: "0000000006hqd7fs0000400002", Type: "Placed",
			Data: []byte(`{"a":[1,2]}`), Metadata: map[string]string{"b": "2", "a": "1"}, RoutingKey: "eu", Tags: []string{"large", "new"},
			RecordedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		}
		w.nodes[0].log = []event.Event{made(1), full, {Position: position(3), Binary: true, Data: []byte{0, 1}, RecordedAt: time.UnixMicro(0)}}
		w.nodes[0].frontier = position(9)
		w.start()
		<-time.After(2 * time.Second)
		const want = "f6f0a80af1b2d8f47a5aa75c0d509a40efadf74506387eb9bc7b7b6846ba79d0"
		if got := w.nodes[0].digester.Status().End; got.To != 3 || got.Sum != want {
			t.Errorf("got %+v, want the sum %s", got, want)
		}
		w.end()
	})
}

// TestSumsCoverEverything: whoever adds a field to event.Event has to decide whether it is part of the sum.
func TestSumsCoverEverything(t *testing.T) {
	known := map[string]bool{
		"ID": true, "Stream": true, "Version": true, "Position": true, "TxnID": true, "Type": true, "Data": true, "Binary": true,
		"Metadata": true, "RoutingKey": true, "Tags": true, "RecordedAt": true,
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[event.Event]()) {
		if !known[field.Name] {
			t.Errorf("event.Event has a field %s that no digest covers", field.Name)
		}
	}
}
