package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"natsaccord/settings"
)

// program is a program's flags, with one of each kind.
type program struct {
	set      *pflag.FlagSet
	node     string
	cluster  []string
	rate     int
	live     bool
	drain    time.Duration
	skew     float64
	store    string
	password string
	creds    string
}

func newProgram() *program {
	p := &program{set: pflag.NewFlagSet("program", pflag.ContinueOnError)}
	settings.File(p.set)
	p.set.String(settings.PresetFlag, "", "")
	p.set.StringVar(&p.node, "node", "nobody", "")
	p.set.StringSliceVar(&p.cluster, "cluster", []string{"default"}, "")
	p.set.IntVar(&p.rate, "scrub-rate", 10, "")
	p.set.BoolVar(&p.live, "live", true, "")
	p.set.DurationVar(&p.drain, "drain", time.Minute, "")
	p.set.Float64Var(&p.skew, "skew", 0.5, "")
	p.set.StringVar(&p.store, "store", "", "")
	p.set.StringVar(&p.password, "password", "", "")
	p.set.StringVar(&p.creds, "creds", "", "")
	settings.SecretURL(p.set, "store")
	settings.Secret(p.set, "password")
	settings.Variable(p.set, "node", "OTHER_NODE")
	settings.Variable(p.set, "password", "OTHER_PASSWORD")
	settings.Variable(p.set, settings.PresetFlag, "OTHER_CONTEXT")
	return p
}

// apply settles a program's flags. Presets are one, prod, with node, creds and password, unless those do not go together.
func (p *program) apply(t *testing.T, environ []string, args ...string) ([]settings.Setting, error) {
	t.Helper()
	if err := p.set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return settings.Sources{
		Known: newProgram().set, Prefix: "ACCORD_", Apart: []string{"TEST_"}, Environ: environ,
		Preset: func(name string, taken func(string) bool) (map[string]string, error) {
			if name != "prod" {
				return nil, errors.New("no such context")
			}
			values := map[string]string{"node": "preset", "creds": "preset.creds"}
			if taken("password") {
				delete(values, "creds")
			}
			return values, nil
		},
	}.Apply(p.set)
}

// written writes a file and returns its path.
func written(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accord.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	path := written(t, "node: file\n")
	naming := written(t, "node: file\ncontext: prod\n")
	for _, c := range []struct {
		what    string
		environ []string
		args    []string
		want    string
		origin  string
	}{
		{"nothing", nil, nil, "nobody", "default"},
		{"a file", nil, []string{"--config", path}, "file", "file " + path},
		{"a file named in the environment", []string{"ACCORD_CONFIG=" + path}, nil, "file", "file " + path},
		{"the other variable", []string{"OTHER_NODE=other", "ACCORD_CONFIG=" + path}, nil, "other", "environment OTHER_NODE"},
		{"the own variable", []string{"OTHER_NODE=other", "ACCORD_NODE=own", "ACCORD_CONFIG=" + path}, nil, "own", "environment ACCORD_NODE"},
		{"an empty variable", []string{"ACCORD_NODE=", "OTHER_NODE="}, nil, "nobody", "default"},
		{"a flag", []string{"OTHER_NODE=other", "ACCORD_NODE=own"}, []string{"--node", "flag", "--config", path, "--context", "prod"}, "flag", "flag"},
		{"an empty flag", []string{"ACCORD_NODE=own"}, []string{"--node", ""}, "", "flag"},
		{"a context", nil, []string{"--context", "prod"}, "preset", "context prod"},
		{"a context by a flag, and a file", nil, []string{"--context", "prod", "--config", path}, "preset", "context prod"},
		{"a context by a variable, and a file", []string{"OTHER_CONTEXT=prod"}, []string{"--config", path}, "preset", "context prod"},
		{"a context by a variable, and a file that names it", []string{"ACCORD_CONTEXT=prod"}, []string{"--config", naming}, "preset", "context prod"},
		{"a context by the file", nil, []string{"--config", naming}, "file", "file " + naming},
		{"a context and a variable", []string{"OTHER_NODE=other"}, []string{"--context", "prod"}, "other", "environment OTHER_NODE"},
	} {
		p := newProgram()
		all, err := p.apply(t, c.environ, c.args...)
		if err != nil || p.node != c.want || originOf(all, "node") != c.origin {
			t.Errorf("%s: got %q from %q, %v, want %q from %q", c.what, p.node, originOf(all, "node"), err, c.want, c.origin)
		}
	}
}

func originOf(all []settings.Setting, name string) string {
	for _, one := range all {
		if one.Flag.Name == name {
			return one.Origin
		}
	}
	return "nowhere"
}

func TestPresetLeavesOut(t *testing.T) {
	secret := written(t, "pw")
	for _, environ := range [][]string{{"OTHER_PASSWORD=pw"}, {"ACCORD_PASSWORD_FILE=" + secret}} {
		p := newProgram()
		if _, err := p.apply(t, environ, "--context", "prod"); err != nil || p.creds != "" || p.node != "preset" {
			t.Errorf("%q: got creds %q, node %q, %v, want no creds", environ, p.creds, p.node, err)
		}
	}
}

func TestKinds(t *testing.T) {
	path := written(t, "node: n1\ncluster: [n1, n2]\nscrub-rate: 20\nlive: false\ndrain: 15s\nskew: 2\n")
	byText := written(t, "cluster: n1,n2\n")
	for _, c := range []struct {
		what    string
		environ []string
		args    []string
	}{
		{"a file", nil, []string{"--config", path}},
		{"a list as text", []string{"ACCORD_CONFIG=" + byText, "ACCORD_NODE=n1", "ACCORD_SCRUB_RATE=20", "ACCORD_LIVE=false", "ACCORD_DRAIN=15s", "ACCORD_SKEW=2"}, nil},
		{"the environment", []string{"ACCORD_NODE=n1", "ACCORD_CLUSTER=n1,n2", "ACCORD_SCRUB_RATE=20", "ACCORD_LIVE=0", "ACCORD_DRAIN=15s", "ACCORD_SKEW=2"}, nil},
	} {
		p := newProgram()
		if _, err := p.apply(t, c.environ, c.args...); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if p.node != "n1" || strings.Join(p.cluster, " ") != "n1 n2" || p.rate != 20 || p.live || p.drain != 15*time.Second || p.skew != 2 {
			t.Errorf("%s: got %+v", c.what, p)
		}
	}
}

// TestServiceLinks: what Kubernetes puts into every container for services named accord and accord-n1 keeps no node from starting.
func TestServiceLinks(t *testing.T) {
	var environ []string
	for _, service := range []string{"", "N1_"} {
		for _, rest := range []string{
			"SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_NATS", "PORT", "PORT_4222_TCP", "PORT_4222_TCP_PROTO", "PORT_4222_TCP_PORT", "PORT_4222_TCP_ADDR",
		} {
			environ = append(environ, "ACCORD_"+service+rest+"=10.0.0.1")
		}
	}
	p := newProgram()
	if _, err := p.apply(t, environ); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	const secret = "hunter2"
	empty := written(t, "\n")
	for _, c := range []struct{ what, file, variable, want string }{
		{"an unknown key", "stroe: hunter2\n", "", `unknown key "stroe", the nearest there is is "store"`},
		{"an unknown path", "nats:\n  pasword: hunter2\n", "", `unknown key "nats.pasword", the nearest there is is "password"`},
		{"a file in a file", "config: hunter2\n", "", `unknown key "config"`},
		{"an unknown variable", "", "ACCORD_STROE=hunter2", "unknown variable ACCORD_STROE, the nearest there is is ACCORD_STORE"},
		{"an unknown variable that is nearly a service's", "", "ACCORD_PORTS=hunter2", "unknown variable ACCORD_PORTS"},
		{"a file for what is no secret", "", "ACCORD_NODE_FILE=hunter2", "unknown variable ACCORD_NODE_FILE"},
		{"text for a number", "scrub-rate: \"20\"\n", "", "scrub-rate: is another text, want a whole number"},
		{"a broken number", "scrub-rate: 20.5\n", "", "scrub-rate: is a number, want a whole number"},
		{"text for a switch", "live: \"no\"\n", "", "live: is another text, want true or false"},
		{"a number for a duration", "drain: 15\n", "", "drain: is a number, want a duration, as 15s or 1h30m"},
		{"no duration", "drain: soon\n", "", "drain: is another text, want a duration"},
		{"a number for text", "password: 0123\n", "", "password: is a number, want text"},
		{"a date for text", "password: 2001-01-01\n", "", "password: is something else, want text"},
		{"a list for text", "password: [hunter2]\n", "", "password: is a list, want text"},
		{"keys for text", "password: {}\n", "", "password: is keys of its own, want text"},
		{"nothing", "password:\n", "", "password: is nothing, want text"},
		{"a list of others", "cluster: [n1, 2]\n", "", "cluster: is a list, want a list of texts"},
		{"a variable", "", "ACCORD_SCRUB_RATE=hunter2", "environment ACCORD_SCRUB_RATE: scrub-rate: is another text, want a whole number"},
		{"an anchor", "password: *hunter2\n", "", "yaml: unknown anchor … referenced"},
		{"no mapping", "hunter2\n", "", "cannot unmarshal !!str … into"},
		{"no YAML", "password: 'hunter2\n", "", "yaml: "},
		{"a key twice", "node: hunter2\nnode: n2\n", "", `mapping key "node" already defined`},
		{"two documents", "node: hunter2\n---\nstroe: 1\n", "", "more than one document"},
		{"a secret twice", "password: hunter2\npassword-file: x\n", "", "password: given twice, as password-file too"},
		{"a secret's file as a number", "password-file: 1\n", "", "password-file is a number, want a path"},
		{"a missing secret's file", "", "ACCORD_PASSWORD_FILE=/nowhere/at/all", "no such file"},
		{"an empty secret's file", "", "ACCORD_PASSWORD_FILE=" + empty, empty + " is empty"},
		{"a printed secret", "password: '***'\n", "", "password: *** stands for a secret"},
		{"a printed URL", "store: 'postgres://accord:***@host/db'\n", "", "store: *** stands for a secret"},
		{"no file", "", "ACCORD_CONFIG=/nowhere/at/all", "no such file"},
		{"an unknown context", "", "ACCORD_CONTEXT=test", "no such context"},
	} {
		environ := []string{c.variable}
		if c.file != "" {
			environ = append(environ, "ACCORD_CONFIG="+written(t, c.file))
		}
		_, err := newProgram().apply(t, environ)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.what, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the secret: %v", c.what, err)
		}
	}
}

func TestAllowed(t *testing.T) {
	for _, c := range []struct{ what, file, variable string }{
		{"an empty file", "", ""},
		{"comments only", "# nothing yet\n", ""},
		{"one document, marked", "---\nnode: n1\n", ""},
		{"a variable of the tests", "", "ACCORD_TEST_POSTGRES=x"},
		{"a variable of others", "", "STROE=x"},
		{"three stars within a password", "password: a***b\n", ""},
	} {
		if _, err := newProgram().apply(t, []string{c.variable, "ACCORD_CONFIG=" + written(t, c.file)}); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// TestAllErrorsAtOnce holds that one error does not hide another.
func TestAllErrorsAtOnce(t *testing.T) {
	path := written(t, "stroe: 1\nlive: 3\n")
	_, err := newProgram().apply(t, []string{"ACCORD_CONFIG=" + path, "ACCORD_DRAIN=x", "ACCORD_STROE=1", "ACCORD_CONTEXT=test"})
	for _, want := range []string{`"stroe"`, "live", "drain", "ACCORD_STROE", "no such context"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s too", err, want)
		}
	}
}

// TestOtherCommands holds that a file may have keys of which a command has no flags.
func TestOtherCommands(t *testing.T) {
	path := written(t, "node: n1\nstore: sqlite:a.db\n")
	few := &program{set: pflag.NewFlagSet("few", pflag.ContinueOnError)}
	settings.File(few.set)
	few.set.StringVar(&few.node, "node", "", "")
	if _, err := few.apply(t, []string{"ACCORD_LIVE=false", "ACCORD_CONFIG=" + path}); err != nil || few.node != "n1" {
		t.Errorf("got %q, %v, want n1", few.node, err)
	}
}

func TestSecretFiles(t *testing.T) {
	secret := written(t, "p@ss word\r\n")
	for _, c := range []struct {
		what    string
		environ []string
		want    string
	}{
		{"in the environment", []string{"ACCORD_PASSWORD_FILE=" + secret}, "p@ss word"},
		{"in a file", []string{"ACCORD_CONFIG=" + written(t, "password-file: "+secret+"\n")}, "p@ss word"},
		{"before the other variable", []string{"OTHER_PASSWORD=other", "ACCORD_PASSWORD_FILE=" + secret}, "p@ss word"},
		{"behind a variable", []string{"ACCORD_PASSWORD=own", "ACCORD_CONFIG=" + written(t, "password-file: "+secret+"\n")}, "own"},
	} {
		p := newProgram()
		if _, err := p.apply(t, c.environ); err != nil || p.password != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.what, p.password, err, c.want)
		}
	}
}
