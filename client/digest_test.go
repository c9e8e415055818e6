package client_test

import (
	"context"
	"errors"
	"testing"

	"natsaccord/client"
	"natsaccord/event"
)

// hashing is a backend that knows digests.
type hashing struct{ backend }

func (hashing) Digest(_ context.Context, q event.DigestQuery) (event.Digest, error) {
	if q.To > 10 {
		return event.Digest{}, &event.InvalidError{Field: "to", Reason: "is out of range"}
	}
	return event.Digest{From: q.From, To: q.To, Position: "p", Sum: "s"}, nil
}

func TestDigest(t *testing.T) {
	w := newWorld(t)
	w.serve(t, "n1", hashing{newBackend()})
	c := w.client(t, client.Options{Node: "n1"})
	if d, err := c.Digest(t.Context(), event.DigestQuery{From: 2, To: 7}); err != nil || d != (event.Digest{From: 2, To: 7, Position: "p", Sum: "s"}) {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := c.Digest(t.Context(), event.DigestQuery{To: 11}); !isInvalid(err) {
		t.Errorf("out of range: got %v", err)
	}
	if _, err := w.client(t, client.Options{}).Digest(t.Context(), event.DigestQuery{}); !isInvalid(err) {
		t.Errorf("of no node: got %v", err)
	}
}

func isInvalid(err error) bool {
	_, ok := errors.AsType[*event.InvalidError](err)
	return ok
}
