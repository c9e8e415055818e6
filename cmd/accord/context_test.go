package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// guardedNATS runs a NATS server that wants a password until the test ends, and returns its address.
func guardedNATS(t *testing.T, user, password string) string {
	t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Username: user, Password: password, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	return ns.Addr().String()
}

// contexts keeps contexts of the NATS CLI, by name, where it would, and returns the environment to find them in.
func contexts(t *testing.T, byName map[string]string) []string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "nats", "context")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range byName {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "nats", "context.txt"), []byte(name), 0o600); err != nil { // selects it
			t.Fatal(err)
		}
	}
	return []string{"XDG_CONFIG_HOME=" + root}
}

// TestContext runs a node and asks it, both by a context that has a password.
func TestContext(t *testing.T) {
	address := guardedNATS(t, "app", "hunter2")
	environ := contexts(t, map[string]string{
		"prod": fmt.Sprintf(`{"url":"nats://%s","user":"app","password":"hunter2","inbox_prefix":"_INBOX_prod","tls_first":false}`, address),
		"jwt":  `{"url":"nats://127.0.0.1:1","user_jwt":"hunter2"}`,
	})
	said := startNodeIn(t, append(environ, "NATS_CONTEXT=prod"), []string{"node", "--node", "n1", "--single", "--store", "sqlite::memory:"})
	awaitReady(t, "nats://app:hunter2@"+address, 1)
	for _, c := range []struct {
		what    string
		environ []string
		args    []string
		code    int
		want    string
	}{
		{"a flag", nil, []string{"--context", "prod"}, exitDone, "n1    ready"},
		{"a variable", []string{"NATS_CONTEXT=prod"}, nil, exitDone, "n1    ready"},
		{"our variable before the CLI's", []string{"NATS_CONTEXT=jwt", "ACCORD_CONTEXT=prod"}, nil, exitDone, "n1    ready"},
		{"a flag before a variable", []string{"NATS_CONTEXT=jwt"}, []string{"--context", "prod"}, exitDone, "n1    ready"},
		{"another password", []string{"NATS_PASSWORD=hunter3"}, []string{"--context", "prod"}, exitRefused, "Authorization Violation"},
		{"another user, who has no password", nil, []string{"--context", "prod", "--user", "app"}, exitRefused, "Authorization Violation"},
		{"another server", []string{"NATS_URL=nats://127.0.0.1:1"}, []string{"--context", "prod"}, exitUnreachable, "no servers"},
		{"no context", nil, []string{"--server", address}, exitRefused, "Authorization Violation"},
		{"an unknown one", nil, []string{"--context", "nobody"}, exitUsage, `context "nobody": open `},
		{"one that cannot be followed", nil, []string{"--context", "jwt"}, exitUsage, `context "jwt": user_jwt: not supported here`},
	} {
		code, out := runIn(t, append(environ, c.environ...), append([]string{"status"}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.want) || strings.Contains(out, "hunter") {
			t.Errorf("%s: got %d, %s, want %d, %q", c.what, code, out, c.code, c.want)
		}
	}
	if strings.Contains(said.String(), "hunter2") {
		t.Errorf("the node tells its password: %s", said)
	}
}

// TestSelectedContext holds that the context that the CLI has selected is not followed unless somebody asks for one.
func TestSelectedContext(t *testing.T) {
	environ := contexts(t, map[string]string{"prod": `{"url":"nats://127.0.0.1:1"}`})
	if code, out := runIn(t, environ, "config", "print"); code != exitDone || !strings.Contains(out, `server: ["nats://127.0.0.1:4222"]`) {
		t.Errorf("got %d, %s", code, out)
	}
	if code, out := runIn(t, environ, "config", "print", "--context", "prod"); code != exitDone || !strings.Contains(out, `# context prod`) {
		t.Errorf("got %d, %s", code, out)
	}
}
