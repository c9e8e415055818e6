package node

import (
	"context"
	"fmt"
	"time"

	"natsaccord/accord"
	"natsaccord/event"
)

// input is something for the loop: a step of the Machine, or a look at it.
type input struct {
	step    accord.Input
	inspect func(*accord.Machine)
	ended   []time.Time // with Executed: when this node had proposed those of its IDs that somebody was told of
}

// lastInputs is how many inputs are dumped if the Machine finds itself in contradiction.
const lastInputs = 64

// loop is the only code that touches the Machine: step what has gathered, then hand on what has come due.
func (n *Node) loop(ctx context.Context, m *accord.Machine) error {
	var last ring
	defer n.dump(&last)
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	var pace pace
	g := newGathering(n.cfg.Bundle)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.inputs.ready:
		case <-n.proposals.ready:
		case <-alarm.C:
		}
		pace.wait()
		inputs := n.inputs.take()
		g.waiting = append(g.waiting, n.proposals.take()...)
		for _, run := range g.take(time.Now()) {
			inputs = append(inputs, input{step: n.submit(run)})
		}
		pace.turn(len(inputs))
		now := uint64(n.cfg.Now().UnixMicro())
		for _, in := range inputs {
			last.add(now, in.step)
			n.step(m, now, in, &g)
		}
		m.Step(now, accord.Tick{})
		n.handle(m, m.Ready(), &g)
		n.wake(alarm, m, now, &g)
	}
}

// wake sets the alarm for what is to be done next unless something comes.
func (n *Node) wake(alarm *time.Timer, m *accord.Machine, now uint64, g *gathering) {
	due, ok := m.Deadline()
	wait := time.Duration(due-min(due, now)) * time.Microsecond
	if len(g.waiting) > 0 {
		gathered := time.Until(g.due())
		if !ok || gathered < wait {
			wait, ok = gathered, true
		}
	}
	if ok {
		alarm.Reset(wait)
	}
}

// giveUp ends the calls of a transaction, if it is this node's, without an outcome.
func (n *Node) giveUp(id accord.TxnID, err error, g *gathering) {
	if began := n.calls.finish(id, nil, err); !began.IsZero() {
		g.ended(began, time.Now())
	}
}

func (n *Node) step(m *accord.Machine, now uint64, in input, g *gathering) {
	switch step := in.step.(type) {
	case nil:
		in.inspect(m)
	case accord.Executed:
		m.Step(now, step)
		for _, began := range in.ended {
			g.ended(began, time.Now())
		}
		n.changed.signal()
		if last, ok := n.unpublished(); ok && n.waiting.Load() > 0 {
			m.Step(now, accord.Demand{At: last})
		}
	default:
		m.Step(now, step)
	}
}

// handle carries out a Ready in the order that accord.Ready demands.
func (n *Node) handle(m *accord.Machine, r accord.Ready, g *gathering) {
	before := n.view.Load()
	after := &view{reachable: m.Reachable(), watermark: m.Scalars().Watermark, counters: m.Counters(), sizes: m.Sizes()}
	n.view.Store(after)
	if len(r.Messages) > 0 {
		n.bus.Send(r.Header, r.Messages)
	}
	if len(r.Records) > 0 || r.Scalars != nil || len(r.AfterPersist) > 0 {
		n.persists.put(persist{r.Header, r.Records, r.Scalars, r.AfterPersist})
	}
	for _, s := range r.Started {
		n.calls.started(s.Ref, s.TxnID)
	}
	for _, x := range r.Execute {
		n.calls.decided(x.Record.ID, x.Path)
	}
	n.executions.put(r.Execute...)
	for _, id := range r.Aborted {
		n.giveUp(id, event.ErrAborted, g)
	}
	if r.CatchUp != nil {
		n.catchUps.put(*r.CatchUp)
	}
	for _, id := range r.Forgotten {
		n.giveUp(id, errForgotten, g)
	}
	for _, ref := range r.Readable {
		if r, ok := n.reading.LoadAndDelete(ref); ok {
			r.(*reading).once.Do(r.(*reading).close)
		}
	}
	if after.watermark != before.watermark {
		n.moved.signal()
	}
}

// ring keeps the last inputs.
type ring struct {
	now   [lastInputs]uint64
	steps [lastInputs]accord.Input
	next  int
}

func (r *ring) add(now uint64, step accord.Input) {
	r.now[r.next%lastInputs], r.steps[r.next%lastInputs] = now, step
	r.next++
}

// dump logs the last inputs if the Machine panics: with a deterministic Machine they are the bug report.
func (n *Node) dump(last *ring) {
	broken := recover()
	if broken == nil {
		return
	}
	for i := max(0, last.next-lastInputs); i < last.next; i++ {
		n.cfg.Logger.Error("input before the broken invariant", "node", n.cfg.Name,
			"at", last.now[i%lastInputs], "input", fmt.Sprintf("%+v", last.steps[i%lastInputs]))
	}
	panic(broken)
}
