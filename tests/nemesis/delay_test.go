package nemesis_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"natsaccord/tests/nemesis"
)

// delay is long beside what loopback takes, and short beside what a test may.
const delay = 50 * time.Millisecond

func slowLink(t *testing.T) *nemesis.Link {
	t.Helper()
	l, err := nemesis.NewSlowLink(echo(t), delay)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// A round trip takes twice the delay. How much longer depends on the machine: the quickest of some says enough.
func TestSlowLinkDelaysBothWays(t *testing.T) {
	e := dial(t, slowLink(t))
	quickest := time.Hour
	for range 5 {
		start := time.Now()
		e.say("hello")
		e.hears("hello")
		took := time.Since(start)
		if took < 2*delay {
			t.Errorf("a round trip took %s, want at least %s", took, 2*delay)
		}
		quickest = min(quickest, took)
	}
	if quickest > 4*delay {
		t.Errorf("the quickest round trip took %s, want about %s", quickest, 2*delay)
	}
}

// Bytes under way do not wait for each other: a delay is not a limit to how many there are.
func TestSlowLinkKeepsTheOrder(t *testing.T) {
	e := dial(t, slowLink(t))
	const lines = 200
	start := time.Now()
	for i := range lines {
		e.say(fmt.Sprint(i))
	}
	for i := range lines {
		e.hears(fmt.Sprint(i))
	}
	if took := time.Since(start); took > lines*delay/4 {
		t.Errorf("%d lines took %s: they waited for each other", lines, took)
	}
}

func TestSlowLinkIsCutAndMended(t *testing.T) {
	l := slowLink(t)
	e := dial(t, l)
	e.say("before")
	e.hears("before")
	l.Cut(nemesis.Backward)
	e.say("held")
	if err := e.conn.SetReadDeadline(time.Now().Add(3 * delay)); err != nil {
		t.Fatal(err)
	}
	if got, err := e.in.ReadString('\n'); err == nil {
		t.Errorf("got %q through a link that is cut", got)
	}
	l.Mend()
	e.hears("held")
}

// What was under way when its sender went arrives; after that the connection ends.
func TestSlowLinkEndsAfterWhatIsUnderWay(t *testing.T) {
	got := make(chan string, 1)
	l, err := nemesis.NewSlowLink(listen(t, func(said string) { got <- said }), delay)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := dial(t, l)
	e.say("last words")
	e.conn.Close()
	if said := <-got; said != "last words\n" {
		t.Errorf("got %q", said)
	}
}

// listen takes one connection, and tells what came over it until it ended.
func listen(t *testing.T, told func(string)) string {
	t.Helper()
	listener, ended := loopback(t), make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		all, _ := io.ReadAll(conn)
		told(string(all))
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return listener.Addr().String()
}
