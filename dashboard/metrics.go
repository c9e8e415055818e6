package dashboard

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"natsaccord/event"
)

// newRegistry returns a registry of all there is to measure.
func newRegistry(nodes []*Node) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r.MustRegister(&collector{nodes: nodes, known: byCounter()})
	for _, n := range nodes {
		r.MustRegister(n.appends)
	}
	return r
}

// collector asks all nodes how they are, once for each scrape.
type collector struct {
	nodes []*Node
	known map[string]named
}

// Describe implements prometheus.Collector. What there will be depends on what the nodes count.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. It takes no longer than patience.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	for _, t := range askAll(context.Background(), c.nodes) {
		s := sample{to, t.node.name}
		s.gauge("accord_up", "Whether the node said in time how it is; if not, nothing else is known of it.", truth(t.err == nil))
		s.gauge("accord_ready", "Whether the node is ready, as /readyz tells.", truth(ready(t.findings())))
		if t.err != nil {
			continue
		}
		s.state(t.status)
		if t.status.Counters == nil {
			continue // it is being opened
		}
		s.log(t.status)
		for _, p := range t.status.Peers {
			s.gauge("accord_peer_suspected", "Whether another node is not heard from.", truth(p.Suspected), "peer", p.Name)
			s.gauge("accord_peer_unconfirmed_decisions", "Decisions that another node has not confirmed.", float64(p.Lag), "peer", p.Name)
		}
		for counter, value := range t.status.Counters {
			n := name(counter, c.known)
			s.put(n.kind(), n.name, n.help, float64(value), n.label, n.value)
		}
	}
}

// sample is what is told of one node at one time.
type sample struct {
	to   chan<- prometheus.Metric
	node string
}

func (s sample) state(status event.NodeStatus) {
	for _, state := range states() {
		s.gauge("accord_node_state", "1 for the state the node is in, 0 for the others.", truth(state == status.State), "state", state)
	}
}

func (s sample) log(status event.NodeStatus) {
	info := prometheus.NewDesc("accord_node_info", "What the node is; always 1.", []string{"node", "cluster", "version", "store"}, nil)
	s.to <- prometheus.MustNewConstMetric(info, prometheus.GaugeValue, 1, s.node, status.Cluster, status.Version, status.Store)
	s.gauge("accord_incarnation", "How often the node's database has been opened.", float64(status.Incarnation))
	if status.State != stateStarting && status.State != stateStopped { // else nothing is known of that
		s.gauge("accord_quorum_reachable", "Whether enough nodes answer for appends, this one included; not there while the node starts.", truth(status.Reason == ""))
	}
	s.gauge("accord_nodes", "How many nodes the cluster has.", float64(len(status.Nodes)))
	s.gauge("accord_appends_in_flight", "Appends under way through this node.", float64(status.InFlight))
	s.gauge("accord_log_events", "Events in the node's log.", float64(status.Events))
	s.time("accord_last_event_timestamp_seconds", "When the last event applied executed.", status.LastAt)
	s.time("accord_frontier_timestamp_seconds", "Up to when the log is complete for ever; it stands still while nothing is written.", status.FrontierAt)
	s.gauge("accord_digest_events", "Events of the node's log that are hashed.", float64(status.Digest.To))
	s.gauge("accord_log_alarm", "Whether the node has found that its log, or another node's, is not what it should be.", truth(status.Alarm != ""))
	s.gauge("accord_live_publishing", "Whether this node publishes live events.", truth(status.Publishing))
}

func (s sample) gauge(name, help string, value float64, label ...string) {
	s.put(prometheus.GaugeValue, name, help, value, label...)
}

// time gives a time, if there is one.
func (s sample) time(name, help string, at time.Time) {
	if !at.IsZero() {
		s.gauge(name, help, float64(at.UnixMicro())/1e6)
	}
}

// put gives a value with at most one label, a name and a value, besides the node.
func (s sample) put(kind prometheus.ValueType, name, help string, value float64, label ...string) {
	names, values := []string{"node"}, []string{s.node}
	if len(label) == 2 && label[0] != "" {
		names, values = append(names, label[0]), append(values, label[1])
	}
	s.to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, value, values...)
}

func truth(so bool) float64 {
	if so {
		return 1
	}
	return 0
}
