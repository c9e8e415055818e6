package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// written writes a file and returns its path.
func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigCheck(t *testing.T) {
	const good = "node: n1\ncluster: [n1, n2, n3]\nstore: sqlite:n1.db\n"
	for _, c := range []struct {
		what, file string
		environ    []string
		args       []string
		code       int
		want       []string
	}{
		{"a good file", good, nil, nil, exitDone, []string{"valid\n"}},
		{"flags only", "", nil, []string{"--node", "n1", "--single", "--store", "sqlite::memory:"}, exitDone, []string{"valid\n"}},
		{"an empty file", "", nil, nil, exitUsage, []string{"--node and --store are required"}},
		{"all at once", "node: n9\ncluster: n1,n2,n3\nstore: mysql://root:hunter2@h\nfast-quorum: 9\nserver: nats://u:hunter2@h.example.com\nliv: true\ndrain: 5\nsingle: true\n", nil, nil, exitUsage,
			[]string{`unknown key "liv", the nearest there is is "live"`, "drain: is a number, want a duration", "--fast-quorum is 9", `does not name --node "n9"`,
				"--single goes with one node", "want postgres://… or sqlite:PATH", "h.example.com is not encrypted"}},
		{"a broken Postgres URL", good, nil, []string{"--store", "postgres://u:hunter2@h:port/d"}, exitUsage, []string{"parse the Postgres URL"}},
		{"Postgres in the clear", good, []string{"ACCORD_STORE=postgres://u:hunter2@db.example.com/d?sslmode=disable"}, nil, exitUsage, []string{"may be unencrypted"}},
		{"half a certificate", good, []string{"NATS_CERT=c.pem"}, nil, exitUsage, []string{"go together"}},
		{"a NATS server of its own", good, []string{"NATS_URL=nats://h.example.com"}, []string{"--embedded-nats"}, exitDone, []string{"valid\n"}},
		{"a NATS server of its own, and flags for another", good, nil, []string{"--embedded-nats", "--server", "nats://127.0.0.1", "--token", "hunter2"}, exitUsage,
			[]string{"server does not go with embedded-nats", "token does not go with embedded-nats"}},
		{"a missing context", good, []string{"NATS_CONTEXT=nobody", "XDG_CONFIG_HOME=/nowhere/at/all"}, nil, exitUsage, []string{`context "nobody"`}},
		{"a wrong variable", good, []string{"ACCORD_DRIAN=5s"}, nil, exitUsage, []string{"ACCORD_DRIAN, the nearest there is is ACCORD_DRAIN"}},
	} {
		code, out := runIn(t, c.environ, append([]string{"config", "check", "--config", written(t, "a.yaml", c.file)}, c.args...)...)
		if code != c.code || strings.Contains(out, "hunter2") {
			t.Errorf("%s: got %d, %s, want %d and no secret", c.what, code, out, c.code)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: got %s, want %q", c.what, out, want)
			}
		}
	}
	if _, err := os.Stat("n1.db"); !os.IsNotExist(err) {
		t.Errorf("the check left a database: %v", err)
	}
}

func TestConfigPrint(t *testing.T) {
	secret := written(t, "token", "hunter2")
	path := written(t, "a.yaml", "node: n1\nstore: postgres://u:hunter2@h/d\nuser: joe\ncreds: n1.creds\ntoken-file: "+secret+"\n")
	code, out := runIn(t, []string{"ACCORD_CONFIG=" + path, "NATS_PASSWORD=hunter2", "NATS_USER=jim", "ACCORD_SERVER=nats://hunter2@h,b"}, "config", "print", "--drain", "90s")
	if code != exitDone || strings.Contains(out, "hunter2") {
		t.Fatalf("got %d, %s", code, out)
	}
	squeezed := regexp.MustCompile(` +`).ReplaceAllString(out, " ")
	for _, want := range []string{
		"node: n1 # file " + path, "store: postgres://u:***@h/d # file " + path, "password: '***' # environment NATS_PASSWORD", "token: \"\" # default",
		"user: jim # environment NATS_USER", `server: ["nats://***@h","b"] # environment ACCORD_SERVER`, "drain: 1m30s # flag", "prefix: accord # default", "creds: \"\" # default",
	} {
		if !strings.Contains(squeezed, want+"\n") {
			t.Errorf("got %s, want %q", squeezed, want)
		}
	}
	if code, out := runIn(t, []string{"ACCORD_NO=1"}, "config", "print"); code != exitUsage || !strings.Contains(out, "ACCORD_NO,") {
		t.Errorf("an unknown variable: got %d, %s", code, out)
	}
}

// TestHelpTellsNoSecrets holds that the environment does not get into --help.
func TestHelpTellsNoSecrets(t *testing.T) {
	environ := []string{"NATS_PASSWORD=hunter2", "ACCORD_TOKEN=hunter2", "ACCORD_STORE=postgres://hunter2@h", "NATS_URL=nats://hunter2@h"}
	for _, command := range []string{"node", "status", "migrate"} {
		if code, out := runIn(t, environ, command, "--help"); code != exitDone || strings.Contains(out, "hunter2") || !strings.Contains(out, "--config") {
			t.Errorf("%s: got %d, %s", command, code, out)
		}
	}
}

// TestConfigExamples holds that the examples of docs/configuration.md are valid, but for secrets' and credentials' files, which are not there.
func TestConfigExamples(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(found) == 0 {
		t.Fatal("no example found")
	}
	secret := written(t, "secret", "postgres://accord:hunter2@db.example.com/accord?sslmode=require\n")
	creds := written(t, "n1.creds", "-----BEGIN NATS USER JWT-----\ne30.e30.e30\n------END NATS USER JWT------\n\n"+
		"-----BEGIN USER NKEY SEED-----\nSUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n------END USER NKEY SEED------\n")
	for _, example := range found {
		content := regexp.MustCompile(`(?m)(-file: ).*`).ReplaceAllString(example[1], "${1}"+secret)
		content = regexp.MustCompile(`(?m)^(creds: ).*`).ReplaceAllString(content, "${1}"+creds)
		if code, out := run(t, "config", "check", "--config", written(t, "a.yaml", content)); code != exitDone {
			t.Errorf("got %d, %s of\n%s", code, out, content)
		}
	}
}

// TestEveryFlagIsInTheDocs holds that docs/configuration.md has every setting.
func TestEveryFlagIsInTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	settingFlags(func(f *pflag.Flag) {
		if !strings.Contains(string(page), "`--"+f.Name+"`") {
			t.Errorf("--%s is not in docs/configuration.md", f.Name)
		}
	})
}

// TestNamesOfSettings holds that no setting has a name that means something else.
func TestNamesOfSettings(t *testing.T) {
	settingFlags(func(f *pflag.Flag) {
		for _, apart := range (Main{}).sources().Apart {
			if strings.HasPrefix(strings.ToUpper(f.Name)+"_", apart) {
				t.Errorf("--%s: variables that begin with ACCORD_%s are no settings", f.Name, apart)
			}
		}
		if strings.HasSuffix(f.Name, "-file") || strings.ContainsAny(f.Name, "._") || f.Name == "config" {
			t.Errorf("--%s cannot be a setting", f.Name)
		}
	})
}

// settingFlags visits all settings.
func settingFlags(visit func(*pflag.Flag)) {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(process).flags(f)
	f.VisitAll(visit)
}

// TestEnvironmentOfANode holds that commands run where a node is configured, as in its container.
func TestEnvironmentOfANode(t *testing.T) {
	store := "sqlite:" + filepath.Join(t.TempDir(), "a.db")
	server := serverOf(t, startDevIn(t, []string{"ACCORD_NODE=n7", "ACCORD_STORE=" + store, "ACCORD_ELECTORATE=n6,n7", "ACCORD_FAST_QUORUM=7", "ACCORD_PREFIX=shop"}, "--memory"))
	path := written(t, "a.yaml", "node: n7\ncluster: [n6, n7]\nstore: "+store+"\nfast-quorum: 7\nprefix: shop\n")
	environ := []string{"ACCORD_CONFIG=" + path, "ACCORD_SERVER=" + server, "NATS_URL=nats://127.0.0.1:1", "ACCORD_NODE=n7", "ACCORD_TEST_POSTGRES=x"}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"status"}, exitDone, "n3    ready"},
		{[]string{"status", "--prefix", "accord"}, exitUnreachable, ""},
		{[]string{"append", "account.x", "1"}, exitDone, "committed"},
		{[]string{"migrate", "status"}, exitDone, "missing"},
		{[]string{"bench", "--nodes", "1", "--memory", "--duration", "50ms", "--warmup", "0s"}, exitDone, "PER SECOND"},
		{[]string{"bench", "--nodes", "1", "--memory", "--server", server}, exitUsage, "exclude each other"},
		{[]string{"version"}, exitDone, version},
	} {
		if code, out := runIn(t, environ, c.args...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("accord %v: got %d, %s, want %d, %q", c.args, code, out, c.code, c.want)
		}
	}
	if code, out := runIn(t, []string{"NATS_CA=/nowhere/at/all"}, "bench", "--nodes", "1", "--memory", "--duration", "50ms", "--warmup", "0s"); code != exitDone {
		t.Errorf("a cluster of bench's own, and certificates for another: got %d, %s", code, out)
	}
	for _, args := range [][]string{{"status"}, {"dev", "--nodes", "0"}, {"node"}, {"migrate", "status"}} {
		if code, out := runIn(t, []string{"ACCORD_SEVER=x"}, args...); code != exitUsage || !strings.Contains(out, "the nearest there is is ACCORD_SERVER") {
			t.Errorf("accord %v: got %d, %s", args, code, out)
		}
	}
}
