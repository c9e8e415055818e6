package dashboard_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"natsaccord/dashboard"
	"natsaccord/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a node whose status is whatever the test says.
type source func(ctx context.Context) (event.NodeStatus, error)

func (s source) Status(ctx context.Context) (event.NodeStatus, error) { return s(ctx) }

// says returns a source that always says the same.
func says(status event.NodeStatus) source {
	return func(context.Context) (event.NodeStatus, error) { return status, nil }
}

// deaf returns a source that does not answer before it is released, whatever its context says, and how often it was asked.
func deaf() (s source, asked *atomic.Int64, release chan struct{}) {
	asked, release = new(atomic.Int64), make(chan struct{})
	return func(context.Context) (event.NodeStatus, error) {
		asked.Add(1)
		<-release
		return healthy("n1"), nil
	}, asked, release
}

// healthy is the status of a node of three that lacks nothing.
func healthy(name string) event.NodeStatus {
	return event.NodeStatus{
		Name: name, Cluster: "accord", Nodes: []string{"n1", "n2", "n3"}, Version: "0.1.0", Incarnation: 3, Store: "sqlite", State: "ready",
		InFlight: 2, Events: 41, LastAt: time.Unix(1_700_000_000, 250_000_000), FrontierAt: time.Unix(1_700_000_000, 0), Peers: []event.PeerStatus{{Name: "n2"}, {Name: "n3", Lag: 7}},
		Counters: map[string]uint64{"fast": 40, "slow": 1, "bus_dropped_malformed": 5, "dropped": 6, "txns_held": 9, "resent": 2},
	}
}

// changed returns a status after a change.
func changed(s event.NodeStatus, change func(*event.NodeStatus)) event.NodeStatus {
	change(&s)
	return s
}

// shown returns a node that is shown as a source tells.
func shown(name string, s dashboard.Source, checks ...dashboard.Check) *dashboard.Node {
	n := dashboard.NewNode(name)
	n.Show(s, checks...)
	return n
}

// askIn asks for as long as ctx lasts.
func askIn(ctx context.Context, target string, nodes ...*dashboard.Node) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	dashboard.NewHandler(false, slog.New(slog.DiscardHandler), nodes...).ServeHTTP(w, r)
	return w
}

// ask asks a handler that answers only this machine.
func ask(t testing.TB, method, target string, nodes ...*dashboard.Node) *httptest.ResponseRecorder {
	t.Helper()
	return askAs(t, method, target, "localhost:8280", true, nodes...)
}

func askAs(t testing.TB, method, target, host string, local bool, nodes ...*dashboard.Node) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	r.Host = host
	w := httptest.NewRecorder()
	dashboard.NewHandler(local, slog.New(slog.DiscardHandler), nodes...).ServeHTTP(w, r)
	return w
}
