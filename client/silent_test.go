package client_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/client"
	"natsaccord/event"
)

// silence is nodes that are stopped but whose connections are open: they get their share of the requests, and answer none.
type silence struct {
	asked atomic.Int64 // how many messages came
	subs  []*nats.Subscription
}

// fallSilent adds n of them to the queue group.
func (w *world) fallSilent(t *testing.T, n int) *silence {
	t.Helper()
	s, nc := &silence{}, w.connect(t)
	for range n {
		for _, subject := range []string{"append", "appends", "head.>", "read.>"} {
			sub, err := nc.QueueSubscribe("accord.v1."+subject, "q", func(*nats.Msg) { s.asked.Add(1) })
			if err != nil {
				t.Fatal(err)
			}
			s.subs = append(s.subs, sub)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return s
}

// end has their connections found dead.
func (s *silence) end(t *testing.T) {
	t.Helper()
	for _, sub := range s.subs {
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
}

// patient is a client that waits for an answer for longer than a test may take, if it does not know better.
func (w *world) patient(t *testing.T) *client.Client {
	t.Helper()
	return w.client(t, client.Options{TryTimeout: time.Minute, Timeout: time.Minute})
}

// warmUp has a client learn who answers and how fast.
func warmUp(t *testing.T, c *client.Client) {
	t.Helper()
	for i := range 50 {
		if _, err := c.Append(t.Context(), opened(event.Stream(fmt.Sprint("warm.", i)))); err != nil {
			t.Fatal(err)
		}
	}
}

// trialsIn is how many trials may have been in vain since a time, and is on the safe side: they come after one, two, four seconds.
func trialsIn(since time.Time) int64 {
	n := int64(0)
	for after := time.Second; after < time.Since(since); after *= 2 {
		n++
	}
	return n
}

// TestSilentNodesAreFoundOut: what NATS gives to them costs each caller one wait at most, and the next appends nothing.
func TestSilentNodesAreFoundOut(t *testing.T) {
	for _, callers := range []int{1, 32} {
		t.Run(fmt.Sprint(callers, " callers"), func(t *testing.T) {
			w := newWorld(t)
			store := newBackend()
			w.serve(t, "n1", store)
			w.serve(t, "n2", store)
			c := w.patient(t)
			warmUp(t, c)
			silent := w.fallSilent(t, 8) // so many that eight trials in a row do not miss them
			begun := time.Now()
			for round := range 30 {
				_, errs := appendAll(t, c, callers, func(i int, a *event.Append) {
					a.Events[0].Stream = event.Stream(fmt.Sprintf("account.%d-%d", i, round))
				})
				for _, err := range errs {
					if err != nil {
						t.Fatal(err)
					}
				}
				if got := silent.asked.Load(); got > int64(callers)+trialsIn(begun) {
					t.Fatalf("they were asked %d times in %d rounds of %d callers, want at most once by each", got, round+1, callers)
				}
			}
			if got := silent.asked.Load(); got == 0 {
				t.Error("they were not asked: the test tests nothing")
			}
			if took := time.Since(begun); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestReadsFindSilentNodesOut, also if nothing else is asked for.
func TestReadsFindSilentNodesOut(t *testing.T) {
	for name, read := range map[string]func(ctx context.Context, c *client.Client) error{
		"head": func(ctx context.Context, c *client.Client) error {
			_, err := c.Head(ctx, "warm.1")
			return err
		},
		"read": func(ctx context.Context, c *client.Client) error {
			_, err := c.Read(ctx, event.ReadArgs{Stream: "warm.1"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			store := newBackend()
			w.serve(t, "n1", store)
			w.serve(t, "n2", store)
			c := w.patient(t)
			for range 20 {
				if err := read(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
			silent := w.fallSilent(t, 8)
			begun := time.Now()
			for range 30 {
				if err := read(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
			if got := silent.asked.Load(); got == 0 || got > 1+trialsIn(begun) {
				t.Errorf("they were asked %d times in %s, want once", got, time.Since(begun))
			}
		})
	}
}

// TestNodeThatComesBackIsAsked, and so is one that has not been there before.
func TestNodeThatComesBackIsAsked(t *testing.T) {
	w := newWorld(t)
	store := newBackend()
	w.serve(t, "n1", store)
	c := w.patient(t)
	warmUp(t, c)
	silent := w.fallSilent(t, 8)
	warmUp(t, c)
	if silent.asked.Load() == 0 {
		t.Fatal("they were not asked")
	}
	silent.end(t)
	back := &faulty{backend: newBackend()}
	w.serve(t, "n2", back)
	begun := time.Now()
	for n := 0; back.called() < 20; n++ {
		if _, err := c.Append(t.Context(), opened(event.Stream(fmt.Sprint("account.", n)))); err != nil {
			t.Fatal(err)
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatal("it is not asked")
		}
	}
}

// takes: the node works, and takes its time.
func takes(d time.Duration) fault {
	return func(f *faulty, do func() error) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-f.released:
		}
		return do()
	}
}

// TestSlowClusterIsNotFlooded: it is asked hardly more often than there are appends, and when its pace is known just as often.
func TestSlowClusterIsNotFlooded(t *testing.T) {
	const callers, slow = 40, 650 * time.Millisecond
	w := newWorld(t)
	f := w.serveFaulty(t)
	c := w.patient(t)
	warmUp(t, c)
	f.mu.Lock()
	f.faults = slices.Repeat([]fault{takes(slow)}, 10*callers)
	f.mu.Unlock()
	for wave, most := range []int{3 * callers, callers, callers} {
		suffix := fmt.Sprint("-", wave)
		_, errs := appendAll(t, c, callers, func(i int, a *event.Append) { a.Events[0].Stream = event.Stream(fmt.Sprint("account.", i, suffix)) })
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		requests := 0
		for _, a := range f.seen() {
			if strings.HasSuffix(string(a.Events[0].Stream), suffix) {
				requests++
			}
		}
		if requests > most {
			t.Errorf("wave %d of %d appends made %d requests, want at most %d", wave, callers, requests, most)
		}
	}
}

// TestLateAnswerCounts: the append is over when its first try is answered, whatever becomes of the others.
func TestLateAnswerCounts(t *testing.T) {
	w := newWorld(t)
	f := w.serveFaulty(t)
	c := w.patient(t)
	warmUp(t, c)
	f.mu.Lock()
	f.calls, f.faults = 0, []fault{takes(time.Second), lostRequest, lostRequest, lostRequest}
	f.mu.Unlock()
	receipt, err := c.Append(t.Context(), opened("account.7"))
	if err != nil || len(receipt.Events) != 1 || receipt.Duplicate {
		t.Errorf("got %+v, %v", receipt, err)
	}
	if f.called() < 2 {
		t.Error("there was no second try: the test tests nothing")
	}
}
