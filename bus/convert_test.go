package bus_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"natsaccord/bus"
	"natsaccord/event"
)

// TestStatusComesBack: nothing of a status is lost on its way to a client.
func TestStatusComesBack(t *testing.T) {
	at := time.Unix(1_700_000_000, 123_456_000).UTC()
	want := event.NodeStatus{
		Name: "n1", Cluster: "c", Nodes: []string{"n1", "n2"}, Electorate: []string{"n1"}, FastQuorum: 1, Version: "1.2.3", Incarnation: 4, Store: "sqlite",
		State: "diverged", Reason: "why", Alarm: "what", InFlight: 5, Events: 6, Last: "last", LastAt: at, Frontier: "front", FrontierAt: at.Add(time.Millisecond),
		Publishing: true, Digest: event.Digest{From: 1, To: 6, Position: "last", Sum: "ab"}, Peers: []event.PeerStatus{{Name: "n2", Suspected: true, Lag: 7}},
		Counters: map[string]uint64{"fast": 8},
	}
	for i, v := 0, reflect.ValueOf(want); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not tried", v.Type().Field(i).Name)
		}
	}
	encoded, err := json.Marshal(bus.NewNodeReply(want))
	if err != nil {
		t.Fatal(err)
	}
	var reply bus.NodeReply
	if err := json.Unmarshal(encoded, &reply); err != nil {
		t.Fatal(err)
	}
	if got := reply.Status(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
