package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"natsaccord/client"
	"natsaccord/event"
)

// appendAll makes appends of n callers at once, each to a stream of its own, and returns what they got.
func appendAll(t *testing.T, c *client.Client, n int, change func(i int, a *event.Append)) ([]event.Receipt, []error) {
	t.Helper()
	receipts, errs := make([]event.Receipt, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		a := opened(event.Stream(fmt.Sprint("account.", i)))
		if change != nil {
			change(i, &a)
		}
		all.Go(func() { receipts[i], errs[i] = c.Append(t.Context(), a) })
	}
	all.Wait()
	return receipts, errs
}

// TestAppendsOfManyCallers: each gets its own answer, in fewer messages than there are callers.
func TestAppendsOfManyCallers(t *testing.T) {
	for name, options := range map[string]client.Options{"any": {}, "one node": {Node: "n2"}, "near": {Near: "n2"}, "near, but not there": {Near: "n3"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			store := newBackend()
			w.serve(t, "n1", store)
			w.serve(t, "n2", store)
			c := w.client(t, options)
			const callers, rounds = 64, 10
			before := w.nc.Stats()
			for round := range rounds {
				receipts, errs := appendAll(t, c, callers, func(i int, a *event.Append) {
					a.Conditions = []event.Condition{{Stream: a.Events[0].Stream, Expect: event.Expect(round)}}
					if i%8 == 7 {
						a.Conditions[0].Expect = 99
					}
				})
				for i := range callers {
					conflict, refused := errors.AsType[*event.ConflictError](errs[i])
					want := []event.StreamVersion{{Stream: event.Stream(fmt.Sprint("account.", i)), Version: uint64(round) + 1}}
					switch {
					case i%8 == 7 && (!refused || conflict.Stream != want[0].Stream):
						t.Errorf("caller %d got %v, want a conflict", i, errs[i])
					case i%8 != 7 && (errs[i] != nil || !slices.Equal(receipts[i].Streams, want)):
						t.Errorf("caller %d got %+v, %v", i, receipts[i].Streams, errs[i])
					}
				}
			}
			if sent := w.nc.Stats().OutMsgs - before.OutMsgs; sent >= callers*rounds {
				t.Errorf("%d messages were sent for %d appends", sent, callers*rounds)
			}
		})
	}
}

// TestAppendsOfManyCallersSurvive has things go wrong for some of those who share messages.
func TestAppendsOfManyCallersSurvive(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t, lostRequest, fails(event.ErrNoQuorum), lostReply, fails(errors.New("disk on fire")), works, fails(event.ErrDraining), lostReply)
	receipts, errs := appendAll(t, w.client(t, client.Options{TryTimeout: 10 * short, Timeout: time.Minute}), 40, nil)
	for i := range receipts {
		stream := event.Stream(fmt.Sprint("account.", i))
		if errs[i] != nil || receipts[i].Duplicate {
			t.Errorf("caller %d got %+v, %v", i, receipts[i], errs[i])
		}
		if head, err := f.Head(t.Context(), stream); err != nil || head.Version != 1 {
			t.Errorf("stream %s has %d events, %v, want 1", stream, head.Version, err)
		}
	}
}

// TestSlowAppendHoldsNoOther: who shares a message with one that takes for ever has an answer.
func TestSlowAppendHoldsNoOther(t *testing.T) {
	w := newWorld(t)
	w.serveFaulty(t, works, lostRequest)
	_, errs := appendAll(t, w.client(t, client.Options{Tries: 1, TryTimeout: time.Second}), 30, nil)
	late := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if _, unknown := errors.AsType[*event.UnknownError](late[0]); len(late) != 1 || !unknown || !errors.Is(late[0], context.DeadlineExceeded) {
		t.Errorf("got %v, want one that is not known", late)
	}
}

// TestLongAppendsDoNotShareMessages: a message holds what NATS takes, and the longest append goes as ever.
func TestLongAppendsDoNotShareMessages(t *testing.T) {
	w := newWorld(t)
	w.serve(t, "n1", newBackend())
	patient := client.Options{Timeout: time.Minute, TryTimeout: time.Minute} // 8 MB under the race detector take their time
	receipts, errs := appendAll(t, w.client(t, patient), 20, func(i int, a *event.Append) {
		text := `"` + strings.Repeat("x", 100<<10) + `"`
		a.Events = slices.Repeat([]event.Event{{Stream: a.Events[0].Stream, Type: "T", Data: []byte(text)}}, 1+i%7)
	})
	for i := range receipts {
		if errs[i] != nil || receipts[i].Streams[0].Version != uint64(1+i%7) {
			t.Errorf("caller %d got %+v, %v", i, receipts[i].Streams, errs[i])
		}
	}
}

func TestClosedClient(t *testing.T) {
	w := newWorld(t)
	reached := make(chan struct{})
	w.serveFaulty(t, func(f *faulty, do func() error) error {
		close(reached)
		return lostRequest(f, do)
	})
	c := w.client(t, client.Options{Tries: 2})
	asked := make(chan error, 1)
	go func() {
		_, err := c.Append(t.Context(), opened("account.7"))
		asked <- err
	}()
	<-reached
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, unknown := errors.AsType[*event.UnknownError](<-asked); !unknown {
		t.Error("what was under way is not called unknown")
	}
	_, err := c.Append(t.Context(), opened("account.7"))
	if _, unknown := errors.AsType[*event.UnknownError](err); unknown || !errors.Is(err, event.ErrClosed) {
		t.Errorf("afterwards: got %v", err)
	}
	if n := w.nc.NumSubscriptions(); n > 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}
