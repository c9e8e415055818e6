package sqlstore

import "natsaccord/event"

// Doomed returns the conditions of an append that cannot hold any more, at any node, ever; nil if that is not certain. It asks
// neither the database nor whoever is applying.
//
// Versions only grow, so that an append which demands less than has been applied here can only have committed before it was
// applied here: the transactions of a stream are applied in one order everywhere, and that version was written later. Then
// its request id has been used here, too. So the refusal is proof if the id and the heads are seen at one moment,
// and is no proof while a log is merged, of which not all may be here that belongs together.
func (s *Store) Doomed(c event.Command) []event.Conflict {
	if c.Append == nil {
		return nil
	}
	return s.known.doomed(c.Append)
}

func (k *known) doomed(a *event.Append) []event.Conflict {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.merging || !k.outrun(a) || !k.requests.unused(a.RequestID) {
		return nil
	}
	state := event.State{Heads: make(map[event.Stream]event.Head)}
	for _, c := range a.Conditions {
		head, _ := k.heads.peek(c.Stream)
		state.Heads[c.Stream] = head.Head
	}
	for i := range a.Events {
		stream := a.Events[i].Stream
		head, _ := k.heads.peek(stream)
		state.Heads[stream] = head.Head
	}
	return state.Doomed(a)
}

// outrun tells whether something demands a version that a stream is known to be past: of most appends nothing does.
func (k *known) outrun(a *event.Append) bool {
	for _, c := range a.Conditions {
		if head, found := k.heads.peek(c.Stream); found && c.Expect >= 0 && uint64(c.Expect) < head.Version {
			return true
		}
	}
	for i := range a.Events {
		if head, found := k.heads.peek(a.Events[i].Stream); found && a.Events[i].Version != 0 && a.Events[i].Version <= head.Version {
			return true
		}
	}
	return false
}
