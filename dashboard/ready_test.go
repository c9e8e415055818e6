package dashboard_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"natsaccord/dashboard"
	"natsaccord/event"
)

func TestReady(t *testing.T) {
	broken := dashboard.Check{Name: "nats", Failing: func() error { return errors.New("RECONNECTING") }}
	whole := dashboard.Check{Name: "nats", Failing: func() error { return nil }}
	for _, c := range []struct {
		name string
		node *dashboard.Node
		want []string // lines among what is told; with the first one failing, or else nothing
	}{
		{"ready", shown("n1", says(healthy("n1")), whole), nil},
		{"being opened", dashboard.NewNode("n1"), []string{"[-]n1/state failed: starting: its store is being opened"}},
		{"starting", in("starting"), []string{"[-]n1/state failed: starting: it reads its journal"}},
		{"catching up", in("catching_up"), []string{"[-]n1/state failed: catching_up: it has not everything yet that was acknowledged before it began, and is asked by its name only", "[+]n1/quorum ok"}},
		{"draining", in("draining"), []string{"[-]n1/state failed: draining: new requests are refused"}},
		{"stopped", in("stopped"), []string{"[-]n1/state failed: stopped"}},
		{"in a state nobody knows", in("dreaming"), []string{"[-]n1/state failed: dreaming"}},
		{"without a state", in(""), []string{"[-]n1/state failed: in no state"}},
		{"diverged", shown("n1", says(changed(healthy("n1"), func(s *event.NodeStatus) { s.State, s.Alarm = "diverged", "event 7 differs" }))),
			[]string{"[-]n1/log failed: diverged: event 7 differs", "[-]n1/state failed: diverged: its log is damaged, and other nodes answer in its place"}},
		{"without a quorum", shown("n1", says(changed(healthy("n1"), alone))),
			[]string{"[-]n1/quorum failed: too few nodes answer: of 3, n2, n3 do not", "[+]n1/state ok: ready"}},
		{"without a quorum, nobody knows why", shown("n1", says(changed(healthy("n1"), func(s *event.NodeStatus) { s.Reason = "too few nodes answer" }))),
			[]string{"[-]n1/quorum failed: too few nodes answer"}},
		{"without NATS", shown("n1", says(healthy("n1")), whole, broken), []string{"[-]n1/nats failed: RECONNECTING", "[+]n1/log ok"}},
		{"unable to tell", shown("n1", source(func(context.Context) (event.NodeStatus, error) { return event.NodeStatus{}, errors.New("disk is gone") })),
			[]string{"[-]n1/status failed: disk is gone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ask(t, "GET", "/readyz", c.node)
			body := w.Body.String()
			if c.want == nil {
				if w.Code != http.StatusOK || body != "ok\n" {
					t.Errorf("got %d, %q, want 200, ok", w.Code, body)
				}
				return
			}
			if w.Code != http.StatusServiceUnavailable || !strings.HasSuffix(body, "\nreadyz check failed\n") {
				t.Errorf("got %d, %q, want 503", w.Code, body)
			}
			for _, line := range c.want {
				if !strings.Contains("\n"+body, "\n"+line+"\n") {
					t.Errorf("got %s, want the line %q", body, line)
				}
			}
			if w := ask(t, "GET", "/livez", c.node); w.Code != http.StatusOK || w.Body.String() != "ok\n" {
				t.Errorf("the process works: got %d, %q", w.Code, w.Body)
			}
		})
	}
}

// in returns a node in a state.
func in(state string) *dashboard.Node {
	return shown("n1", says(changed(healthy("n1"), func(s *event.NodeStatus) { s.State = state })))
}

func alone(s *event.NodeStatus) {
	s.Reason, s.Peers = "too few nodes answer", []event.PeerStatus{{Name: "n2", Suspected: true}, {Name: "n3", Suspected: true}}
}

func TestReadyVerbose(t *testing.T) {
	alarmed := changed(healthy("n2"), func(s *event.NodeStatus) { s.Alarm = "n3 differs" })
	w := ask(t, "GET", "/readyz?verbose", shown("n1", says(healthy("n1"))), shown("n2", says(alarmed)))
	const want = `[+]n1/status ok
[+]n1/state ok: ready
[+]n1/quorum ok
[+]n1/log ok
[+]n2/status ok
[+]n2/state ok: ready
[+]n2/quorum ok
[+]n2/log ok: n3 differs
readyz check passed
`
	if w.Code != http.StatusOK || w.Body.String() != want {
		t.Errorf("got %d, %s, want 200, %s", w.Code, w.Body, want)
	}
	if w := ask(t, "GET", "/livez?verbose", in("stopped")); w.Code != http.StatusOK || w.Body.String() != "[+]process ok\nlivez check passed\n" {
		t.Errorf("got %d, %s", w.Code, w.Body)
	}
}

// TestReadyOnlyIfAllAre: a process of several nodes is ready when each one is.
func TestReadyOnlyIfAllAre(t *testing.T) {
	w := ask(t, "GET", "/readyz", shown("n2", says(healthy("n2"))), in("draining"))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "[-]n1/state failed: draining") || !strings.Contains(w.Body.String(), "[+]n2/state ok") {
		t.Errorf("got %d, %s", w.Code, w.Body)
	}
}

// TestSilentNode has a node that does not answer, and does not heed its context. Whoever asks is told so in time, and it is not asked again
// before it has answered.
func TestSilentNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent, asked, release := deaf()
		node, other := shown("n1", silent), shown("n2", says(healthy("n2")))
		for path, want := range map[string]struct {
			code int
			text string
		}{
			"/livez":      {http.StatusOK, "ok"},
			"/readyz":     {http.StatusServiceUnavailable, "[-]n1/status failed: node n1 does not say how it is: context deadline exceeded\n[+]n2/status ok"},
			"/status/n1":  {http.StatusGatewayTimeout, `"description":"node n1 does not say how it is: context deadline exceeded"`},
			"/metrics":    {http.StatusOK, "accord_up{node=\"n1\"} 0\naccord_up{node=\"n2\"} 1\n"},
			"/metrics?":   {http.StatusOK, "accord_ready{node=\"n1\"} 0\naccord_ready{node=\"n2\"} 1\n"},
			"/status/n2":  {http.StatusOK, `"state":"ready"`},
			"/readyz?v=1": {http.StatusServiceUnavailable, "readyz check failed"},
		} {
			began := time.Now()
			w := ask(t, "GET", path, node, other)
			if w.Code != want.code || !strings.Contains(w.Body.String(), want.text) {
				t.Errorf("%s: got %d, %s, want %d, %s", path, w.Code, w.Body, want.code, want.text)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("%s took %s", path, took)
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("the node was asked %d times, want once", n)
		}
		close(release)
		synctest.Wait()
		if w := ask(t, "GET", "/readyz", node, other); w.Code != http.StatusOK {
			t.Errorf("it answers again: got %d, %s", w.Code, w.Body)
		}
	})
}

// TestSilentNodesAreAskedAtOnce: many nodes that do not answer take no longer than one.
func TestSilentNodesAreAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent, _, release := deaf()
		defer close(release)
		nodes := []*dashboard.Node{shown("n1", silent), shown("n2", silent), shown("n3", silent)}
		for _, path := range []string{"/readyz", "/metrics"} {
			began := time.Now()
			if w := ask(t, "GET", path, nodes...); w.Code == 0 || time.Since(began) > 2*time.Second {
				t.Errorf("%s: got %d after %s", path, w.Code, time.Since(began))
			}
		}
	})
}

// TestAskedAnew: what is told is how the node is now.
func TestAskedAnew(t *testing.T) {
	status := healthy("n1")
	node := shown("n1", source(func(context.Context) (event.NodeStatus, error) { return status, nil }))
	for _, state := range []string{"catching_up", "ready", "draining", "stopped"} {
		status.State = state
		w := ask(t, "GET", "/readyz?verbose", node)
		if ok := state == "ready"; ok != (w.Code == http.StatusOK) || !strings.Contains(w.Body.String(), state) {
			t.Errorf("%s: got %d, %s", state, w.Code, w.Body)
		}
		if got := scrape(t, node)["accord_node_state{node=n1,state="+state+"}"]; got != 1 {
			t.Errorf("%s: the metric is %v", state, got)
		}
	}
}

// TestOneQuestionForAll: who asks while a question is under way gets its answer, even if who asked first has left.
func TestOneQuestionForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent, asked, release := deaf()
		node := shown("n1", silent)
		left, leave := context.WithCancel(t.Context())
		codes := make(chan int, 2)
		for _, ctx := range []context.Context{left, t.Context()} {
			go func() { codes <- askIn(ctx, "/status", node).Code }()
			synctest.Wait()
		}
		leave()
		if got := <-codes; got == http.StatusOK {
			t.Errorf("who left got %d", got)
		}
		close(release)
		if got := <-codes; got != http.StatusOK || asked.Load() != 1 {
			t.Errorf("got %d of a node that was asked %d times, want 200, once", got, asked.Load())
		}
	})
}
