package bus_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"natsaccord/bus"
	"natsaccord/embeddednats"
)

// listening starts a server that asks for a user and a password.
func listening(t *testing.T, port int) *embeddednats.Server {
	t.Helper()
	s, err := embeddednats.Start(t.Context(), embeddednats.Config{Port: port, Options: func(o *server.Options) {
		o.Username, o.Password = "node", "right"
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDialMakesTwoNamedConnections(t *testing.T) {
	s := listening(t, embeddednats.AnyPort)
	defer s.Shutdown()
	conn, err := bus.Dial(bus.Config{Node: "n1", Servers: []string{s.URL()}, User: "node", Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.Peers == conn.Clients {
		t.Error("clients and peers share a connection")
	}
	if a, b := conn.Peers.Opts.Name, conn.Clients.Opts.Name; a != "accord-n1-peers" || b != "accord-n1" {
		t.Errorf("got names %q and %q, want accord-n1-peers and accord-n1", a, b)
	}
	if opts := conn.Peers.Opts; opts.MaxReconnect != -1 || opts.ReconnectBufSize != -1 || opts.PingInterval != 5*time.Second {
		t.Errorf("got %d reconnects, a buffer of %d, pings every %s; want them without end, no buffer, 5 s", opts.MaxReconnect, opts.ReconnectBufSize, opts.PingInterval)
	}
}

// A connection that is lost comes back by itself, and both events are counted.
func TestConnComesBack(t *testing.T) {
	s := listening(t, embeddednats.AnyPort)
	conn, err := bus.Dial(bus.Config{Node: "n1", Servers: []string{s.URL()}, User: "node", Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	port := s.Port()
	s.Shutdown()
	until(t, func() bool { return conn.Counters()["disconnects"] == 2 })
	if err := conn.Failing(); err == nil || !strings.Contains(err.Error(), "accord-n1-peers is reconnecting") {
		t.Errorf("without a server: got %v", err)
	}
	s = listening(t, port)
	defer s.Shutdown()
	until(t, func() bool {
		return conn.Counters()["reconnects"] == 2 && conn.Failing() == nil
	})
}

// until waits until something holds that leaves no other trace than counters.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatal("it never came to that")
		}
	}
}

func TestDialRefuses(t *testing.T) {
	s := listening(t, embeddednats.AnyPort)
	defer s.Shutdown()
	dir := t.TempDir()
	notPEM := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(notPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := []string{s.URL()}
	cases := []struct {
		name, want string
		cfg        bus.Config
	}{
		{"no node", "Config.Node", bus.Config{Servers: url}},
		{"no server", "Config.Servers is empty", bus.Config{Node: "n1"}},
		{"no URL", "is no URL", bus.Config{Node: "n1", Servers: []string{"nats://"}}},
		{"another scheme", "scheme \"http\"", bus.Config{Node: "n1", Servers: []string{"http://127.0.0.1"}}},
		{"in the clear to another machine", "is not encrypted", bus.Config{Node: "n1", Servers: []string{"nats://u:secret@example.com:4222"}}},
		{"a token in the clear to another machine", "nats://***@db.example.com is not encrypted", bus.Config{Node: "n1", Servers: []string{"nats://secret@db.example.com"}}},
		{"a token to another scheme", "http://***@db.example.com has scheme", bus.Config{Node: "n1", Servers: []string{"http://secret@db.example.com"}}},
		{"one of several in the clear", "is not encrypted", bus.Config{Node: "n1", Servers: []string{s.URL(), "nats://10.1.2.3"}}},
		{"a certificate without its key", "go together", bus.Config{Node: "n1", Servers: url, TLSCert: "cert.pem"}},
		{"authorities that are none", "holds no certificate", bus.Config{Node: "n1", Servers: url, TLSCA: notPEM}},
		{"no such credentials", "read credentials", bus.Config{Node: "n1", Servers: url, Creds: filepath.Join(dir, "none")}},
		{"credentials that are none", "read credentials " + notPEM, bus.Config{Node: "n1", Servers: url, Creds: notPEM}},
		{"an inbox with a wildcard", "InboxPrefix", bus.Config{Node: "n1", Servers: url, InboxPrefix: "a.>"}},
		{"an inbox with an empty part", "InboxPrefix", bus.Config{Node: "n1", Servers: url, InboxPrefix: "a..b"}},
		{"no such seed", "nkey seed", bus.Config{Node: "n1", Servers: url, NKey: filepath.Join(dir, "none")}},
		{"a wrong password", "Authorization Violation", bus.Config{Node: "n1", Servers: url, User: "node", Password: "secret"}},
		{"in the clear to another machine, as it is told to", "connect accord-n1", bus.Config{Node: "n1", Servers: []string{"nats://192.0.2.1"}, Insecure: true, ConnectTimeout: 50 * time.Millisecond}},
		{"nobody there", "127.0.0.1:1", bus.Config{Node: "n1", Servers: []string{"nats://127.0.0.1:1"}, ConnectTimeout: time.Second}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn, err := bus.Dial(c.cfg)
			if err == nil {
				conn.Close()
				t.Fatal("it connects")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want it to say %q", err, c.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, which tells a password", err)
			}
		})
	}
}

// TestAllLinksAreToldAtOnce holds that one error of how NATS is reached does not hide another.
func TestAllLinksAreToldAtOnce(t *testing.T) {
	err := bus.Config{Node: "n1", Servers: []string{"nats://h.example.com", "http://a"}, TLSKey: "k", NKey: "/nowhere/at/all", InboxPrefix: ">"}.Validate()
	for _, want := range []string{"h.example.com is not encrypted", `scheme "http"`, "go together", "nkey seed /nowhere/at/all", "InboxPrefix"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s too", err, want)
		}
	}
}
