package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/embeddednats"
	"natsaccord/event"
)

// newTries is of a bench whose calls are sent at once.
func newTries(t *testing.T) (*bench, *tries) {
	t.Helper()
	b := newBench(t, embeddednats.Config{}, true)
	b.sending = false
	return b, &tries{sender: b.sender}
}

// inVain makes a try that is not answered in time, and returns its message.
func (b *bench) inVain(t *tries) *nats.Msg {
	b.Helper()
	t.ask(&call{to: to(), body: []byte("request")}, 0)
	if a := t.next(b.Context()); !errors.Is(a.err, context.DeadlineExceeded) || isNothing(a.err) {
		b.Errorf("a try in vain got %s, %v", a.body, a.err)
	}
	return b.next()
}

func TestEarlierTryIsAnswered(t *testing.T) {
	for _, before := range []int{1, 2, mostLate, mostLate + 3} {
		b, tries := newTries(t)
		first := b.inVain(tries)
		for range before - 1 {
			b.inVain(tries)
		}
		b.reply(first, "answer")
		tries.ask(&call{to: to(), body: []byte("request")}, time.Minute)
		if a := tries.next(t.Context()); a.err != nil || string(a.body) != "answer" || a.to == tries.last {
			t.Errorf("after %d tries in vain got %s, %v", before, a.body, a.err)
		}
		tries.end()
		if b.underWay() != 0 {
			t.Errorf("%d messages are kept", b.underWay())
		}
	}
}

// TestAnswerWinsOverImpatience: who has an answer when the time is up gets the answer.
func TestAnswerWinsOverImpatience(t *testing.T) {
	_, tries := newTries(t)
	c := &call{to: to(), answer: make(chan answer, 1), ended: true}
	c.end([]byte("answer"), nil)
	if tries.keep(c) {
		t.Fatal("it is kept")
	}
	if a := <-c.answer; string(a.body) != "answer" {
		t.Errorf("got %s", a.body)
	}
}

func TestTriesAreGivenUp(t *testing.T) {
	b, tries := newTries(t)
	b.inVain(tries)
	b.inVain(tries)
	tries.ask(&call{to: to(), body: []byte("request")}, time.Minute)
	b.next()
	if b.underWay() != 3 {
		t.Errorf("%d messages are listened to, want 3", b.underWay())
	}
	tries.end()
	if b.underWay() != 0 {
		t.Errorf("%d messages are kept", b.underWay())
	}
}

// TestFailureOfAnEarlierTry ends neither the last one nor the append. When that is over nothing is listened to.
func TestFailureOfAnEarlierTry(t *testing.T) {
	for _, fails := range []bool{true, false} {
		t.Run(fmt.Sprint(fails), func(t *testing.T) { testEarlierTry(t, fails) })
	}
}

func testEarlierTry(t *testing.T, fails bool) {
	b := newBench(t, embeddednats.Config{}, true)
	c, err := New(b.nc, Options{Prefix: "p", TryTimeout: time.Minute, Timeout: time.Minute, Tries: 2})
	if err != nil {
		t.Fatal(err)
	}
	c.appends.first = 10 * ms
	ended := make(chan error, 1)
	go func() {
		_, err := c.Append(t.Context(), event.Append{RequestID: "r", Events: []event.Event{{Stream: "a.1", Type: "Added", Data: []byte(`{}`)}}})
		ended <- err
	}()
	first, second := b.next(), b.next()
	refusal, _ := json.Marshal(bus.NewErrorReply(event.ErrDraining))
	if fails {
		b.reply(first, string(refusal))
	}
	b.reply(second, fmt.Sprintf(`{"type":%q,"outcome":"committed","request_id":"r","position":"","streams":[],"events":[],"duplicate":false}`, bus.TypeAppendReply))
	if err := <-ended; err != nil || len(c.sender.sent) > 0 {
		t.Errorf("got %v, and %d messages are kept", err, len(c.sender.sent))
	}
}
