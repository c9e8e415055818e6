package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"natsaccord/embeddednats"
	"natsaccord/sqlstore/pgtest"
)

// readmeCommands returns the lines of the README's shell blocks, those joined that end in a backslash.
func readmeCommands(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		for _, line := range strings.Split(strings.ReplaceAll(block[1], "\\\n", " "), "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				commands = append(commands, line)
			}
		}
	}
	return commands
}

// TestReadme runs the README's commands, in its order, against the cluster that its first one starts: accord's
// own in this process, the nats command as it stands. TestReadmeCluster runs what needs Postgres; all tests are run by
// whoever runs this one.
func TestReadme(t *testing.T) {
	commands := readmeCommands(t)
	if len(commands) < 6 || commands[0] != "go run ./cmd/accord dev" {
		t.Fatalf("got commands %q, want the README to begin with go run ./cmd/accord dev", commands)
	}
	cli := natsCLI(t)
	server := serverOf(t, startDev(t))
	t.Chdir("../..")
	for _, command := range commands[1:] {
		args, own := strings.CutPrefix(command, "go run ./cmd/accord ")
		switch {
		case command == "go test ./...", strings.HasPrefix(args, "node "):
		case own:
			if code, out := run(t, append(strings.Fields(args), "--server", server)...); code != exitDone {
				t.Errorf("%s: got %d, %s", command, code, out)
			}
		case strings.HasPrefix(command, "nats "):
			cmd := exec.Command("sh", "-c", strings.Replace(command, "nats ", "nats --server "+server+" ", 1))
			cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(cli)+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), `"outcome":"committed"`) {
				t.Errorf("%s: %v: %s", command, err, out)
			}
		default:
			t.Errorf("nobody knows how to test %q", command)
		}
	}
}

// TestReadmeCluster runs the README's command for one node three times, as it says, each with a name and a database of its own.
func TestReadmeCluster(t *testing.T) {
	commands := readmeCommands(t)
	i := slices.IndexFunc(commands, func(command string) bool { return strings.HasPrefix(command, "go run ./cmd/accord node ") })
	if i < 0 {
		t.Fatalf("no command for a node in %q", commands)
	}
	var postgres pgtest.Server
	t.Cleanup(func() {
		if err := postgres.Stop(); err != nil {
			t.Error(err)
		}
	})
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{Port: embeddednats.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	for _, name := range []string{"n1", "n2", "n3"} {
		args := strings.Fields(strings.TrimPrefix(commands[i], "go run ./cmd/accord "))
		for flag, value := range map[string]string{"--node": name, "--server": server.URL(), "--store": postgres.Database(t)} {
			at := slices.Index(args, flag)
			if at < 0 || at+1 == len(args) {
				t.Fatalf("%q has no %s", commands[i], flag)
			}
			args[at+1] = value
		}
		startNode(t, args)
	}
	awaitReady(t, server.URL(), 3)
	if code, out := run(t, "append", "account.alice", "1", "--server", server.URL()); code != exitDone {
		t.Errorf("append: got %d, %s", code, out)
	}
	if code, out := run(t, "verify", "--server", server.URL()); code != exitDone || !strings.Contains(out, "3 nodes agree on 1 events") {
		t.Errorf("verify: got %d, %s", code, out)
	}
}

// startNode runs a node until the test ends.
func startNode(t *testing.T, args []string) {
	t.Helper()
	startNodeIn(t, nil, args)
}

// startNodeIn does so in an environment, and returns where the node prints.
func startNodeIn(t *testing.T, environ, args []string) *screen {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	said, ended := newScreen(), make(chan int, 1)
	go func() {
		ended <- Main{Stdin: strings.NewReader(""), Stdout: said, Stderr: said, Environ: environ}.Run(ctx, args)
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitDone {
			t.Errorf("accord %v: got %d, %s", args, code, said)
		}
	})
	return said
}

// awaitReady asks for the status until so many nodes are ready.
func awaitReady(t *testing.T, server string, nodes int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		code, out := run(t, "status", "--server", server)
		if code == exitDone && strings.Count(out, " ready ") == nodes {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("%d nodes never got ready: %d, %s", nodes, code, out)
		}
	}
}

func TestMigrate(t *testing.T) {
	store := "sqlite:" + filepath.Join(t.TempDir(), "a.db")
	for _, step := range []struct{ op, want string }{{"status", "missing"}, {"up", "applied"}, {"status", "applied"}} {
		if code, out := run(t, "migrate", step.op, "--store", store); code != exitDone || !strings.Contains(strings.Join(strings.Fields(out), " "), "00001_tables.sql "+step.want) {
			t.Errorf("migrate %s: got %d, %q, want %s", step.op, code, out, step.want)
		}
	}
}
