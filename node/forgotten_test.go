package node

import (
	"errors"
	"testing"

	"natsaccord/accord"
	"natsaccord/event"
)

// TestForgottenIsNotNothing: a transaction is over and nobody here knows how, and what would find out is not let in. The
// transaction may have committed, so that its caller must not be told that nothing was proposed.
func TestForgottenIsNotNothing(t *testing.T) {
	cmd, err := event.NewAppend(event.Append{RequestID: "r", Events: []event.Event{{Stream: "a.1", Type: "Opened", Data: []byte(`{}`)}}}, event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for _, refusal := range []error{event.ErrDraining, event.ErrDiverged, event.ErrNoQuorum, event.ErrClosed} {
		n, err := New(Config{Name: "n1", Nodes: []string{"n1", "n2", "n3"}}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		n.state.set(StateReady)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			<-n.proposals.ready
			refuse(n, refusal)
			id := accord.TxnID{Timestamp: accord.Timestamp{HLC: 1, Node: 1, Kind: accord.KindWrite}}
			n.calls.propose(1, []*call{n.proposals.take()[0].call})
			n.calls.started(1, id)
			n.calls.finish(id, nil, errForgotten)
		}()
		_, _, err = n.propose(t.Context(), cmd, accord.Timestamp{})
		<-ended
		if unknown, ok := errors.AsType[*event.UnknownError](err); !ok || unknown.RequestID != "r" || errors.Is(err, refusal) {
			t.Errorf("%v: got %v, want that the outcome is unknown", refusal, err)
		}
	}
}

// refuse has a node admit nothing any more, for a reason.
func refuse(n *Node, reason error) {
	switch reason {
	case event.ErrDraining:
		n.state.set(stateDraining)
	case event.ErrClosed:
		n.state.set(stateStopped)
	case event.ErrDiverged:
		n.Distrust(true)
	case event.ErrNoQuorum:
		n.view.Store(&view{reachable: 1})
	}
}
