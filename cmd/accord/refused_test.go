package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNodeIsRefusedAsItsCheck holds that config check finds what a node would not start with, and that a node then ends before it has a page, a
// database or a connection.
func TestNodeIsRefusedAsItsCheck(t *testing.T) {
	dir := t.TempDir()
	noPEM := written(t, "no.pem", "nothing")
	nowhere := filepath.Join(dir, "nowhere")
	store := filepath.Join(dir, "n1.db")
	many := "n1"
	for i := range 63 {
		many += fmt.Sprintf(",x%d", i)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--node", "n\xff"}, `--node is "n\xff"`},
		{[]string{"--node", "n 1", "--cluster", "n 1"}, `--node is "n 1"`},
		{[]string{"--cluster", "n1,n1"}, `--cluster names "n1" twice`},
		{[]string{"--cluster", "n1,n 2"}, `--cluster is "n 2"`},
		{[]string{"--cluster", "n1,"}, `--cluster is ""`},
		{[]string{"--cluster-name", "x y"}, `--cluster-name is "x y"`},
		{[]string{"--cluster-name", ""}, `--cluster-name is ""`},
		{[]string{"--cluster-name", strings.Repeat("x", 64), "--electorate", "n1,n2"}, "--cluster-name and who decides in one round is"},
		{[]string{"--prefix", "a b"}, "--prefix: "},
		{[]string{"--prefix", "a..b"}, "--prefix: "},
		{[]string{"--scrub-rate", "-5"}, "--scrub-rate is -5"},
		{[]string{"--retention", "-1h"}, "--retention is -1h"},
		{[]string{"--drain", "-1s"}, "--drain is -1s"},
		{[]string{"--scrub-every", "-5s"}, "--scrub-every is -5s"},
		{[]string{"--creds", nowhere}, "credentials " + nowhere},
		{[]string{"--creds", noPEM}, "credentials " + noPEM},
		{[]string{"--nkey", nowhere}, "nkey seed " + nowhere},
		{[]string{"--tlsca", nowhere}, "authorities: open " + nowhere},
		{[]string{"--tlsca", noPEM}, noPEM + " holds no certificate"},
		{[]string{"--tlscert", nowhere, "--tlskey", noPEM}, "certificate " + nowhere},
		{[]string{"--tlscert", noPEM, "--tlskey", nowhere}, "certificate " + noPEM},
		{[]string{"--tlskey", noPEM}, "go together"},
		{[]string{"--inbox-prefix", "a.>"}, `InboxPrefix is "a.>"`},
		{[]string{"--inbox-prefix", "a b"}, `InboxPrefix is "a b"`},
		{[]string{"--inbox-prefix", "a."}, `InboxPrefix is "a."`},
		{[]string{"--store", "sqlite:"}, "sqlite: without a path"},
		{[]string{"--http", "127.0.0.1:99999"}, `--http is "127.0.0.1:99999"`},
		{[]string{"--http", "127.0.0.1:nothing"}, `--http is "127.0.0.1:nothing"`},
		{[]string{"--http", "127.0.0.1"}, `--http is "127.0.0.1"`},
	} {
		for _, command := range [][]string{{"config", "check"}, {"node"}} {
			environ := []string{"ACCORD_NODE=n1", "ACCORD_CLUSTER=n1,n2,n3", "ACCORD_STORE=sqlite:" + store, "ACCORD_SERVER=nats://127.0.0.1:1", "ACCORD_HTTP=127.0.0.1:0"}
			code, out := runIn(t, environ, append(command, c.args...)...)
			if code != exitUsage || !strings.Contains(out, c.want) || strings.Contains(out, "HTTP is served") {
				t.Errorf("accord %s %q: got %d, %s, want %d, %q", strings.Join(command, " "), c.args, code, out, exitUsage, c.want)
			}
			if _, err := os.Stat(store); !os.IsNotExist(err) {
				t.Fatalf("accord %s %q: it made a database: %v", strings.Join(command, " "), c.args, err)
			}
		}
	}
	if code, out := run(t, "config", "check", "--node", "n1", "--cluster", many, "--store", "sqlite:"+store); code != exitUsage || !strings.Contains(out, "want at most 63") {
		t.Errorf("64 nodes: got %d, %s", code, out)
	}
	for _, args := range [][]string{{"--prefix", "a.b"}, {"--inbox-prefix", "_INBOX.n1"}, {"--http", ":8080"}, {"--http", "[::1]:http"}, {"--scrub-every", "1s", "--scrub-rate", "1"}} {
		args = append([]string{"config", "check", "--node", "n1", "--cluster", "n1,n2,n3", "--store", "sqlite:" + store}, args...)
		if code, out := run(t, args...); code != exitDone {
			t.Errorf("accord %q: got %d, %s, want it valid", args, code, out)
		}
	}
	if code, out := run(t, "dev", "--scrub-rate", "-5"); code != exitUsage || !strings.Contains(out, "--scrub-rate is -5") {
		t.Errorf("dev: got %d, %s", code, out)
	}
}
