package dashboard_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"natsaccord/bus"
	"natsaccord/dashboard"
)

func TestStatusIsWhatNATSTells(t *testing.T) {
	one, two := shown("n1", says(healthy("n1"))), shown("n2", says(healthy("n2")))
	for path, node := range map[string]string{"/status": "n1", "/status/n1": "n1", "/status/n2": "n2"} {
		w := ask(t, "GET", path, one, two)
		want, err := json.Marshal(bus.NewNodeReply(healthy(node)))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != string(want) {
			t.Errorf("%s: got %d, %s, want 200, %s", path, w.Code, got, want)
		}
		if kind := w.Header().Get("Content-Type"); kind != "application/json" {
			t.Errorf("%s: got the type %q", path, kind)
		}
	}
	if w := ask(t, "GET", "/status", dashboard.NewNode("n1")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"state":"starting","reason":"its store is being opened"`) {
		t.Errorf("before the store is open: got %d, %s", w.Code, w.Body)
	}
	if w := ask(t, "GET", "/status/n9", one, two); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `"type":"accord.v1.error"`) {
		t.Errorf("of another process's node: got %d, %s", w.Code, w.Body)
	}
	if w := ask(t, "GET", "/ui/nodes.json", one, two); w.Body.String() != "[\"n1\",\"n2\"]\n" {
		t.Errorf("the nodes: got %s", w.Body)
	}
}

func TestUI(t *testing.T) {
	node := shown("n1", says(healthy("n1")))
	for path, kind := range map[string]string{
		"/ui/": "text/html; charset=utf-8", "/ui/page.js": "text/javascript; charset=utf-8", "/ui/style.css": "text/css; charset=utf-8", "/ui/icon.svg": "image/svg+xml",
	} {
		w := ask(t, "GET", path, node)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != kind || w.Body.Len() < 100 {
			t.Errorf("%s: got %d, type %q, %d bytes", path, w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
	}
	for _, path := range []string{"/", "/ui"} {
		if w := ask(t, "GET", path, node); w.Header().Get("Location") != "/ui/" {
			t.Errorf("%s: got %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
	for _, path := range []string{"/ui/index.html", "/ui/other.js", "/ui/../handler.go", "/debug/pprof/", "/debug/vars", "/favicon.ico"} {
		if w := ask(t, "GET", path, node); w.Code == http.StatusOK {
			t.Errorf("%s: got %d, %s", path, w.Code, w.Body)
		}
	}
}

// TestPageNeedsNothingElse reads the page's files: what they want is among them, and nothing stands in the page that its policy forbids.
func TestPageNeedsNothingElse(t *testing.T) {
	files := os.DirFS("ui")
	names, err := fs.Glob(files, "*")
	if err != nil || len(names) != 4 {
		t.Fatalf("got %v, %v", names, err)
	}
	elsewhere := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9]`)
	inline := regexp.MustCompile(`(?i)<script(>|[^>]*[^r]>)|<style|\sstyle=|\son[a-z]+=|javascript:|innerHTML|eval\(`)
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		found := slices.DeleteFunc(elsewhere.FindAllString(string(text), -1), func(s string) bool { return name == "icon.svg" && s == "http://w" }) // the name of SVG's vocabulary
		if len(found) > 0 {
			t.Errorf("%s mentions %q", name, found)
		}
		if at := inline.FindString(string(text)); at != "" {
			t.Errorf("%s holds %q", name, at)
		}
	}
}

func TestHeaders(t *testing.T) {
	node := in("draining")
	for _, path := range []string{"/", "/livez", "/readyz", "/status", "/status/n9", "/metrics", "/ui/", "/ui/page.js", "/nowhere"} {
		for _, method := range []string{"GET", "POST"} {
			header := ask(t, method, path, node).Header()
			if header.Get("Cache-Control") != "no-store" || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("%s %s: got %v", method, path, header)
			}
			if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
				t.Errorf("%s %s: got the policy %q", method, path, policy)
			}
		}
	}
}

func TestNothingCanBeChanged(t *testing.T) {
	node := shown("n1", says(healthy("n1")))
	for _, path := range []string{"/", "/livez", "/readyz", "/status", "/status/n1", "/metrics", "/ui/", "/ui/page.js", "/ui/nodes.json"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
			if w := ask(t, method, path, node); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: got %d, Allow %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
		if get, head := ask(t, "GET", path, node), ask(t, "HEAD", path, node); get.Code != head.Code {
			t.Errorf("%s: GET gets %d, HEAD %d", path, get.Code, head.Code)
		}
	}
}

// TestHost: what listens on loopback is not to be read through a name that somebody has pointed there.
func TestHost(t *testing.T) {
	node := shown("n1", says(healthy("n1")))
	for host, code := range map[string]int{
		"localhost": 200, "localhost:8280": 200, "127.0.0.1:8280": 200, "127.1.2.3": 200, "[::1]:8280": 200, "[::1]": 200, "": 200,
		"evil.example": 403, "evil.example:8280": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example:8280": 403, "10.0.0.1:8280": 403, "[2001:db8::1]:8280": 403, "[": 403,
	} {
		for _, path := range []string{"/status", "/metrics", "/ui/"} {
			if w := askAs(t, "GET", path, host, true, node); w.Code != code {
				t.Errorf("%s asked as %q: got %d, want %d", path, host, w.Code, code)
			}
		}
		if w := askAs(t, "GET", "/status", host, false, node); w.Code != http.StatusOK {
			t.Errorf("asked as %q where others may ask: got %d", host, w.Code)
		}
	}
}
