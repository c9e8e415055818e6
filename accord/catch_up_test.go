package accord_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"natsaccord/accord/accordtest"
)

// handle has an Env run one command, given as in a script.
func handle(t *testing.T, env *accordtest.Env, command string) string {
	t.Helper()
	d := &datadriven.TestData{Pos: command}
	for i, word := range strings.Fields(command) {
		key, value, _ := strings.Cut(word, "=")
		if i == 0 {
			d.Cmd = key
			continue
		}
		d.CmdArgs = append(d.CmdArgs, datadriven.CmdArg{Key: key, Vals: strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune("(),", r) })})
	}
	transcript := env.Handle(t, d)
	if strings.Contains(transcript, "VIOLATION") {
		t.Fatal(transcript)
	}
	return transcript
}

// watermark returns a node's watermark, microseconds.
func watermark(t *testing.T, env *accordtest.Env, node int) int {
	t.Helper()
	state := handle(t, env, fmt.Sprintf("state node=%d", node))
	found := regexp.MustCompile(`watermark=(\d+)\.`).FindStringSubmatch(state)
	if found == nil {
		return 0
	}
	at, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestNodeFarBehindCatchesUpUnderLoad: whatever was decided while a node was down waits there for fence after fence.
// The others go on fencing meanwhile, so it has to take its steps faster than they do.
func TestNodeFarBehindCatchesUpUnderLoad(t *testing.T) {
	const (
		interval = 30_000 // between fences
		rounds   = 60
	)
	env := accordtest.NewEnv()
	handle(t, env, "nodes n=3")
	handle(t, env, "crash node=3")
	now := 0
	load := func() {
		for range rounds {
			now += interval
			handle(t, env, fmt.Sprintf("submit node=1 at=%d keys=(k%d)", now, now/interval%3))
			handle(t, env, fmt.Sprintf("tick for=%d", interval))
		}
	}
	load()
	if ahead := watermark(t, env, 1); ahead < (rounds-5)*interval {
		t.Fatalf("node 1 came to %d in %d rounds", ahead, rounds)
	}
	handle(t, env, fmt.Sprintf("restart node=3 at=%d", now))
	load()
	ahead, behind := watermark(t, env, 1), watermark(t, env, 3)
	if behind < ahead-2*interval {
		t.Errorf("node 3 is at %d when node 1 is at %d", behind, ahead)
	}
	t.Logf("node 1 is at %d, node 3 at %d", ahead, behind)
}
