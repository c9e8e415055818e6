package node

import (
	"context"
	"slices"
	"time"

	"natsaccord/accord"
	"natsaccord/accord/quorum"
	"natsaccord/event"
)

// Status tells how the node is.
func (n *Node) Status(ctx context.Context) (event.NodeStatus, error) {
	events, last, err := n.store.Stats(ctx)
	if err != nil {
		return event.NodeStatus{}, err
	}
	s := event.NodeStatus{
		Name: n.cfg.Name, Cluster: n.cfg.Cluster, Nodes: n.cfg.Nodes, Version: n.cfg.Version,
		Incarnation: n.store.Incarnation(), Store: n.store.Kind(), State: n.state.is(),
		InFlight: n.calls.len(), Events: events, Last: last, Frontier: n.frontier(),
	}
	if n.cfg.single {
		s.Frontier = n.end()
	}
	s.LastAt, s.FrontierAt = timeOf(last), timeOf(s.Frontier)
	if n.distrusted.Load() && (s.State == StateReady || s.State == StateCatchingUp) {
		s.State = stateDiverged
	}
	v := n.view.Load()
	s.Counters = v.counters.Map()
	s.Counters["txns_held"], s.Counters["txns_live"], s.Counters["txns_kept"] = uint64(v.sizes.Commands), uint64(v.sizes.Live), uint64(v.sizes.Kept)
	s.Counters["tombstones"], s.Counters["history"] = uint64(v.sizes.Tombstones), uint64(v.sizes.History)
	s.Counters["applied"] = n.applied.Load() // not the Machine's, which learns of it after those who wait
	s.Counters["syncs"] = n.store.Syncs()
	s.Counters["journal_groups"] = n.groups.Load()
	s.Counters["dropped"] = n.dropped.Load()
	s.Counters["turned_away"] = n.turnedAway.Load()
	count(s.Counters, "bus_", n.bus)
	count(s.Counters, "store_", n.store)
	if n.cfg.single || s.State == stateStarting || s.State == stateStopped {
		return s, nil
	}
	if reachable := n.view.Load().reachable; reachable < quorum.Slow(len(n.cfg.Nodes)) {
		s.Reason = "too few nodes answer"
	}
	return s, n.addProtocol(ctx, &s)
}

// timeOf returns when the event at a position executed; zero for none.
func timeOf(p event.Position) time.Time {
	t, err := accord.ParseTimestamp(p.ExecuteAt())
	if err != nil || t.HLC == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(t.HLC)).UTC()
}

// count adds the counters of a part that has any, under names of their own.
func count(to map[string]uint64, prefix string, part any) {
	counted, ok := part.(Counted)
	if !ok {
		return
	}
	for name, n := range counted.Counters() {
		to[prefix+name] = n
	}
}

// addProtocol asks the loop what the Machine knows of the nodes.
func (n *Node) addProtocol(ctx context.Context, s *event.NodeStatus) error {
	type known struct {
		peers      []event.PeerStatus
		electorate []string
		fast       int
	}
	told := make(chan known, 1)
	n.inputs.put(input{inspect: func(m *accord.Machine) {
		var k known
		var electors []accord.NodeID
		k.fast, electors = m.FastQuorum()
		for i, name := range n.cfg.Nodes {
			id := accord.NodeID(i + 1)
			if slices.Contains(electors, id) {
				k.electorate = append(k.electorate, name)
			}
			if id != n.cfg.Core.Self {
				k.peers = append(k.peers, event.PeerStatus{Name: name, Suspected: m.Suspected(id), Lag: m.Unacked(id)})
			}
		}
		told <- k
	}})
	select {
	case k := <-told:
		s.Peers, s.Electorate, s.FastQuorum = k.peers, k.electorate, k.fast
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
