package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// screen is where a command prints, readable while it runs.
type screen struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func newScreen() *screen { return &screen{changed: make(chan struct{}, 1)} }

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return s.buf.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// startDev runs accord dev until the test ends, and returns what it greeted with.
func startDev(t *testing.T, args ...string) string {
	t.Helper()
	return startDevIn(t, nil, args...)
}

// startDevIn does so in an environment.
func startDevIn(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, ended := newScreen(), make(chan int, 1)
	go func() {
		ended <- Main{Stdin: strings.NewReader(""), Stdout: out, Stderr: io.Discard, Environ: environ}.Run(ctx, append([]string{"dev"}, args...))
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitDone {
			t.Errorf("dev ended with %d", code)
		}
	})
	for !strings.Contains(out.String(), "accord read") {
		select {
		case <-out.changed:
		case code := <-ended:
			ended <- code
			t.Fatalf("dev ended with %d: %s", code, out)
		}
	}
	return out.String()
}

// run runs one command and returns its exit code and what it printed.
func run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	return runIn(t, nil, args...)
}

// runIn does so in an environment.
func runIn(t *testing.T, environ []string, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Environ: environ}.Run(t.Context(), args)
	return code, out.String()
}

func serverOf(t *testing.T, greeting string) string {
	t.Helper()
	found := regexp.MustCompile(`nats://\S+`).FindString(greeting)
	if found == "" {
		t.Fatalf("no NATS URL in %q", greeting)
	}
	return found
}

func TestDevTakesTheRealInput(t *testing.T) {
	server := serverOf(t, startDev(t))
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"import", realInput, "--concurrency", "32"}, "1419 committed (3735 events), 0 duplicates, 0 refused, 0 unknown"},
		{[]string{"verify"}, "3 nodes agree on 3735 events"},
		{[]string{"import", realInput}, "0 committed (0 events), 1419 duplicates, 0 refused, 0 unknown"},
		{[]string{"verify"}, "3 nodes agree on 3735 events"},
		{[]string{"status"}, "n3    ready"},
		{[]string{"head", "file.raft.go"}, "version "},
		{[]string{"read", "file..gitignore"}, "file..gitignore  1  FileChanged"},
	} {
		code, out := run(t, append(step.args, "--server", server)...)
		if code != exitDone || !strings.Contains(out, step.want) {
			t.Errorf("accord %v: got %d, %q, want %q", step.args, code, out, step.want)
		}
	}
	checkLogs(t, server, 3735)
}

func TestPasteLine(t *testing.T) {
	cli := natsCLI(t)
	greeting := startDev(t, "--memory")
	server := serverOf(t, greeting)
	line := regexp.MustCompile(`nats req.*`).FindString(greeting)
	cmd := exec.Command("sh", "-c", line)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(cli)+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"outcome":"committed"`) {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	for _, node := range []string{"n1", "n2", "n3"} {
		code, out := run(t, "read", "account.alice", "--node", node, "--server", server)
		if code != exitDone || !strings.Contains(out, `account.alice  1  Opened  {"balance":100}`) {
			t.Errorf("%s: got %d, %q", node, code, out)
		}
	}
}

// natsCLI builds the nats command, which lands in the build cache for the next time.
func natsCLI(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "install", "github.com/nats-io/natscli/nats@v0.5.1")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("ACCORD_REQUIRE_NATSCLI") == "1" {
			t.Fatalf("build the nats command: %v: %s", err, out)
		}
		t.Skipf("skipped without the nats command, which could not be built: %v", err)
	}
	return filepath.Join(dir, "nats")
}

func TestExitCodes(t *testing.T) {
	server := serverOf(t, startDev(t, "--memory"))
	on := func(args ...string) []string { return append(args, "--server", server) }
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{on("append", "account.x", `{"n":1}`, "--expect", "none", "--request-id", "first"), exitDone, "version 1"},
		{on("append", "account.x", `{"n":1}`, "--expect", "none", "--request-id", "first"), exitDone, "duplicate"},
		{on("append", "account.x", `{"n":2}`, "--expect", "none"), exitRefused, "account.x is at version 1, want none"},
		{on("append", "account.x", `{"n":2}`, "--request-id", "first"), exitRefused, "used for other content"},
		{on("append", "account.x", `{`), exitRefused, "not JSON"},
		{on("txn", "first"), exitDone, "committed"},
		{on("txn", "never"), exitRefused, "not found"},
		{on("append", "account.x"), exitUsage, "accepts 2 arg"},
		{[]string{"frobnicate"}, exitUsage, "unknown command"},
		{[]string{"status", "--nonsense"}, exitUsage, "unknown flag"},
		{[]string{"status", "--server", "nats://127.0.0.1:1"}, exitUnreachable, "no servers"},
		{[]string{"status", "--server", "nats://nats.example.com:4222"}, exitRefused, "is not encrypted and not on this machine"},
		{on("status", "--prefix", "nobody"), exitUnreachable, "nobody answers"},
	} {
		if code, out := run(t, c.args...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("accord %v: got %d, %q, want %d, %q", c.args, code, out, c.code, c.want)
		}
	}
}
