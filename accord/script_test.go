package accord_test

import (
	"testing"

	"github.com/cockroachdb/datadriven"

	"natsaccord/accord/accordtest"
)

// TestScripts runs testdata/*.txt: each shows one behaviour of the protocol. Run with -rewrite to have the
// transcripts written anew, and read the difference.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		env := accordtest.NewEnv()
		datadriven.RunTest(t, path, env.Handle)
	})
}
