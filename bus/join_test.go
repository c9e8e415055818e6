package bus_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/event"
)

// TestJoin has a node answer what it is asked by its name, and how the cluster is, from the beginning, and what any node can answer once it has joined.
func TestJoin(t *testing.T) {
	s := serve(t, 0, bus.ServiceConfig{Apart: true}, backend{})
	var head bus.HeadReply
	shared := []string{"head.account.7", "head", "append.account.7", "appends", "txn.x", "subscriber.list"}
	for _, subject := range shared {
		if _, err := s.nc.RequestWithContext(t.Context(), "accord.v1."+subject, nil); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("%s: got %v, want nobody to answer", subject, err)
		}
	}
	if s.ask("node.n1.head.account.7", ``, &head); head.Type != bus.TypeHeadReply {
		t.Errorf("by its name: got %+v", head)
	}
	s.infos(1)
	for range 2 { // joining again changes nothing
		if err := s.service.Join(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.own.Flush(); err != nil {
		t.Fatal(err)
	}
	s.infos(1)
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

// infos asks how the cluster is, and wants so many answers.
func (s served) infos(want int) {
	s.Helper()
	inbox := nats.NewInbox()
	answers, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		s.Fatal(err)
	}
	if err := s.nc.PublishRequest("accord.v1.cluster.info", inbox, nil); err != nil {
		s.Fatal(err)
	}
	if _, err := answers.NextMsgWithContext(s.Context()); err != nil {
		s.Fatal(err)
	}
	var head bus.HeadReply
	for range 3 { // what had been asked for twice is there by then
		s.ask("node.n1.head.account.7", ``, &head)
	}
	if more, _, err := answers.Pending(); err != nil || more+1 != want {
		s.Errorf("got %d answers and error %v, want %d", more+1, err, want)
	}
}
