package accordtest_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
)

// simulationPage has the table of planted bugs, one row each: | name | seed | invariant |.
const simulationPage = "../../docs/simulation.md"

// finding is a seed that finds a planted bug, and the invariant that it breaks.
type finding struct {
	seed uint64
	by   string
}

// mutantTable is the page.
type mutantTable struct {
	mu   sync.Mutex
	text string
}

func readTable(t *testing.T) *mutantTable {
	t.Helper()
	text, err := os.ReadFile(simulationPage)
	if err != nil {
		t.Fatal(err)
	}
	return &mutantTable{text: string(text)}
}

// row finds a planted bug's row.
func row(name string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(name) + ` \| (\d+) \| (\w+) \|$`)
}

func (m *mutantTable) found(name string) (f finding, is bool) {
	match := row(name).FindStringSubmatch(m.text)
	if match == nil {
		return f, false
	}
	seed, err := strconv.ParseUint(match[1], 10, 64)
	return finding{seed, match[2]}, err == nil
}

func (m *mutantTable) set(name string, f finding) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.text = row(name).ReplaceAllLiteralString(m.text, fmt.Sprintf("| %s | %d | %s |", name, f.seed, f.by))
}

func (m *mutantTable) write(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(simulationPage, []byte(m.text), 0o644); err != nil {
		t.Error(err)
	}
}
