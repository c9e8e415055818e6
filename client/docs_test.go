package client_test

import (
	"os"
	"strings"
	"testing"
)

// TestDocsRun holds that the Go code of these pages stands in an example, which runs.
func TestDocsRun(t *testing.T) {
	for page, example := range map[string]string{
		"../docs/subscribers.md": "example_consume_test.go", "../docs/aggregates.md": "example_aggregate_test.go",
		"../docs/tags.md": "example_tags_test.go",
	} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(example)
		if err != nil {
			t.Fatal(err)
		}
		code := string(source) + strings.ReplaceAll(string(source), "\n\t", "\n") // what stands in functions is shown without
		blocks := strings.Split(string(text), "```go\n")[1:]
		if len(blocks) == 0 {
			t.Errorf("%s has no code", page)
		}
		for _, block := range blocks {
			block, _, _ = strings.Cut(block, "```")
			if !strings.Contains(code, block) {
				t.Errorf("%s has code that is not in %s:\n%s", page, example, block)
			}
		}
	}
}
