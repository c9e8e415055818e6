package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"natsaccord/accord"
	"natsaccord/dashboard"
	"natsaccord/event"
)

// scrape returns the samples of a scrape by how they are written, without those of the process.
func scrape(t *testing.T, nodes ...*dashboard.Node) map[string]float64 {
	t.Helper()
	w := ask(t, "GET", "/metrics", nodes...)
	if w.Code != 200 {
		t.Fatalf("got %d, %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	samples := make(map[string]float64)
	for name, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%s", l.GetName(), l.GetValue()))
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			samples[name+"{"+strings.Join(labels, ",")+"}"] = value
		}
	}
	return samples
}

func TestMetrics(t *testing.T) {
	n1, n2 := shown("n1", says(healthy("n1"))), shown("n2", says(changed(healthy("n2"), func(s *event.NodeStatus) { s.State, s.Alarm = "diverged", "event 7" })))
	n1.Appended(3*time.Millisecond, event.Receipt{Path: "fast"}, nil)
	got := scrape(t, n1, n2)
	for sample, want := range map[string]float64{
		"accord_up{node=n1}": 1, "accord_ready{node=n1}": 1, "accord_ready{node=n2}": 0,
		"accord_node_info{cluster=accord,node=n1,store=sqlite,version=0.1.0}": 1,
		"accord_node_state{node=n1,state=ready}":                              1, "accord_node_state{node=n1,state=diverged}": 0, "accord_node_state{node=n2,state=diverged}": 1,
		"accord_quorum_reachable{node=n1}": 1, "accord_incarnation{node=n1}": 3, "accord_nodes{node=n1}": 3,
		"accord_appends_in_flight{node=n1}": 2, "accord_log_events{node=n1}": 41, "accord_log_alarm{node=n1}": 0, "accord_log_alarm{node=n2}": 1,
		"accord_peer_suspected{node=n1,peer=n3}": 0, "accord_peer_unconfirmed_decisions{node=n1,peer=n3}": 7,
		"accord_decisions_total{node=n1,path=fast}": 40, "accord_decisions_total{node=n1,path=slow}": 1, "accord_resends_total{node=n1}": 2,
		"accord_peer_dropped_total{node=n1,reason=malformed}": 5, "accord_peer_dropped_total{node=n1,reason=no_room}": 6,
		"accord_last_event_timestamp_seconds{node=n1}": 1_700_000_000.25, "accord_frontier_timestamp_seconds{node=n1}": 1_700_000_000,
		"accord_transactions_held{node=n1}":                                   9,
		"accord_append_duration_seconds{node=n1,outcome=committed,path=fast}": 1,
	} {
		if value, has := got[sample]; !has || value != want {
			t.Errorf("%s: got %v (there: %v), want %v", sample, value, has, want)
		}
	}
	for _, family := range []string{"go_goroutines{}", "process_cpu_seconds_total{}"} {
		if _, has := got[family]; !has {
			t.Errorf("no %s", family)
		}
	}
}

// TestMetricsWhileStarting: whether enough nodes answer is not told while nobody has asked them.
func TestMetricsWhileStarting(t *testing.T) {
	for _, state := range []string{"starting", "stopped"} {
		got := scrape(t, shown("n1", says(changed(healthy("n1"), func(s *event.NodeStatus) { s.State, s.Peers = state, nil }))))
		if _, told := got["accord_quorum_reachable{node=n1}"]; told || got["accord_ready{node=n1}"] != 0 || got["accord_up{node=n1}"] != 1 {
			t.Errorf("%s: got %v", state, got)
		}
	}
}

// TestMetricsWithoutQuorum: the alert that matters most.
func TestMetricsWithoutQuorum(t *testing.T) {
	got := scrape(t, shown("n1", says(changed(healthy("n1"), alone))))
	if got["accord_quorum_reachable{node=n1}"] != 0 || got["accord_peer_suspected{node=n1,peer=n2}"] != 1 || got["accord_ready{node=n1}"] != 0 {
		t.Errorf("got %v", got)
	}
}

// TestMetricsOfNodeThatDoesNotTell: a status that fails, and a node that is being opened, leave out what is not known.
func TestMetricsOfNodeThatDoesNotTell(t *testing.T) {
	failing := source(func(context.Context) (event.NodeStatus, error) { return event.NodeStatus{}, errors.New("disk is gone") })
	got := scrape(t, shown("n1", failing), dashboard.NewNode("n2"))
	for sample, want := range map[string]float64{"accord_up{node=n1}": 0, "accord_ready{node=n1}": 0, "accord_up{node=n2}": 1, "accord_ready{node=n2}": 0, "accord_node_state{node=n2,state=starting}": 1} {
		if value, has := got[sample]; !has || value != want {
			t.Errorf("%s: got %v (there: %v), want %v", sample, value, has, want)
		}
	}
	for _, sample := range []string{"accord_log_events{node=n1}", "accord_log_events{node=n2}", "accord_node_state{node=n1,state=ready}"} {
		if value, has := got[sample]; has {
			t.Errorf("%s: got %v, though nobody knows", sample, value)
		}
	}
}

// TestMetricsAreWellNamed has every counter there is counted, and one that nobody knows.
func TestMetricsAreWellNamed(t *testing.T) {
	status := changed(healthy("n1"), func(s *event.NodeStatus) {
		s.Counters = accord.Counters{}.Map()
		s.Counters["brand_new"] = 4
	})
	node := shown("n1", says(status))
	if got := scrape(t, node)["accord_brand_new_total{node=n1}"]; got != 4 {
		t.Errorf("a new counter: got %v, want 4", got)
	}
	delete(status.Counters, "brand_new")
	body := ask(t, "GET", "/metrics", node).Body.String()
	if strings.Contains(body, "A counter of the node's status.") {
		t.Errorf("a counter of the protocol has no name of its own: %s", body)
	}
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "accord_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestAppendsByOutcome(t *testing.T) {
	n := shown("n1", says(healthy("n1")))
	for labels, c := range map[string]struct {
		receipt event.Receipt
		err     error
	}{
		"outcome=committed,path=fast":      {event.Receipt{Path: "fast"}, nil},
		"outcome=committed,path=slow":      {event.Receipt{Path: "slow"}, nil},
		"outcome=committed,path=recovered": {event.Receipt{Path: "recovered"}, nil},
		"outcome=committed,path=learnt":    {event.Receipt{Path: "learnt"}, nil},
		"outcome=committed,path=single":    {event.Receipt{}, nil},
		"outcome=duplicate,path=":          {event.Receipt{Duplicate: true}, nil},
		"outcome=conflict,path=":           {event.Receipt{}, fmt.Errorf("wrapped: %w", &event.ConflictError{})},
		"outcome=refused,path=":            {event.Receipt{}, event.ErrDraining},
		"outcome=unknown,path=":            {event.Receipt{}, &event.UnknownError{Err: context.DeadlineExceeded}},
	} {
		sample := "accord_append_duration_seconds{node=n1," + labels + "}"
		before := scrape(t, n)[sample]
		n.Appended(time.Millisecond, c.receipt, c.err)
		if after := scrape(t, n)[sample]; before != 0 || after != 1 {
			t.Errorf("%s: got %v and then %v, want 0 and then 1", sample, before, after)
		}
	}
}

// TestAppendedIsCheap: it is called for every append.
func TestAppendedIsCheap(t *testing.T) {
	var nobody *dashboard.Node
	nobody.Show(says(healthy("n1"))) // a node that is not shown takes no notice
	for name, n := range map[string]*dashboard.Node{"a node": dashboard.NewNode("n1"), "no node": nobody} {
		receipt := event.Receipt{Path: "slow"}
		if allocated := testing.AllocsPerRun(100, func() { n.Appended(time.Millisecond, receipt, nil) }); allocated != 0 {
			t.Errorf("%s: got %v allocations, want none", name, allocated)
		}
	}
}

func BenchmarkAppended(b *testing.B) {
	n := dashboard.NewNode("n1")
	for b.Loop() {
		began := time.Now()
		n.Appended(time.Since(began), event.Receipt{Path: "fast"}, nil)
	}
}

func BenchmarkScrape(b *testing.B) {
	status := changed(healthy("n1"), func(s *event.NodeStatus) { s.Counters = accord.Counters{}.Map() })
	n := shown("n1", says(status))
	for b.Loop() {
		ask(b, "GET", "/metrics", n)
	}
}
