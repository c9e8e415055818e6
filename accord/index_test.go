package accord_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// The documents that say which schedules there are, and what covers each.
const (
	protocolPage   = "../docs/protocol.md"
	simulationPage = "../docs/simulation.md"
)

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// found returns the first group of every match, once.
func found(expr, text string) []string {
	names := make(map[string]bool)
	for _, match := range regexp.MustCompile(expr).FindAllStringSubmatch(text, -1) {
		names[match[1]] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// TestEverySchedule holds docs/simulation.md to what there is: every schedule of the protocol has a line that
// names what covers it or why nothing does, every script is named, and everything that is named exists.
func TestEverySchedule(t *testing.T) {
	index := page(t, simulationPage)
	for _, schedule := range found(`\* \*\*(D\d+)`, page(t, protocolPage)) {
		line := regexp.MustCompile(`(?m)^\| ` + schedule + ` \| .*(\.txt|Test|I\d+|not: )`)
		if !line.MatchString(index) {
			t.Errorf("%s does not say what covers schedule %s", simulationPage, schedule)
		}
	}
	var scripts []string
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		scripts = append(scripts, filepath.Base(file))
	}
	if named := found(`(\w+\.txt)`, index); !slices.Equal(named, scripts) {
		t.Errorf("%s names %v,\nthere are %v", simulationPage, named, scripts)
	}
	for _, name := range found(`(Test\w+)`, index) {
		if !hasTest(t, name) {
			t.Errorf("%s names %s, which does not exist", simulationPage, name)
		}
	}
}

// hasTest tells whether some package has a test of that name.
func hasTest(t *testing.T, name string) bool {
	t.Helper()
	var files []string
	for _, pattern := range []string{"../*/*_test.go", "../*/*/*_test.go"} {
		some, _ := filepath.Glob(pattern)
		files = append(files, some...)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		return regexp.MustCompile(`(?m)^func ` + name + `\(`).MatchString(page(t, file))
	})
}
