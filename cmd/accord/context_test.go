package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
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

// TestOneIdentity holds that nobody's password goes along with who somebody else is: a context, a file and variables are not mixed.
func TestOneIdentity(t *testing.T) {
	environ := contexts(t, map[string]string{
		"prod":  `{"url":"tls://prod:4222","creds":"/prod.creds"}`,
		"guest": `{"url":"tls://guest:4222","user":"guest","password":"hunter2","cert":"guest.pem","key":"guest.key"}`,
	})
	alice := written(t, "alice.yaml", "user: alice\npassword: hunter2\nserver: tls://mine\ntlscert: alice.pem\ntlskey: alice.key\n")
	creds := written(t, "creds.yaml", "creds: n1.creds\n")
	for _, c := range []struct {
		what    string
		environ []string
		args    []string
		given   []string // and where they are from
	}{
		{"a file", nil, []string{"--config", alice}, []string{"user file", "password file", "tlscert file", "tlskey file"}},
		{"a context over a file", nil, []string{"--config", alice, "--context", "prod"}, []string{"creds context", "tlscert file", "tlskey file"}},
		{"a context's user over a file's", nil, []string{"--config", alice, "--context", "guest"}, []string{"user context", "password context", "tlscert context", "tlskey context"}},
		{"variables over a file", []string{"NATS_USER=u", "NATS_PASSWORD=hunter2"}, []string{"--config", creds}, []string{"user environment", "password environment"}},
		{"a token over a file", nil, []string{"--config", alice, "--token", "hunter2"}, []string{"token flag", "tlscert file", "tlskey file"}},
		{"a password for a file's user", []string{"NATS_PASSWORD=hunter2"}, []string{"--config", alice}, []string{"user file", "password environment", "tlscert file", "tlskey file"}},
		{"a certificate over a context's", []string{"NATS_CERT=mine.pem"}, []string{"--context", "guest"}, []string{"user context", "password context", "tlscert environment"}},
	} {
		code, out := runIn(t, append(environ, c.environ...), append([]string{"config", "print"}, c.args...)...)
		if code != exitDone || strings.Contains(out, "hunter2") {
			t.Errorf("%s: got %d, %s", c.what, code, out)
		}
		if got, want := originsOf(out), strings.Join(c.given, ", "); got != want {
			t.Errorf("%s: got %s, want %s", c.what, got, want)
		}
	}
}

// originsOf returns who config print says somebody is, and where that is from.
func originsOf(printed string) string {
	var given []string
	for _, name := range []string{"user", "creds", "nkey", "token", "password", "tlscert", "tlskey"} {
		found := regexp.MustCompile(`(?m)^` + name + `: .*# (\w+)`).FindStringSubmatch(printed)
		if found == nil || found[1] != "default" {
			given = append(given, name+" "+strings.Join(found[min(1, len(found)):], ""))
		}
	}
	return strings.Join(given, ", ")
}

// TestOwnServerNeedsNoContext holds that what environment and file say of another NATS server does not keep a node from its own.
func TestOwnServerNeedsNoContext(t *testing.T) {
	environ := contexts(t, map[string]string{"prod": `{"url":"tls://prod:4222","creds":"/prod.creds","ca":"/prod.pem","inbox_prefix":"_INBOX_prod"}`})
	path := written(t, "a.yaml", "node: n1\nsingle: true\nstore: \"sqlite::memory:\"\nembedded-nats: true\nserver: tls://mine\nuser: alice\npassword: hunter2\n")
	for _, more := range [][]string{
		{"NATS_CONTEXT=prod"}, {"NATS_CONTEXT=nobody"}, {"ACCORD_CONTEXT=prod"}, {"NATS_CA=/nowhere/at/all", "NATS_CREDS=/nowhere/at/all", "NATS_URL=nats://h.example.com", "NATS_CERT=c.pem"},
	} {
		environ := append(environ, append(more, "ACCORD_CONFIG="+path)...)
		if code, out := runIn(t, environ, "config", "check"); code != exitDone {
			t.Errorf("%v: config check: got %d, %s", more, code, out)
		}
		code, out := runIn(t, environ, "config", "print")
		for _, name := range []string{"server", "context", "creds", "user", "password", "tlscert", "tlsca", "inbox-prefix"} {
			if code != exitDone || !regexp.MustCompile(`(?m)^`+name+`: .*# default$`).MatchString(out) {
				t.Errorf("%v: config print: got %d, %s, want %s not set", more, code, out, name)
			}
		}
	}
	t.Run("node", func(t *testing.T) {
		taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:4222")
		if err != nil {
			t.Skip(err)
		}
		taken.Close()
		startNodeIn(t, append(environ, "NATS_CONTEXT=prod", "NATS_CA=/nowhere/at/all", "ACCORD_CONFIG="+path), []string{"node"})
		awaitReady(t, "nats://127.0.0.1:4222", 1)
	})
}
