package client

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"natsaccord/embeddednats"
	"natsaccord/event"
)

func TestNobodyListens(t *testing.T) {
	for _, n := range []int{1, 3} {
		b := newBench(t, embeddednats.Config{}, false)
		results := b.start(t.Context(), n)
		b.flush()
		for i := range results {
			if r := <-results[i]; !errors.Is(r.err, event.ErrNoQuorum) || !errors.Is(r.err, nats.ErrNoResponders) || !isNothing(r.err) {
				t.Errorf("call %d of %d got %+v", i, n, r)
			}
		}
	}
}

func TestCallIsGivenUp(t *testing.T) {
	b := newBench(t, embeddednats.Config{}, true)
	ended, cancel := context.WithCancel(t.Context())
	unsent := b.start(ended, 1)
	results := b.start(t.Context(), 1)
	cancel()
	if r := <-unsent[0]; !errors.Is(r.err, errUnsent) || !errors.Is(r.err, context.Canceled) {
		t.Errorf("before it is sent: got %+v", r)
	}
	ended, cancel = context.WithCancel(t.Context())
	sent := b.start(ended, 1)
	b.flush()
	msg := b.next()
	if string(msg.Data) != `{"appends":[0,0]}` {
		t.Errorf("sent %s", msg.Data)
	}
	cancel()
	if r := <-sent[0]; isNothing(r.err) || !errors.Is(r.err, context.Canceled) {
		t.Errorf("after it was sent: got %+v", r)
	}
	b.reply(msg, replies(0, 1, 0))
	b.want(results, 0)

	ended, cancel = context.WithCancel(t.Context())
	all := b.start(ended, 2)
	b.flush()
	cancel()
	<-all[0]
	<-all[1]
	if b.underWay() != 0 {
		t.Error("a message that nobody waits for is kept")
	}
	ended, cancel = context.WithCancel(t.Context())
	last := b.start(ended, 1)
	cancel()
	<-last[0]
	if b.flush() || b.underWay() != 0 {
		t.Error("something is sent for nobody")
	}
}

// TestAnswerWinsOverTheEnd: who has an answer when its context ends gets the answer.
func TestAnswerWinsOverTheEnd(t *testing.T) {
	b := newBench(t, embeddednats.Config{}, true)
	c := &call{to: to(), answer: make(chan answer, 1)}
	b.put(c)
	m, err := b.take()
	if err != nil {
		t.Fatal(err)
	}
	b.end(m, []byte("done"), nil)
	if a := b.giveUp(c, context.Canceled); a.err != nil || string(a.body) != "done" {
		t.Errorf("got %s, %v", a.body, a.err)
	}
}

func TestCloseEndsCalls(t *testing.T) {
	b := newBench(t, embeddednats.Config{}, true)
	sent := b.start(t.Context(), 2)
	b.flush()
	b.next()
	unsent := b.start(t.Context(), 2)
	for range 2 {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}
	for i := range 2 {
		if r := <-sent[i]; !errors.Is(r.err, errLeft) || isNothing(r.err) {
			t.Errorf("one that was sent got %+v", r)
		}
		if r := <-unsent[i]; !errors.Is(r.err, event.ErrClosed) {
			t.Errorf("one that was not sent got %+v", r)
		}
	}
	if _, err := b.ask(t.Context(), to(), nil); !errors.Is(err, event.ErrClosed) {
		t.Errorf("one that is closed already got %v", err)
	}
	if n := b.nc.NumSubscriptions(); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}

// TestConnectionEndsCalls: no answer will come over a connection that is closed.
func TestConnectionEndsCalls(t *testing.T) {
	for name, end := range map[string]func(*nats.Conn) error{
		"closed": func(nc *nats.Conn) error { nc.Close(); return nil }, "drained": (*nats.Conn).Drain,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, embeddednats.Config{}, true)
			sent := b.start(t.Context(), 2)
			b.flush()
			b.next()
			if err := end(b.nc); err != nil {
				t.Fatal(err)
			}
			for i := range sent {
				if r := <-sent[i]; !errors.Is(r.err, nats.ErrConnectionClosed) || isNothing(r.err) {
					t.Errorf("one that was sent got %+v", r)
				}
			}
			if _, err := b.ask(t.Context(), to(), nil); !errors.Is(err, event.ErrClosed) {
				t.Errorf("one that was not sent got %v", err)
			}
			if err := b.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMessageThatDoesNotLeave: the first and any other over a connection that has been closed.
func TestMessageThatDoesNotLeave(t *testing.T) {
	b := newBench(t, embeddednats.Config{}, false)
	for _, listening := range []bool{false, true} {
		if listening {
			b.replies = &nats.Subscription{}
		}
		results := b.start(t.Context(), 2)
		b.nc.Close()
		b.flush()
		for i := range results {
			if r := <-results[i]; !errors.Is(r.err, event.ErrClosed) || !isNothing(r.err) {
				t.Errorf("listening: %v: call %d got %+v", listening, i, r)
			}
		}
		if b.underWay() != 0 {
			t.Error("the message is kept")
		}
	}
}
