package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"natsaccord/bus"
	"natsaccord/dashboard"
	"natsaccord/embeddednats"
)

// fetch asks a page on a connection of its own.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
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

// awaitPage asks until a page answers with a code and some text, and returns all of it.
func awaitPage(t *testing.T, url string, code int, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		got, body := fetch(t, url)
		if got == code && strings.Contains(body, text) {
			return body
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("%s: got %d, %s, want %d, %s", url, got, body, code, text)
		}
	}
}

// freeAddr returns an address that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", dashboard.AnyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// running is a node that a test stops.
type running struct {
	interrupt func()
	ended     chan int // its exit code
	said      *screen
}

// runNode runs a node with a store of its own, until the test stops it or ends.
func runNode(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, interrupt := context.WithCancel(context.Background())
	r := &running{interrupt, make(chan int, 1), newScreen()}
	args = append([]string{"node", "--store", "sqlite:" + filepath.Join(t.TempDir(), "a.db")}, args...)
	go func() {
		r.ended <- Main{Stdin: strings.NewReader(""), Stdout: r.said, Stderr: r.said}.Run(ctx, args)
	}()
	t.Cleanup(func() { r.stop() })
	return r
}

// stop interrupts the node and returns its exit code, every time.
func (r *running) stop() int {
	r.interrupt()
	code := <-r.ended
	r.ended <- code
	return code
}

// TestNodePage follows a node through its life by its page: it is ready, takes an append, is drained, and ends.
func TestNodePage(t *testing.T) {
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{Port: embeddednats.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	addr := freeAddr(t)
	page := "http://" + addr
	one := runNode(t, "--node", "n1", "--cluster", "n1", "--server", server.URL(), "--http", addr)
	awaitPage(t, page+"/readyz", http.StatusOK, "ok")
	if code, body := fetch(t, page+"/readyz?verbose"); code != http.StatusOK || !strings.Contains(body, "[+]n1/nats ok\n") {
		t.Errorf("readyz: got %d, %s", code, body)
	}
	if code, out := run(t, "append", "account.alice", "1", "--server", server.URL()); code != exitDone {
		t.Fatalf("append: got %d, %s", code, out)
	}
	checkMetrics(t, page)
	var status bus.NodeReply
	if code, body := fetch(t, page+"/status"); code != http.StatusOK || json.Unmarshal([]byte(body), &status) != nil || status.Node != "n1" || status.Events != 1 {
		t.Errorf("status: got %d, %s", code, body)
	}
	if code, body := fetch(t, page+"/"); code != http.StatusOK || !strings.Contains(body, "<h1>accord") {
		t.Errorf("the page: got %d, %s", code, body)
	}
	drain(t, server.URL())
	awaitPage(t, page+"/readyz", http.StatusServiceUnavailable, "[-]n1/state failed: draining")
	if code, body := fetch(t, page+"/livez"); code != http.StatusOK {
		t.Errorf("a node that is drained lives: got %d, %s", code, body)
	}
	if code := one.stop(); code != exitDone {
		t.Errorf("got %d, %s", code, one.said)
	}
	if code, _ := fetch(t, page+"/livez"); code != 0 {
		t.Errorf("the node is gone, and its page is not: got %d", code)
	}
}

func checkMetrics(t *testing.T, page string) {
	t.Helper()
	code, body := fetch(t, page+"/metrics")
	if code != http.StatusOK {
		t.Fatalf("metrics: got %d, %s", code, body)
	}
	for _, want := range []string{
		`accord_up{node="n1"} 1`, `accord_ready{node="n1"} 1`, `accord_node_state{node="n1",state="ready"} 1`, `accord_log_events{node="n1"} 1`,
		`accord_decisions_total{node="n1",path="fast"} `, `accord_append_duration_seconds_count{node="n1",outcome="committed",path="fast"} 1`, `accord_nats_disconnects_total{node="n1"} 0`,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if unnamed := regexp.MustCompile(`.*A counter of the node's status.*`).FindAllString(body, -1); unnamed != nil {
		t.Errorf("counters without a name of their own in package dashboard: %q", unnamed)
	}
}

// drain has node n1 refuse new appends.
func drain(t *testing.T, server string) {
	t.Helper()
	nc, err := bus.DialClient(bus.Config{Servers: []string{server}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if reply, err := nc.Request("accord.v1.node.n1.drain", nil, time.Minute); err != nil || !strings.Contains(string(reply.Data), `"state":"draining"`) {
		t.Fatalf("drain: %v, %v", reply, err)
	}
}

// goOnAppending makes one append after the other until the test ends, whatever comes of them.
func goOnAppending(t *testing.T, server string) {
	t.Helper()
	nc, err := bus.DialClient(bus.Config{Servers: []string{server}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for t.Context().Err() == nil {
			_, _ = nc.RequestWithContext(t.Context(), "accord.v1.node.n1.append.account.alice", []byte(`{"timeout_ms":2000,"events":[{"type":"Moved","data":1}]}`)) // one will wait
		}
	}()
	t.Cleanup(func() {
		<-ended
		nc.Close()
	})
}

// TestPageOutlivesTheDrain interrupts a node while an append waits for the other node of two, which is gone: its page tells that it is draining
// for as long as it does.
func TestPageOutlivesTheDrain(t *testing.T) {
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{Port: embeddednats.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	addr := freeAddr(t)
	page := "http://" + addr
	one := runNode(t, "--node", "n1", "--cluster", "n1,n2", "--server", server.URL(), "--http", addr, "--drain", "1s")
	two := runNode(t, "--node", "n2", "--cluster", "n1,n2", "--server", server.URL())
	awaitPage(t, page+"/readyz", http.StatusOK, "ok")
	goOnAppending(t, server.URL())
	two.stop()
	awaitPage(t, page+"/status", http.StatusOK, `"in_flight":1,`)
	one.interrupt()
	awaitPage(t, page+"/readyz", http.StatusServiceUnavailable, "[-]n1/state failed: draining")
	if code, body := fetch(t, page+"/livez"); code != http.StatusOK {
		t.Errorf("a node that is drained lives: got %d, %s", code, body)
	}
	one.stop()
	if code, _ := fetch(t, page+"/livez"); code != 0 {
		t.Errorf("the node is gone, and its page is not: got %d", code)
	}
}

// TestNodePageWhileItWaits has one node of three, which lives and says why it is not ready.
func TestNodePageWhileItWaits(t *testing.T) {
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{Port: embeddednats.AnyPort})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	addr := freeAddr(t)
	startNode(t, []string{"node", "--node", "n1", "--cluster", "n1,n2,n3", "--store", "sqlite:" + filepath.Join(t.TempDir(), "n1.db"), "--server", server.URL(), "--http", addr})
	awaitPage(t, "http://"+addr+"/livez", http.StatusOK, "ok")
	awaitPage(t, "http://"+addr+"/readyz", http.StatusServiceUnavailable, "[-]n1/quorum failed: too few nodes answer: of 3, n2, n3 do not\n")
}

func TestDevPage(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", dashboard.DefaultAddr)
	if err == nil {
		defer taken.Close()
	} // else somebody else has it, which is as good
	greeting := startDev(t, "--memory", "--nodes", "3")
	found := regexp.MustCompile(`page   (http://\S+)/ui/\n`).FindStringSubmatch(greeting)
	if found == nil || !strings.Contains(greeting, dashboard.DefaultAddr+" is taken") {
		t.Fatalf("got %s", greeting)
	}
	awaitPage(t, found[1]+"/readyz", http.StatusOK, "ok")
	if code, body := fetch(t, found[1]+"/ui/nodes.json"); code != http.StatusOK || body != "[\"n1\",\"n2\",\"n3\"]\n" {
		t.Errorf("got %d, %s", code, body)
	}
	server := serverOf(t, greeting)
	for _, args := range [][]string{{"append", "account.alice", "1"}, {"verify", "--quick"}} { // which waits for the frontier
		if code, out := run(t, append(args, "--server", server)...); code != exitDone {
			t.Fatalf("%v: got %d, %s", args, code, out)
		}
	}
	code, body := fetch(t, found[1]+"/metrics")
	if code != http.StatusOK || !strings.Contains(body, `accord_peer_suspected{node="n3",peer="n1"} 0`) {
		t.Errorf("got %d, %s", code, body)
	}
	checkMetricsAreDocumented(t, body)
}

// checkMetricsAreDocumented compares the names in a scrape with those in docs/operations.md, alerts included.
func checkMetricsAreDocumented(t *testing.T, scraped string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	names := func(text, expression string) (found []string) {
		for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
		slices.Sort(found)
		return slices.Compact(found)
	}
	there, told := names(scraped, `# TYPE (accord_\w+)`), names(string(page), `\b(accord_[a-z_]+?)(?:_bucket|_count)?\b`)
	for _, name := range there {
		if !slices.Contains(told, name) {
			t.Errorf("docs/operations.md does not tell of %s", name)
		}
	}
	for _, name := range told {
		if !slices.Contains(there, name) && name != "accord_txn" { // a table
			t.Errorf("docs/operations.md tells of %s, which there is not", name)
		}
	}
	if len(there) < 50 {
		t.Errorf("got %d metrics only: %q", len(there), there)
	}
}

func TestPageFlag(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", dashboard.AnyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	node := func(addr string) []string {
		return []string{"node", "--node", "n1", "--cluster", "n1", "--store", "sqlite::memory:", "--http", addr}
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{node(taken.Addr().String()), exitRefused, "address already in use"},
		{[]string{"dev", "--memory", "--http", taken.Addr().String()}, exitRefused, "address already in use"},
		{node("8280"), exitUsage, `--http is "8280", want host:port`},
	} {
		if code, out := run(t, c.args...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("accord %v: got %d, %q, want %d, %q", c.args, code, out, c.code, c.want)
		}
	}
	if greeting := startDev(t, "--memory", "--nodes", "1", "--http", ""); strings.Contains(greeting, "http") {
		t.Errorf("got a page, though none was wanted: %s", greeting)
	}
}
