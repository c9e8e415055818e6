package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"natsaccord/bus"
)

const apiPage = "../../docs/api.md"

// examples matches an example: a command, and what it answers.
func examples() *regexp.Regexp {
	return regexp.MustCompile("(?s)```sh\n(nats req [^\n]*)\n```\n\n```json\n(.*?)\n```")
}

// TestAPIExamples runs the examples of docs/api.md, in their order, against one cluster, and compares what they
// answer with what the page says: all of it but for ids, positions and times, which have to be the same where
// they are the same on the page. ACCORD_UPDATE_DOCS=1 writes the page anew.
func TestAPIExamples(t *testing.T) {
	page, err := os.ReadFile(apiPage)
	if err != nil {
		t.Fatal(err)
	}
	if found := examples().FindAllIndex(page, -1); len(found) < 10 || len(found) != strings.Count(string(page), "```sh\nnats req") {
		t.Fatalf("found %d examples", len(found))
	}
	cli, server := natsCLI(t), serverOf(t, startDev(t, "--memory"))
	w := &witness{names: make(map[string]string)}
	written := examples().ReplaceAllStringFunc(string(page), func(example string) string {
		parts := examples().FindStringSubmatch(example)
		command := w.rename(parts[1])
		answer := answerOf(t, cli, server, command)
		w.compare(parts[1], parts[2], answer)
		return strings.NewReplacer(parts[1], command, parts[2], layOut(answer)).Replace(example)
	})
	if os.Getenv("ACCORD_UPDATE_DOCS") == "1" {
		if err := os.WriteFile(apiPage, []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, difference := range w.differences {
		t.Error(difference)
	}
}

func answerOf(t *testing.T, cli, server, command string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(cli)+":"+os.Getenv("PATH"), "HOME="+t.TempDir(), "NATS_URL="+server)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return gathered(strings.TrimSpace(string(out)))
}

// gathered puts replies to several appends in one message in one, in the order of the appends: they come as they will.
func gathered(answer string) string {
	var all bus.AppendsReply
	for d := json.NewDecoder(strings.NewReader(answer)); d.More(); {
		var m bus.AppendsReply
		if err := d.Decode(&m); err != nil || m.Type != bus.TypeAppendsReply {
			return answer
		}
		all.Type, all.Replies, all.Left = m.Type, append(all.Replies, m.Replies...), m.Left
	}
	slices.SortFunc(all.Replies, func(a, b bus.IndexedReply) int { return a.Index - b.Index })
	encoded, err := bus.Encode(all)
	if err != nil {
		return answer
	}
	return string(encoded)
}

// witness compares answers with those of another time, up to the names that are made anew each time.
type witness struct {
	names       map[string]string // on the page → here
	differences []string
}

func (w *witness) compare(command, page, answer string) {
	var want, got any
	if err := json.Unmarshal([]byte(page), &want); err != nil {
		w.differ(command, "the page", err.Error(), page)
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		w.differ(command, "the answer", err.Error(), answer)
	}
	w.walk(command, "", want, got)
}

func (w *witness) differ(command, where string, want, got any) {
	w.differences = append(w.differences, fmt.Sprintf("%s: %s is %v, the page says %v", command, where, got, want))
}

func (w *witness) walk(command, where string, want, got any) {
	key := where[strings.LastIndexByte(where, '.')+1:]
	switch want := want.(type) {
	case map[string]any:
		w.object(command, where, want, got)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			w.differ(command, where, want, got)
			return
		}
		for i := range want {
			w.walk(command, where, want[i], list[i])
		}
	case string:
		text, ok := got.(string)
		if !ok || !w.same(key, want, text) {
			w.differ(command, where, want, got)
		}
	default:
		if want != got && !slices.Contains([]string{"lag", "publishing"}, key) {
			w.differ(command, where, want, got)
		}
	}
}

// object compares objects, of counters only that there are those which the page names.
func (w *witness) object(command, where string, want map[string]any, got any) {
	object, ok := got.(map[string]any)
	if !ok {
		w.differ(command, where, want, got)
		return
	}
	counters := strings.HasSuffix(where, ".counters")
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, there := object[name]; !there {
			w.differ(command, where+"."+name, want[name], "missing")
		} else if !counters && name != "digest" { // which is of some moments before
			w.walk(command, where+"."+name, want[name], object[name])
		}
	}
	for name := range object {
		if _, known := want[name]; !known && !counters && name != "digest" { // which is there once it is made
			w.differ(command, where+"."+name, "nothing", object[name])
		}
	}
}

// madeAnew matches positions, TxnIDs, ULIDs and times.
func madeAnew() *regexp.Regexp {
	return regexp.MustCompile(`\b(?:[0-9a-v]{28}|[0-9a-v]{24}|[0-9A-HJKMNP-TV-Z]{26}|20[0-9-]{8}T[0-9:.]+Z)\b`)
}

// same compares texts. What is made anew has one name here for each on the page; what depends on the moment or
// on who answers has to be of the same kind.
func (w *witness) same(key, want, got string) bool {
	kind := func(s string) string {
		return madeAnew().ReplaceAllStringFunc(s, func(name string) string { return fmt.Sprintf("<%d>", len(name)) })
	}
	switch {
	case slices.Contains([]string{"path", "node", "recorded_at", "last_at", "frontier_at", "seen"}, key):
		return got != ""
	case slices.Contains([]string{"frontier", "next", "description"}, key) || madeAnew().FindString(want) != want:
		return kind(want) == kind(got)
	case kind(want) != kind(got):
		return false
	}
	known, named := w.names[want]
	if !named {
		w.names[want] = got
	}
	return !named || known == got
}

// rename puts the names of this time into a command.
func (w *witness) rename(command string) string {
	return madeAnew().ReplaceAllStringFunc(command, func(name string) string {
		if here, known := w.names[name]; known {
			return here
		}
		return name
	})
}

// layOut breaks an answer's first level and its lists of objects into lines. Of counters a few will do, and a digest is
// not there every time.
func layOut(answer string) string {
	answer = regexp.MustCompile(`,"digest":\{[^}]*\}`).ReplaceAllString(answer, "")
	for _, list := range []string{"replies", "streams", "events", "subscribers", "peers", "counters", "error", "detail", "duplicate", "next"} {
		answer = strings.ReplaceAll(answer, `,"`+list+`":`, ",\n "+`"`+list+`":`)
	}
	answer = strings.ReplaceAll(answer, `},{"`, "},\n   "+`{"`)
	counters := regexp.MustCompile(`"(fast|slow|recovered|syncs)":\d+`)
	return regexp.MustCompile(`"counters":\{[^}]*\}`).ReplaceAllStringFunc(answer, func(all string) string {
		return `"counters":{` + strings.Join(counters.FindAllString(all, -1), ",") + `}`
	})
}

// TestWitnessSeesDifferences holds that the test above can fail.
func TestWitnessSeesDifferences(t *testing.T) {
	const position, other = "000000000pgfbmop6ikg20030000", "000000000pgfbmop6ikg20040000"
	for _, c := range []struct {
		what, page, answer string
		differences        int
	}{
		{"the same", `{"a":1,"b":["x"]}`, `{"b":["x"],"a":1}`, 0},
		{"another number", `{"a":1}`, `{"a":2}`, 1},
		{"another text", `{"a":"x"}`, `{"a":"y"}`, 1},
		{"a field too many", `{"a":1}`, `{"a":1,"b":1}`, 1},
		{"a field too few", `{"a":1,"b":1}`, `{"a":1}`, 1},
		{"a shorter list", `{"a":[1,2]}`, `{"a":[1]}`, 1},
		{"renamed", `{"a":"` + position + `","b":"` + position + `"}`, `{"a":"` + other + `","b":"` + other + `"}`, 0},
		{"renamed in two ways", `{"a":"` + position + `","b":"` + position + `"}`, `{"a":"` + other + `","b":"` + position + `"}`, 1},
		{"no position", `{"a":"` + position + `"}`, `{"a":"x"}`, 1},
		{"counters", `{"x":{"counters":{"a":1}}}`, `{"x":{"counters":{"a":2,"b":3}}}`, 0},
		{"no JSON", `{"a":1}`, `nothing`, 2},
	} {
		w := &witness{names: make(map[string]string)}
		if w.compare("c", c.page, c.answer); len(w.differences) != c.differences {
			t.Errorf("%s: got %q, want %d differences", c.what, w.differences, c.differences)
		}
	}
}
