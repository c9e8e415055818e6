package nemesis_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"natsaccord/tests/nemesis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func loopback(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// echo answers every line with the same line.
func echo(t *testing.T) string {
	t.Helper()
	listener, ended := loopback(t), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return listener.Addr().String()
}

// end is one end of a connection over a link.
type end struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func link(t *testing.T) *nemesis.Link {
	t.Helper()
	l, err := nemesis.NewLink(echo(t))
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

func dial(t *testing.T, l *nemesis.Link) *end {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &end{t, conn, bufio.NewReader(conn)}
}

func (e *end) say(line string) {
	e.t.Helper()
	if _, err := e.conn.Write([]byte(line + "\n")); err != nil {
		e.t.Fatal(err)
	}
}

// hears waits for a line.
func (e *end) hears(want string) {
	e.t.Helper()
	if err := e.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		e.t.Fatal(err)
	}
	if got, err := e.in.ReadString('\n'); err != nil || got != want+"\n" {
		e.t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// hearsNothing waits for a short time in vain.
func (e *end) hearsNothing() {
	e.t.Helper()
	if err := e.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		e.t.Fatal(err)
	}
	if got, err := e.in.ReadString('\n'); !errors.Is(err, os.ErrDeadlineExceeded) {
		e.t.Errorf("got %q, %v through a link that is cut", got, err)
	}
}

func TestLinkCarries(t *testing.T) {
	l := link(t)
	first, second := dial(t, l), dial(t, l)
	first.say("one")
	second.say("two")
	first.hears("one")
	second.hears("two")
}

func TestLinkIsCutAndMended(t *testing.T) {
	for name, d := range map[string]nemesis.Direction{"forward": nemesis.Forward, "backward": nemesis.Backward} {
		t.Run(name, func(t *testing.T) {
			l := link(t)
			e := dial(t, l)
			e.say("before")
			e.hears("before")
			l.Cut(d)
			l.Cut(d)
			e.say("held")
			e.hearsNothing()
			later := dial(t, l)
			later.say("later")
			later.hearsNothing()
			l.Mend()
			l.Mend()
			e.hears("held")
			later.hears("later")
		})
	}
}

func TestLinkIsReset(t *testing.T) {
	l := link(t)
	e := dial(t, l)
	e.say("before") // a reset ends what is connected, and nobody knows that of a connection before it carried something
	e.hears("before")
	l.Cut(nemesis.Forward)
	e.say("lost")
	l.Reset()
	if _, err := e.in.ReadString('\n'); err == nil {
		t.Error("the connection outlived its link's reset")
	}
	l.Mend()
	again := dial(t, l)
	again.say("again")
	again.hears("again")
}

func TestLinkToNobody(t *testing.T) {
	l, err := nemesis.NewLink("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := dial(t, l).in.ReadString('\n'); err == nil {
		t.Error("nobody answered")
	}
}
