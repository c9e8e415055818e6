package bus_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/event"
)

// TestJoin has a node answer what it is asked by its name from the beginning, and what any node can answer once it has joined.
func TestJoin(t *testing.T) {
	s := serve(t, 0, bus.ServiceConfig{Apart: true}, backend{})
	var head bus.HeadReply
	shared := []string{"head.account.7", "head", "cluster.info", "append.account.7", "appends", "txn.x", "subscriber.list"}
	for _, subject := range shared {
		if _, err := s.nc.RequestWithContext(t.Context(), "accord.v1."+subject, nil); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("%s: got %v, want nobody to answer", subject, err)
		}
	}
	if s.ask("node.n1.head.account.7", ``, &head); head.Type != bus.TypeHeadReply {
		t.Errorf("by its name: got %+v", head)
	}
	for range 2 { // joining again changes nothing
		if err := s.service.Join(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.own.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, subject := range shared {
		if _, err := s.nc.RequestWithContext(t.Context(), "accord.v1."+subject, nil); err != nil {
			t.Errorf("%s: got %v", subject, err)
		}
	}
	if err := s.service.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.service.Join(); !errors.Is(err, event.ErrDraining) {
		t.Errorf("joining after the end: got %v", err)
	}
}
