package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
// own in this process, the nats command as it stands. Those that need a machine of their own are listed, and
// parsed at least.
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
		case command == "go test ./...", strings.Contains(command, "--store postgres://"):
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

func TestMigrate(t *testing.T) {
	store := "sqlite:" + filepath.Join(t.TempDir(), "a.db")
	for _, step := range []struct{ op, want string }{{"status", "missing"}, {"up", "applied"}, {"status", "applied"}} {
		if code, out := run(t, "migrate", step.op, "--store", store); code != exitDone || !strings.Contains(strings.Join(strings.Fields(out), " "), "00001_tables.sql "+step.want) {
			t.Errorf("migrate %s: got %d, %q, want %s", step.op, code, out, step.want)
		}
	}
}
