package dashboard_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"natsaccord/dashboard"
)

func start(t *testing.T, addr string) *dashboard.Server {
	t.Helper()
	s, err := dashboard.Start(t.Context(), addr, slog.New(slog.DiscardHandler), shown("n1", says(healthy("n1"))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

// get asks a server on a connection of its own.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	return getAs(t, url, "")
}

// getAs asks it by a name.
func getAs(t *testing.T, url, host string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	answer, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestServer(t *testing.T) {
	s := start(t, dashboard.AnyPort)
	if s.Open() || !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("got %s, open %v", s.URL(), s.Open())
	}
	if code, body := get(t, s.URL()+"/readyz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("got %d, %s", code, body)
	}
	if code, body := get(t, s.URL()); code != http.StatusOK || !strings.Contains(body, "<h1>accord") {
		t.Errorf("got %d, %s", code, body)
	}
	if code, body := getAs(t, s.URL()+"/status", "evil.example"); code != http.StatusForbidden || !strings.Contains(body, "localhost") {
		t.Errorf("asked by another name: got %d, %s", code, body)
	}
	s.Shutdown()
	s.Shutdown()
	if code, _ := get(t, s.URL()+"/livez"); code != 0 {
		t.Errorf("it still answers: %d", code)
	}
}

func TestAddresses(t *testing.T) {
	if s := start(t, ":0"); s.Open() {
		t.Errorf("without a host it listens on %s, open to others", s.URL())
	}
	open := start(t, "0.0.0.0:0")
	if !open.Open() || !strings.HasPrefix(open.URL(), "http://127.0.0.1:") {
		t.Errorf("got %s, open %v", open.URL(), open.Open())
	}
	if code, _ := getAs(t, open.URL()+"/livez", "n1.example"); code != http.StatusOK {
		t.Errorf("got %d", code)
	}
	taken := strings.TrimPrefix(open.URL(), "http://127.0.0.1")
	for _, addr := range []string{taken, "8280", "nonsense", "127.0.0.1:99999", ""} {
		if s, err := dashboard.Start(t.Context(), addr, slog.New(slog.DiscardHandler)); err == nil {
			s.Shutdown()
			t.Errorf("%q: started at %s", addr, s.URL())
		}
	}
}

// TestShutdownDoesNotWaitForLong: a client that takes its time does not keep the server from ending.
func TestShutdownDoesNotWaitForLong(t *testing.T) {
	s := start(t, dashboard.AnyPort)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /livez HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.Shutdown()
	if took := time.Since(began); took > 4*time.Second { // after 5 s the server would have given up by itself
		t.Errorf("it took %s", took)
	}
}
