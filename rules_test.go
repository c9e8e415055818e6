package natsaccord_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed names, for each package, which of this module's packages it may import. A package that is not listed
// may import none; tests are free.
func allowed() map[string][]string {
	return map[string][]string{
		"accord":            {"accord/quorum"},
		"accord/accordtest": {"accord", "accord/quorum"},
		"event/eventtest":   {"event"},
		"node":              {"accord", "accord/quorum", "event"},
		"node/nodetest":     {"accord", "node", "sqlstore"},
		"bus":               {"accord", "event"},
		"live":              {"event"},
		"digest":            {"event"},
		"sqlstore":          {"accord", "event", "journal"},
		"client":            {"event", "bus"},
		"client/load":       {"event"},
		"dashboard":         {"bus", "event"},
		"cmd/accord":        {"accord", "accord/quorum", "bus", "client", "client/load", "dashboard", "digest", "embeddednats", "event", "live", "natscontext", "node", "settings", "sqlstore"},
	}
}

// impure names the packages of the standard library that the protocol core must not import.
func impure() []string {
	return []string{"os", "net", "time", "sync", "sync/atomic", "context", "log", "log/slog", "math/rand", "math/rand/v2", "database/sql"}
}

// violations checks lines of "package import import…".
func violations(lines []string) []string {
	const module = "natsaccord"
	var found []string
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(fields[0], module), "/")
		for _, imported := range fields[1:] {
			own, isOwn := strings.CutPrefix(imported, module+"/")
			if isOwn && !slices.Contains(allowed()[name], own) {
				found = append(found, name+" imports "+own)
			}
			if (name == "accord" || name == "accord/quorum") && slices.Contains(impure(), imported) {
				found = append(found, name+" imports "+imported)
			}
		}
	}
	return found
}

func TestImports(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Split(string(out), "\n")
	if len(lines) < 8 {
		t.Fatalf("go list found %d packages only", len(lines))
	}
	for _, v := range violations(lines) {
		t.Error(v)
	}
}

func TestImportRuleFindsViolations(t *testing.T) {
	for _, line := range []string{
		"natsaccord/accord fmt time",
		"natsaccord/accord natsaccord/event",
		"natsaccord/bus natsaccord/node",
		"natsaccord/dashboard natsaccord/node",
		"natsaccord/event natsaccord/accord",
		"natsaccord/unheard natsaccord/event",
	} {
		if len(violations([]string{line})) != 1 {
			t.Errorf("%q is not found", line)
		}
	}
	if v := violations([]string{"natsaccord/node natsaccord/accord context time"}); v != nil {
		t.Errorf("found %v where nothing is wrong", v)
	}
}
