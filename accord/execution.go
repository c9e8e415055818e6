package accord

import (
	"container/heap"
)

// execution orders the stable transactions. docs/protocol.md §6.
type execution struct {
	// floors are the stable commands that wait for the watermark to reach their Deps.Floor, lowest first.
	floors floorHeap
}

type floorHeap []*command

func (h floorHeap) Len() int { return len(h) }
func (h floorHeap) Less(i, j int) bool {
	if c := h[i].rec.Deps.Floor.Compare(h[j].rec.Deps.Floor); c != 0 {
		return c < 0
	}
	return h[i].rec.ID.Before(h[j].rec.ID.Timestamp)
}
func (h floorHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *floorHeap) Push(x any)   { *h = append(*h, x.(*command)) }
func (h *floorHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// schedule lets a stable command wait for its dependencies, and wakes what waited for it to be decided.
func (m *Machine) schedule(c *command) {
	c.due = 0
	if m.scalars.Watermark.Before(c.rec.Deps.Floor) && !m.mutated(MutateIgnoreFloor) {
		c.waiting++
		heap.Push(&m.exec.floors, c)
		m.lag()
	}
	for _, id := range m.mutateWaits(c.rec.Deps.IDs) {
		if _, forgotten := m.tombstones[id]; forgotten {
			continue
		}
		dep := m.commands[id]
		if dep == nil {
			if id.Before(m.scalars.RedundantBefore) {
				continue // everything before it that could execute is applied
			}
			dep = m.command(id)
		}
		if !m.mutateSatisfied(dep, c) {
			c.waiting++
			dep.waiters = append(dep.waiters, c)
			m.block(dep)
		}
	}
	m.recheck(c)
	m.handOut(c)
	m.fences.changed = true // one that names c is complete if c executes later
	m.checkFences()
	m.checkWaits()
}

// satisfied tells whether x need not wait for dep: it never happens, it is handed out, or it is decided to
// execute later. Only a decision counts. docs/protocol.md §6.1.
func satisfied(dep, x *command) bool {
	if dep.over {
		return true
	}
	switch dep.rec.Status {
	case StatusInvalidated:
		return true
	case StatusStable, StatusApplied:
		return dep.handed || dep.rec.ExecuteAt.After(x.rec.ExecuteAt)
	}
	return false
}

// recheck wakes those of c's waiters for which c has become satisfied.
func (m *Machine) recheck(c *command) {
	var still, woken []*command
	for _, w := range c.waiters {
		if satisfied(c, w) {
			w.waiting--
			woken = append(woken, w)
		} else {
			still = append(still, w)
		}
	}
	c.waiters = still
	for _, w := range woken {
		m.handOut(w)
	}
}

// satisfy lets nobody wait for c any longer.
func (m *Machine) satisfy(c *command) {
	m.recheck(c)
	m.fences.changed = true
	m.checkFences()
	m.checkReads()
	m.checkWaits()
}

// handOut hands out c if its turn has come, and then whatever waited for it alone: a chain of conflicts comes
// out in order, to be applied in one go. It works off a list, since chains can be long.
func (m *Machine) handOut(c *command) {
	for todo := []*command{c}; len(todo) > 0; {
		next := todo[0]
		todo = todo[1:]
		if next.waiting > 0 || next.handed || next.rec.Status != StatusStable {
			continue
		}
		next.handed = true
		m.ready.Execute = append(m.ready.Execute, Execution{Record: next.rec, Path: next.path})
		for _, w := range next.waiters {
			w.waiting--
			todo = append(todo, w)
		}
		next.waiters = nil
	}
}

// executed notes that the effects of transactions are in the store. The store has marked them itself.
func (m *Machine) executed(ids []TxnID) {
	for _, id := range ids {
		c := m.commands[id]
		if m.passed(id, c) {
			continue
		}
		if c == nil || !c.handed {
			broken("transaction %s: executed but never handed out", id)
		}
		c.advance(StatusApplied)
		m.counters.Applied++
	}
	m.fences.changed = true
	m.checkFences()
	m.checkReads()
}

// passed tells whether another node's log has brought the effects of a transaction while it was being executed.
func (m *Machine) passed(id TxnID, c *command) bool {
	if c != nil {
		return c.rec.Status == StatusApplied
	}
	_, forgotten := m.tombstones[id]
	return forgotten || id.Before(m.scalars.RedundantBefore)
}

// releaseFloors wakes the commands whose floor the watermark has reached.
func (m *Machine) releaseFloors() {
	for len(m.exec.floors) > 0 && !m.scalars.Watermark.Before(m.exec.floors[0].rec.Deps.Floor) {
		c := heap.Pop(&m.exec.floors).(*command)
		c.waiting--
		m.handOut(c)
	}
}
