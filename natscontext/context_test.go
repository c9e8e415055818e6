package natscontext_test

import (
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"natsaccord/natscontext"
)

// stored keeps a context under a name where the CLI would, and returns the environment to find it in.
func stored(t *testing.T, name, content string, more ...string) func(string) string {
	t.Helper()
	root := t.TempDir()
	path := filepath.Join(root, "nats", "context", name+".json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(variable string) string {
		for _, one := range append(more, "XDG_CONFIG_HOME="+root) {
			if value, found := strings.CutPrefix(one, variable+"="); found {
				return value
			}
		}
		return ""
	}
}

// empty is how the CLI writes what is not set.
const empty = `{"description":"a test","url":"nats://a:4222,nats://b:4222","socks_proxy":"","token":"","user":"","password":"","creds":"","nkey":"",
	"cert":"","key":"","ca":"","nsc":"","jetstream_domain":"hub","jetstream_api_prefix":"","jetstream_event_prefix":"","inbox_prefix":"_INBOX_n1",
	"user_jwt":"","user_seed":"","color_scheme":"red","tls_first":false,"windows_cert_store":"","windows_ca_certs_match":null}`

func TestLoad(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, content string
		want          map[string]string
	}{
		{"as the CLI writes it", empty, map[string]string{"server": "nats://a:4222,nats://b:4222", "inbox-prefix": "_INBOX_n1"}},
		{"nothing", `{}`, map[string]string{}},
		{"a user", `{"user":"u","password":"p:q"}`, map[string]string{"user": "u", "password": "p:q"}},
		{"files", `{"creds":"~/n1.creds","cert":"file://$DIR/c","key":"/k","ca":"ca"}`,
			map[string]string{"creds": me.HomeDir + "/n1.creds", "tlscert": "/dir/c", "tlskey": "/k", "tlsca": "ca"}},
		{"an nkey", `{"nkey":"/n"}`, map[string]string{"nkey": "/n"}},
		{"a token in the environment", `{"token":"env://TOKEN"}`, map[string]string{"token": "t0k"}},
		{"a password in a file", `{"user":"u","password":"file://` + secret + `"}`, map[string]string{"user": "u", "password": "hunter2"}},
	} {
		found, err := natscontext.Load("prod", stored(t, "prod", c.content, "DIR=/dir", "TOKEN=t0k"))
		if err != nil || !maps.Equal(found.Flags(), c.want) {
			t.Errorf("%s: got %v, %v, want %v", c.what, found.Flags(), err, c.want)
		}
	}
}

func TestLoadByPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "here.json")
	if err := os.WriteFile(path, []byte(`{"url":"nats://a"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := natscontext.Load(path, func(string) string { return "" })
	if err != nil || found.Flags()["server"] != "nats://a" {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestRefused(t *testing.T) {
	const secret = "hunter2"
	for _, c := range []struct{ what, content, want string }{
		{"a JWT", `{"user_jwt":"hunter2","user_seed":"hunter2"}`, "user_jwt, user_seed: not supported"},
		{"nsc", `{"nsc":"nsc://hunter2"}`, "nsc: not supported"},
		{"a proxy", `{"socks_proxy":"hunter2"}`, "socks_proxy: not supported"},
		{"TLS first", `{"tls_first":true}`, "tls_first: not supported"},
		{"a store of Windows", `{"windows_cert_store":"user","windows_ca_certs_match":["hunter2"]}`, "windows_ca_certs_match, windows_cert_store: not supported"},
		{"what nobody knows", `{"tls_verify":"hunter2"}`, "tls_verify: not supported"},
		{"creds elsewhere", `{"creds":"OP://hunter2"}`, "creds: a reference by op is not supported here"},
		{"creds within", `{"creds":"data:;base64,hunter2"}`, "creds: a reference by data is not supported here"},
		{"a password elsewhere", `{"user":"u","password":"nsc://hunter2"}`, "password: a reference by nsc is not supported here"},
		{"creds in the environment", `{"creds":"env://hunter2"}`, "creds: a reference by env is not supported here"},
		{"a variable that is not set", `{"token":"env://hunter2"}`, "token: the variable it names is not set"},
		{"a file that is not there", `{"token":"file:///nowhere/at/all"}`, "token: open /nowhere/at/all"},
		{"two identities", `{"user":"u","token":"hunter2"}`, "user, token: want one of them only"},
		{"a number", `{"password":12}`, "password is not text"},
		{"no JSON", `hunter2`, "not a JSON object"},
		{"a list", `["hunter2"]`, "not a JSON object"},
	} {
		_, err := natscontext.Load("prod", stored(t, "prod", c.content))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"prod"`) {
			t.Errorf("%s: got %v, want %q", c.what, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the secret: %v", c.what, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", "..", "../prod", "a/b", `a\b`, "test"} {
		if _, err := natscontext.Load(name, stored(t, "prod", `{}`)); err == nil {
			t.Errorf("%q is found", name)
		}
	}
}
