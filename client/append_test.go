package client_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/event"
)

func opened(stream event.Stream) event.Append {
	return event.Append{Events: []event.Event{{Stream: stream, Type: "Opened", Data: []byte(`{"n":1}`)}}}
}

// TestAppendSurvives has everything go wrong in turn, and wants one event in the end.
func TestAppendSurvives(t *testing.T) {
	for name, faults := range map[string][]fault{
		"nothing":          nil,
		"lost requests":    {lostRequest, lostRequest},
		"a lost reply":     {lostReply},
		"lost replies":     {lostReply, lostReply},
		"no quorum":        {fails(event.ErrNoQuorum), fails(event.ErrNoQuorum)},
		"a draining node":  {fails(event.ErrDraining)},
		"a damaged node":   slices.Repeat([]fault{fails(event.ErrDiverged)}, 8),
		"a closed node":    {fails(event.ErrClosed)},
		"an invalidation":  {fails(event.ErrAborted)},
		"overload":         {fails(&event.OverloadedError{RetryAfter: time.Millisecond})},
		"a broken node":    {fails(errors.New("disk on fire"))},
		"an unknown":       {fails(&event.UnknownError{RequestID: "r", Err: context.DeadlineExceeded})},
		"one after other":  {lostRequest, fails(event.ErrNoQuorum), lostReply, fails(event.ErrDraining)},
		"committed unseen": {lostReply, fails(event.ErrNoQuorum)},
	} {
		for _, own := range []string{"", "r"} {
			t.Run(name+"/"+own, func(t *testing.T) {
				w := newWorld(t)
				f := w.serveFaulty(t, faults...)
				c := w.client(t, client.Options{TryTimeout: short})
				a := opened("account.7")
				a.RequestID = own
				a.Conditions = []event.Condition{{Stream: "account.7", Expect: event.ExpectNone}}
				receipt, err := c.Append(t.Context(), a)
				if err != nil || receipt.Position == "" || len(receipt.Events) != 1 {
					t.Fatalf("got %+v, %v", receipt, err)
				}
				again := strings.HasPrefix(name, "a lost reply") || strings.HasPrefix(name, "lost replies") || name == "committed unseen" || name == "one after other"
				if want := again && own != ""; receipt.Duplicate != want {
					t.Errorf("duplicate is %v, want %v", receipt.Duplicate, want)
				}
				checkTries(t, f, receipt.RequestID, len(faults)+1)
			})
		}
	}
}

// checkTries checks that all tries were one request, and made one event.
func checkTries(t *testing.T, f *faulty, requestID string, tries int) {
	t.Helper()
	seen := f.seen()
	if len(seen) != tries {
		t.Errorf("the node was asked %d times, want %d", len(seen), tries)
	}
	for i, a := range seen {
		if a.RequestID != requestID || requestID == "" {
			t.Errorf("try %d has the request id %q, want %q", i, a.RequestID, requestID)
		}
		if a.Timeout <= 0 || a.Timeout >= short {
			t.Errorf("try %d gives the node %s, want a little less than %s", i, a.Timeout, short)
		}
	}
	if head, err := f.Head(t.Context(), "account.7"); err != nil || head.Version != 1 {
		t.Errorf("the stream has %d events, %v, want 1", head.Version, err)
	}
}

// TestAppendSaysWhatIsKnown has tries run out, and wants to hear of it exactly what can be known.
func TestAppendSaysWhatIsKnown(t *testing.T) {
	conflict := &event.ConflictError{Conflict: event.Conflict{Stream: "account.7"}, All: []event.Conflict{{Stream: "account.7"}}}
	for name, c := range map[string]struct {
		faults  []fault
		unknown bool
		is      error // apart from that
		tries   int
	}{
		"never a quorum":           {[]fault{fails(event.ErrNoQuorum), fails(event.ErrNoQuorum)}, false, event.ErrNoQuorum, 2},
		"draining":                 {[]fault{fails(event.ErrDraining), fails(event.ErrDraining)}, false, event.ErrDraining, 2},
		"closed":                   {[]fault{fails(event.ErrClosed), fails(event.ErrClosed)}, false, event.ErrClosed, 2},
		"lost twice":               {[]fault{lostRequest, lostRequest}, true, context.DeadlineExceeded, 2},
		"lost, then no quorum":     {[]fault{lostRequest, fails(event.ErrNoQuorum)}, true, event.ErrNoQuorum, 2},
		"lost reply, then nothing": {[]fault{lostReply, fails(event.ErrDraining)}, true, event.ErrDraining, 2},
		"lost, then refused":       {[]fault{lostReply, fails(&event.InvalidError{Field: "x"})}, true, nil, 2},
		"broken":                   {[]fault{fails(errors.New("disk on fire")), fails(event.ErrNoQuorum)}, true, nil, 2},
		"unknown":                  {[]fault{fails(&event.UnknownError{RequestID: "r", Err: context.DeadlineExceeded}), fails(event.ErrNoQuorum)}, true, nil, 2},
		"refused":                  {[]fault{fails(&event.InvalidError{Field: "x"})}, false, nil, 1},
		"too large":                {[]fault{fails(&event.TooLargeError{What: "x"})}, false, nil, 1},
		"no such request":          {[]fault{fails(bus.ErrVerb)}, false, bus.ErrVerb, 1},
		"conflict":                 {[]fault{fails(conflict)}, false, nil, 1},
		"lost, then conflict":      {[]fault{lostRequest, fails(conflict)}, false, nil, 2},
		"reused":                   {[]fault{fails(&event.ReusedError{RequestID: "r"})}, false, nil, 1},
		"taken":                    {[]fault{fails(&event.IDTakenError{IDs: []string{"x"}})}, false, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := w.serveFaulty(t, c.faults...)
			a := opened("account.7")
			a.RequestID = "r"
			_, err := w.client(t, client.Options{TryTimeout: short, Tries: 2}).Append(t.Context(), a)
			if err == nil {
				t.Fatal("succeeds")
			}
			unknown, ok := errors.AsType[*event.UnknownError](err)
			if ok != c.unknown || ok && unknown.RequestID != "r" {
				t.Errorf("got %v, want unknown to be %v", err, c.unknown)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("got %v, want %v", err, c.is)
			}
			if f.called() != c.tries {
				t.Errorf("tried %d times, want %d", f.called(), c.tries)
			}
		})
	}
}

// TestErrorsArriveAsTheyAre compares errors with what is left of them on the other side.
func TestErrorsArriveAsTheyAre(t *testing.T) {
	conflicts := []event.Conflict{{Stream: "a.1", Want: event.ExpectExists}, {Stream: "a.2", Want: 3, Have: 9}}
	for _, sent := range []error{
		&event.ConflictError{Conflict: conflicts[0], All: conflicts, RequestID: "r", Duplicate: true},
		&event.InvalidError{Field: "events[2].type", Reason: "is <bad> & \"worse\""},
		&event.TooLargeError{What: "events[2].data", Size: 10, Limit: 9},
		&event.ReusedError{RequestID: "r", TxnID: "t"},
		&event.IDTakenError{IDs: []string{"a", "b"}},
		&event.OverloadedError{RetryAfter: 7 * time.Millisecond},
		event.ErrDraining, event.ErrNoQuorum, event.ErrAborted, event.ErrClosed,
	} {
		t.Run(fmt.Sprintf("%T", sent), func(t *testing.T) {
			w := newWorld(t)
			w.serveFaulty(t, fails(fmt.Errorf("node: %w", sent)))
			a := opened("account.7")
			a.RequestID = "r"
			_, err := w.client(t, client.Options{Tries: 1}).Append(t.Context(), a)
			if !reflect.DeepEqual(err, sent) {
				t.Errorf("got %#v, want %#v", err, sent)
			}
		})
	}
}

func TestAppendToNobody(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	_, err := w.client(t, client.Options{Tries: 2}).Append(t.Context(), opened("account.7"))
	if !errors.Is(err, event.ErrNoQuorum) || !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s to find out that there is nobody", took)
	}
}

// TestAppendFindsAnotherNode pins nothing: when a node goes away NATS finds the other one.
func TestAppendFindsAnotherNode(t *testing.T) {
	w := newWorld(t)
	w.serveFaulty(t, lostRequest, lostRequest, lostRequest, lostRequest)
	other := newBackend()
	w.serve(t, "n2", other)
	c := w.client(t, client.Options{TryTimeout: short, Tries: 20, Timeout: time.Minute})
	for range 5 {
		if _, err := c.Append(t.Context(), opened("account.7")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppendHonoursItsContext(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t, lostRequest, lostRequest)
	c := w.client(t, client.Options{})

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Append(ended, opened("account.7"))
	if _, unknown := errors.AsType[*event.UnknownError](err); unknown || !errors.Is(err, context.Canceled) || f.called() != 0 {
		t.Errorf("with a context that was over: got %v after %d calls", err, f.called())
	}

	during, cancel := context.WithCancel(t.Context())
	time.AfterFunc(short, cancel)
	_, err = c.Append(during, opened("account.7"))
	if _, unknown := errors.AsType[*event.UnknownError](err); !unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended: got %v", err)
	}

	a := opened("account.7")
	a.Timeout = short
	start := time.Now()
	_, err = c.Append(t.Context(), a)
	if _, unknown := errors.AsType[*event.UnknownError](err); !unknown || time.Since(start) > 2*time.Second {
		t.Errorf("with a timeout of its own: got %v after %s", err, time.Since(start))
	}
}

func TestAppendOverAClosedConnection(t *testing.T) {
	w := newWorld(t)
	w.serve(t, "n1", newBackend())
	c := w.client(t, client.Options{})
	w.nc.Close()
	_, err := c.Append(t.Context(), opened("account.7"))
	if _, unknown := errors.AsType[*event.UnknownError](err); unknown || !errors.Is(err, event.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestAppendRefusesWithoutAsking checks what would not survive the way to a node.
func TestAppendRefusesWithoutAsking(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t)
	c := w.client(t, client.Options{})
	for name, change := range map[string]func(*event.Append){
		"a type of no UTF-8":      func(a *event.Append) { a.Events[0].Type = "\xff" },
		"metadata of no UTF-8":    func(a *event.Append) { a.Events[0].Metadata = map[string]string{"k": "\xff"} },
		"data that is no JSON":    func(a *event.Append) { a.Events[0].Data = []byte("{") },
		"a wildcard as a request": func(a *event.Append) { a.RequestID = ">" },
		"nothing":                 func(a *event.Append) { a.Events = nil },
	} {
		a := opened("account.7")
		change(&a)
		_, err := c.Append(t.Context(), a)
		if _, ok := errors.AsType[*event.InvalidError](err); !ok || f.called() != 0 {
			t.Errorf("%s: got %v after %d calls", name, err, f.called())
		}
	}
	large := opened("account.7")
	large.Events[0].Data, large.Events[0].Binary = make([]byte, 1<<20), true
	_, err := c.Append(t.Context(), large)
	if _, ok := errors.AsType[*event.TooLargeError](err); !ok || f.called() != 0 {
		t.Errorf("more than a message holds: got %v after %d calls", err, f.called())
	}
}

func TestOutcome(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t)
	c := w.client(t, client.Options{TryTimeout: short, Tries: 2})
	a := opened("account.7")
	a.RequestID = "order-7.2026"
	want, err := c.Append(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{a.RequestID, want.TxnID} {
		if got, err := c.Outcome(t.Context(), id); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", id, got, err, want)
		}
	}
	refused := opened("account.7")
	refused.RequestID, refused.Events[0].Version = "no", 9
	_, refusal := c.Append(t.Context(), refused)
	if _, err := c.Outcome(t.Context(), "no"); err == nil || err.Error() != refusal.Error() {
		t.Errorf("of a refused request: got %v, want %v", err, refusal)
	}
	before := f.called()
	if _, err := c.Outcome(t.Context(), "nobody's"); !errors.Is(err, event.ErrNotFound) || f.called() != before+1 {
		t.Errorf("of no request: got %v after %d calls", err, f.called()-before)
	}
	for _, id := range []string{"", "a b", "a.>", "*"} {
		if _, err := c.Outcome(t.Context(), id); err == nil || f.called() != before+1 {
			t.Errorf("%q: got %v", id, err)
		}
	}
	f.mu.Lock()
	f.faults = []fault{lostRequest}
	f.mu.Unlock()
	if _, err := c.Outcome(t.Context(), a.RequestID); err != nil {
		t.Errorf("with a lost request: got %v", err)
	}
}
