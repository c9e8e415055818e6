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
	user     string
	creds    string
	token    string
	own      bool
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
	p.set.StringVar(&p.user, "user", "", "")
	p.set.StringVar(&p.creds, "creds", "", "")
	p.set.StringVar(&p.token, "token", "", "")
	p.set.BoolVar(&p.own, "own", false, "")
	settings.SecretURL(p.set, "store")
	settings.Secret(p.set, "password")
	settings.Variable(p.set, "node", "OTHER_NODE")
	settings.Variable(p.set, "password", "OTHER_PASSWORD")
	settings.Variable(p.set, "creds", "OTHER_CREDS")
	settings.Variable(p.set, settings.PresetFlag, "OTHER_CONTEXT")
	settings.Secret(p.set, "token")
	settings.Together(p.set, "user", "creds", "token")
	settings.Completes(p.set, "password", "user")
	settings.Instead(p.set, "own", settings.PresetFlag, "user", "creds", "token", "password")
	return p
}

// apply settles a program's flags. Presets are prod, with node and creds, and guest, with a user and no more.
func (p *program) apply(t *testing.T, environ []string, args ...string) ([]settings.Setting, error) {
	t.Helper()
	if err := p.set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return settings.Sources{
		Known: newProgram().set, Prefix: "ACCORD_", Apart: []string{"TEST_"}, Environ: environ,
		Preset: func(name string) (map[string]string, error) {
			switch name {
			case "prod":
				return map[string]string{"node": "preset", "creds": "preset.creds"}, nil
			case "guest":
				return map[string]string{"user": "guest", "password": "preset"}, nil
			}
			return nil, errors.New("no such context")
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

// TestTogether holds that what stands together comes from one place, and no password from a lighter one that says who somebody is.
func TestTogether(t *testing.T) {
	secret := written(t, "pw")
	user, creds := written(t, "user: file\npassword: file\n"), written(t, "creds: file\npassword-file: "+secret+"\n")
	empty := written(t, "user: ''\ncreds: ''\ntoken: ''\npassword: ''\n")
	naming, password := written(t, "context: guest\npassword: file\n"), written(t, "password: file\n")
	for _, c := range []struct {
		what    string
		environ []string
		args    []string
		want    string // user, creds, token and password
	}{
		{"a file", nil, []string{"--config", user}, "file,,,file"},
		{"a context before a file", nil, []string{"--config", user, "--context", "prod"}, ",preset.creds,,"},
		{"a context's user before a file's credentials", nil, []string{"--config", creds, "--context", "guest"}, "guest,,,preset"},
		{"a file before the context it names", nil, []string{"--config", naming}, "guest,,,file"},
		{"a variable before a context", []string{"ACCORD_USER=own"}, []string{"--context", "guest"}, "own,,,"},
		{"a secret's file before a context", []string{"ACCORD_TOKEN_FILE=" + secret}, []string{"--context", "guest"}, ",,pw,"},
		{"variables before a file", []string{"OTHER_PASSWORD=other", "ACCORD_USER=own"}, []string{"--config", creds}, "own,,,other"},
		{"one kind of variables before the other", []string{"OTHER_CREDS=other", "ACCORD_TOKEN=own"}, nil, ",,own,"},
		{"the other kind of variables before a file", []string{"OTHER_CREDS=other"}, []string{"--config", user}, ",other,,"},
		{"a flag before all", []string{"OTHER_CREDS=other", "ACCORD_USER=own", "ACCORD_PASSWORD=own"}, []string{"--config", user, "--context", "prod", "--token", "flag"}, ",,flag,"},
		{"two flags", []string{"ACCORD_TOKEN=own"}, []string{"--user", "flag", "--password", "flag"}, "flag,,,flag"},
		{"an empty flag", nil, []string{"--config", user, "--creds", ""}, ",,,"},
		{"a password for a file's user", []string{"OTHER_PASSWORD=other"}, []string{"--config", user}, "file,,,other"},
		{"a secret's file for a context's user", []string{"ACCORD_PASSWORD_FILE=" + secret}, []string{"--context", "guest"}, "guest,,,pw"},
		{"a variable's password for a flag's user", []string{"OTHER_PASSWORD=other"}, []string{"--user", "flag"}, "flag,,,other"},
		{"a file's password for a variable's user", []string{"ACCORD_USER=own"}, []string{"--config", password}, "own,,,file"},
		{"another user's password", []string{"OTHER_PASSWORD=other", "ACCORD_USER=own"}, []string{"--config", user}, "own,,,other"},
		{"somebody else's password", []string{"ACCORD_USER=own"}, []string{"--config", user}, "own,,,"},
		{"a password by a flag", nil, []string{"--config", user, "--password", "flag"}, "file,,,flag"},
		{"a file's password behind a context", nil, []string{"--config", password, "--context", "guest"}, "guest,,,preset"},
		{"a password alone", nil, []string{"--config", password}, ",,,file"},
		{"empty ones in a file", nil, []string{"--config", empty, "--context", "guest"}, "guest,,,preset"},
		{"empty ones in a file that names a context", nil, []string{"--config", written(t, "user: ''\ncreds: ''\npassword: ''\ntoken-file: ''\ncontext: prod\n")}, ",preset.creds,,"},
	} {
		p := newProgram()
		all, err := p.apply(t, c.environ, c.args...)
		if got := strings.Join([]string{p.user, p.creds, p.token, p.password}, ","); err != nil || got != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.what, got, err, c.want)
		}
		if p.creds == "" && !p.set.Changed("creds") && originOf(all, "creds") != "default" {
			t.Errorf("%s: creds are from %s, and are not set", c.what, originOf(all, "creds"))
		}
	}
}

// TestInstead holds what a switch has left aside, broken or not.
func TestInstead(t *testing.T) {
	environ := []string{"ACCORD_TOKEN_FILE=/nowhere/at/all", "OTHER_PASSWORD=other", "ACCORD_CONTEXT=test", "ACCORD_CONFIG=" + written(t, "own: true\nuser: file\n")}
	p := newProgram()
	if _, err := p.apply(t, environ); err != nil || p.user != "" || p.token != "" || p.password != "" || !p.own {
		t.Errorf("got %+v, %v, want nothing but the switch", p, err)
	}
	if _, err := newProgram().apply(t, environ, "--creds", "flag"); err == nil || err.Error() != "flag: creds does not go with own" {
		t.Errorf("a flag: got %v, want it refused", err)
	}
	if _, err := newProgram().apply(t, environ, "--context", "prod"); err == nil || err.Error() != "flag: context does not go with own" {
		t.Errorf("a context by a flag: got %v, want it refused", err)
	}
	if _, err := newProgram().apply(t, environ, "--own=false"); err == nil || !strings.Contains(err.Error(), "no such context") {
		t.Errorf("off by a flag: got %v, want the context missed", err)
	}
	p = newProgram()
	if _, err := p.apply(t, []string{"OTHER_CREDS=other"}, "--own"); err != nil || p.creds != "" {
		t.Errorf("on by a flag: got %q, %v", p.creds, err)
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
		{"no space behind a key", "password:hunter2: x\n", "", `unknown key "password…", the nearest there is is "password"`},
		{"no space in braces", "{password:hunter2}\n", "", `unknown key "password…", the nearest there is is "password"`},
		{"an equals sign in braces", "{pasword=hunter2}\n", "", `unknown key "pasword…", the nearest there is is "password"`},
		{"braces for text", "password: {hunter2}\n", "", `unknown key "password…", the nearest there is is "password"`},
		{"no space, twice", "{password:hunter2, password:hunter2}\n", "", `mapping key "password…" already defined`},
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
		{"a document behind the end of one", "node: hunter2\n...\nstroe: 1\n", "", "more than one document"},
		{"a marked one behind the end of one", "node: hunter2\n...\n---\nstroe: 1\n", "", "more than one document"},
		{"a document behind an empty one", "---\n--- # hunter2\nnode: n1\n", "", "more than one document"},
		{"an empty duration", "drain: ''\n", "", "drain: is another text, want a duration"},
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
		{"a document that says which YAML it is", "# first\n%YAML 1.1\n---\nnode: n1\n", ""},
		{"a document that says where it ends", "node: n1\n...\n# nothing more\n\n", ""},
		{"a variable of the tests", "", "ACCORD_TEST_POSTGRES=x"},
		{"a variable of others", "", "STROE=x"},
		{"three stars within a password", "password: a***b\n", ""},
	} {
		if _, err := newProgram().apply(t, []string{c.variable, "ACCORD_CONFIG=" + written(t, c.file)}); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// TestEmptyInAFile holds that empty text in a file leaves a flag its default.
func TestEmptyInAFile(t *testing.T) {
	p := newProgram()
	all, err := p.apply(t, []string{"ACCORD_CONFIG=" + written(t, "node: ''\ncluster: ''\npassword-file: ''\n")})
	if err != nil || p.node != "nobody" || strings.Join(p.cluster, " ") != "default" || originOf(all, "node") != "default" {
		t.Errorf("got %+v, %v, want the defaults", p, err)
	}
}

// TestPrintedSecretAsAFlag holds that what stands for a secret is refused on the command line too.
func TestPrintedSecretAsAFlag(t *testing.T) {
	for _, args := range [][]string{{"--password", "***"}, {"--store", "postgres://u:***@host/db"}} {
		if _, err := newProgram().apply(t, nil, args...); err == nil || !strings.Contains(err.Error(), "*** stands for a secret") {
			t.Errorf("%q: got %v, want it refused", args, err)
		}
	}
	if _, err := newProgram().apply(t, nil, "--node", "***"); err != nil {
		t.Errorf("what is no secret: %v", err)
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
