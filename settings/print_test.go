package settings_test

import (
	"strings"
	"testing"

	"natsaccord/settings"
)

// printed returns what Print writes, with single spaces.
func printed(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	all, err := newProgram().apply(t, environ, args...)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := settings.Print(&out, all); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestPrint(t *testing.T) {
	got := printed(t, []string{"ACCORD_CLUSTER=n1,n2", "ACCORD_NODE=true", "OTHER_PASSWORD=hunter2", "ACCORD_STORE=postgres://u:hunter2@h/d"}, "--drain", "5s")
	want := strings.Join([]string{
		`cluster: ["n1","n2"] # environment ACCORD_CLUSTER`, `context: "" # default`, `creds: "" # default`, `drain: 5s # flag`, `live: true # default`,
		`node: "true" # environment ACCORD_NODE`, `own: false # default`, `password: '***' # environment OTHER_PASSWORD`, `scrub-rate: 10 # default`, `skew: 0.5 # default`,
		`store: postgres://u:***@h/d # environment ACCORD_STORE`, `token: "" # default`, `user: "" # default`,
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestPrintedIsReadBack holds that what is printed is a file that says the same.
func TestPrintedIsReadBack(t *testing.T) {
	for _, node := range []string{"n1", "yes", "12", "a: b # c", "two\nlines\ttab", `"quoted"`, "~", "[x]", "ü<&>", "- x", "2001-01-01"} {
		all, err := newProgram().apply(t, nil, "--node", node, "--cluster", "a,b c", "--drain", "90m", "--live=false")
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := settings.Print(&out, all); err != nil {
			t.Fatal(err)
		}
		p := newProgram()
		if _, err := p.apply(t, nil, "--config", written(t, out.String())); err != nil || p.node != node || len(p.cluster) != 2 || p.live || p.drain.Minutes() != 90 {
			t.Errorf("%q: got %+v, %v from\n%s", node, p, err, out.String())
		}
	}
}

func TestSecretsAreHidden(t *testing.T) {
	for _, c := range []struct{ store, want string }{
		{"postgres://alice@host/db", "postgres://alice@host/db"},
		{"postgres://alice:hunter2@host/db?sslmode=require", "postgres://alice:***@host/db?sslmode=require"},
		{"postgres://host/db?user=alice&password=hunter2&sslmode=require", "postgres://host/db?user=alice&password=***&sslmode=require"},
		{"postgres://host/db?pass%77ord=hunter2", "postgres://host/db?pass%77ord=***"},
		{"postgres://host/db?sslpassword=hunter2@x", "postgres://host/db?sslpassword=***"},
		{"postgres://alice:a@hunter2@host/db", "postgres://alice:***@host/db"},
		{"postgres://alice:a?hunter2@host/db", "postgres://alice:***@host/db"},
		{"postgres://alice:a/hunter2?x=hunter2@host/db", "postgres://alice:***@host/db"},
		{"postgress://alice:hunter2@host/db", "postgress://alice:***@host/db"},
		{"host=h password=hunter2", "'***'"},
		{"nats://hunter2@host", "nats://***@host"},
		{"alice:hunter2@host:4222", "alice:***@host:4222"},
		{"hunter2@host", "***@host"},
		{"sqlite:/var/a@b.db", "sqlite:/var/a@b.db"},
	} {
		got := printed(t, nil, "--store", c.store, "--password", "hunter2")
		if strings.Contains(got, "hunter2") || !strings.Contains(strings.ReplaceAll(got, "'", ""), "store: "+strings.ReplaceAll(c.want, "'", "")+" # flag") {
			t.Errorf("%s: got\n%s\nwant %s", c.store, got, c.want)
		}
	}
}
