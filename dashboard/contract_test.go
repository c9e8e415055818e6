package dashboard_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"natsaccord/accord"
	"natsaccord/bus"
)

// matches returns what an expression's group finds in a file of the page.
func matches(t *testing.T, file, expression string) (found []string) {
	t.Helper()
	text, err := os.ReadFile("ui/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(string(text), -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		t.Fatalf("%s has nothing like %s", file, expression)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// fields returns what a wire type's fields are called.
func fields(of any) (names []string) {
	for i, kind := 0, reflect.TypeOf(of); i < kind.NumField(); i++ {
		name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// TestScriptFindsWhatItWants holds the script to the page and to the status: nobody else would notice that a name has changed.
func TestScriptFindsWhatItWants(t *testing.T) {
	var counters []string
	for name := range (accord.Counters{}).Map() {
		counters = append(counters, name)
	}
	for _, c := range []struct {
		what       string
		used, have []string
	}{
		{"element", matches(t, "page.js", `find\("([^"]+)"\)`), matches(t, "index.html", `id="([^"]+)"`)},
		{"style", matches(t, "page.js", `"(?:number )?(good|warn|bad|reason|number)"`), matches(t, "style.css", `\.([a-z]+)`)},
		{"field of a status", matches(t, "page.js", `\b(?:status|known)\.([a-z_]+)`), append(fields(bus.NodeReply{}), "at", "lost")},
		{"field of a peer", matches(t, "page.js", `\bpeer\.([a-z]+)`), fields(bus.PeerStatus{})},
		{"counter", matches(t, "page.js", `counted\(status, "([^"]+)"\)`), append(counters, "events")},
		{"file", matches(t, "index.html", `(?:href|src)="([a-z]+\.[a-z]+)"`), []string{"icon.svg", "page.js", "style.css"}},
	} {
		for _, name := range c.used {
			if !slices.Contains(c.have, name) {
				t.Errorf("the page wants the %s %q, which is not there: %q", c.what, name, c.have)
			}
		}
	}
}
