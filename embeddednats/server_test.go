package embeddednats_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"natsaccord/embeddednats"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, cfg embeddednats.Config) *embeddednats.Server {
	t.Helper()
	s, err := embeddednats.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

// connect returns a connection that is gone when the test is.
func connect(t *testing.T, url string, options ...nats.Option) *nats.Conn {
	t.Helper()
	closed := make(chan struct{})
	options = append(options, nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	nc, err := nats.Connect(url, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nc.Close()
		<-closed
	})
	return nc
}

// echo checks that what one connection asks the other answers.
func echo(t *testing.T, asks, answers *nats.Conn) {
	t.Helper()
	subject := nats.NewInbox()
	if _, err := answers.Subscribe(subject, func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	if err := answers.Flush(); err != nil {
		t.Fatal(err)
	}
	for ctx := t.Context(); ; {
		got, err := asks.RequestWithContext(ctx, subject, []byte("hello"))
		if errors.Is(err, nats.ErrNoResponders) {
			continue // the other server has not heard of the subscription yet
		}
		if err != nil || string(got.Data) != "hello" {
			t.Fatalf("got %v, %v", got, err)
		}
		return
	}
}

func TestServerOnLoopback(t *testing.T) {
	s := start(t, embeddednats.Config{Name: "one", Port: embeddednats.AnyPort})
	u, err := url.Parse(s.URL())
	if err != nil || u.Hostname() != "127.0.0.1" || u.Port() != fmt.Sprint(s.Port()) || s.Name() != "one" {
		t.Errorf("got %s, %v, named %s", s.URL(), err, s.Name())
	}
	a, b := connect(t, s.URL()), connect(t, s.URL())
	echo(t, a, b)
	if a.MaxPayload() != 1<<20 {
		t.Errorf("the largest message has %d bytes, want 1 MiB", a.MaxPayload())
	}
}

func TestServerWithoutPort(t *testing.T) {
	s := start(t, embeddednats.Config{MaxPayload: 4096})
	if s.URL() != "" || s.Port() != 0 || s.ClusterURL() != "" {
		t.Errorf("listens at %q and %q, want nowhere", s.URL(), s.ClusterURL())
	}
	a, b := connect(t, "", nats.InProcessServer(s)), connect(t, "", nats.InProcessServer(s))
	echo(t, a, b)
	if a.MaxPayload() != 4096 {
		t.Errorf("the largest message has %d bytes, want 4096", a.MaxPayload())
	}
}

func TestServerOnEveryAddressIsReachedThroughLoopback(t *testing.T) {
	options := func(o *server.Options) { o.Host = "0.0.0.0" }
	s := start(t, embeddednats.Config{Port: embeddednats.AnyPort, Options: options})
	if want := fmt.Sprintf("nats://127.0.0.1:%d", s.Port()); s.URL() != want {
		t.Errorf("got %s, want %s", s.URL(), want)
	}
}

func TestServerComesBackOnItsPort(t *testing.T) {
	s := start(t, embeddednats.Config{Port: embeddednats.AnyPort})
	back := make(chan struct{})
	nc := connect(t, s.URL(), nats.ReconnectWait(time.Millisecond), nats.MaxReconnects(-1), nats.ReconnectHandler(func(*nats.Conn) { close(back) }))
	s.Shutdown()
	s.Shutdown()
	again := start(t, embeddednats.Config{Port: s.Port()})
	<-back
	echo(t, nc, connect(t, again.URL()))
}

func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  embeddednats.Config
		says string
	}{
		"a port in use":          {embeddednats.Config{Port: port}, "in use"},
		"a cluster port in use":  {embeddednats.Config{Port: -1, ClusterPort: port}, "in use"},
		"a cluster port alone":   {embeddednats.Config{ClusterPort: -1}, "Config.Port"},
		"a port out of range":    {embeddednats.Config{Port: 70000}, "Config.Port"},
		"a cluster port below 0": {embeddednats.Config{ClusterPort: -2}, "Config.ClusterPort"},
		"routes alone":           {embeddednats.Config{Routes: []string{"nats://127.0.0.1:1"}}, "Config.ClusterPort"},
		"a route that is none":   {embeddednats.Config{Routes: []string{"x"}, Port: -1, ClusterPort: -1}, "Config.Routes"},
		"JetStream nowhere":      {embeddednats.Config{JetStream: true}, "Config.StoreDir"},
		"JetStream in a file":    {embeddednats.Config{JetStream: true, StoreDir: file}, "storage directory"},
		"a negative payload":     {embeddednats.Config{MaxPayload: -1}, "Config.MaxPayload"},
		"bad options":            {embeddednats.Config{Options: func(o *server.Options) { o.MaxTracedMsgLen = -1; o.MaxPending = 1; o.MaxPayload = 1000 }}, "configure"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := embeddednats.Start(t.Context(), c.cfg)
			if err == nil {
				s.Shutdown()
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error with %q", err, c.says)
			}
		})
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := embeddednats.Start(ctx, embeddednats.Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := embeddednats.StartCluster(ctx, 2, embeddednats.Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cluster: got %v", err)
	}
}

func TestJetStreamKeepsItsFiles(t *testing.T) {
	cfg := embeddednats.Config{JetStream: true, StoreDir: t.TempDir()}
	for want := range uint64(2) {
		s := start(t, cfg)
		js, err := jetstream.New(connect(t, "", nats.InProcessServer(s)))
		if err != nil {
			t.Fatal(err)
		}
		stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
		if err != nil {
			t.Fatal(err)
		}
		if n := stream.CachedInfo().State.Msgs; n != want {
			t.Errorf("the stream has %d messages, want %d", n, want)
		}
		if _, err := js.Publish(t.Context(), "s", nil); err != nil {
			t.Fatal(err)
		}
		s.Shutdown()
	}
}

func TestClusterIsMeshed(t *testing.T) {
	c, err := embeddednats.StartCluster(t.Context(), 3, embeddednats.Config{Name: "mesh"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Shutdown)
	urls := c.URLs()
	for i := range c {
		if c[i].Name() != fmt.Sprintf("mesh-%d", i+1) || c[i].ClusterURL() == "" {
			t.Errorf("server %d is %s at %s", i, c[i].Name(), c[i].ClusterURL())
		}
		for j := range c {
			echo(t, connect(t, urls[i]), connect(t, urls[j]))
		}
	}
}

func TestClusterOfNone(t *testing.T) {
	if _, err := embeddednats.StartCluster(t.Context(), 0, embeddednats.Config{}); err == nil {
		t.Error("a cluster of no servers starts")
	}
}

func TestLogsGoToSlog(t *testing.T) {
	for level, want := range map[slog.Level]bool{slog.LevelDebug: true, slog.LevelInfo: false} {
		var out bytes.Buffer
		s := start(t, embeddednats.Config{Name: "loud", Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))})
		s.Shutdown()
		if got := strings.Contains(out.String(), "nats_server=loud") && strings.Contains(out.String(), "Server is ready"); got != want {
			t.Errorf("at level %s: logs %q", level, out.String())
		}
	}
}
