package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"natsaccord/client/load"
	"natsaccord/event"
)

// victim is the node that everything happens to.
const victim = clusterSize - 1

// faultPlay lets faults happen while appends are made at a steady rate.
type faultPlay struct {
	faultSettings
	cluster *processes
	out     io.Writer
	text    text
	begun   time.Time
	phases  []phase

	mu      sync.Mutex
	up      []int // whom new appends go to
	answers []answer
}

// phase is a stretch of time in which something is the case.
type phase struct {
	name     string
	from, to time.Duration // since the beginning
	fault    bool          // it began with one
	round    int
}

// answer is what became of an append.
type answer struct {
	at   time.Duration // when it was meant to start
	took time.Duration // from then on
	via  int           // the node that was asked first; -1: NATS chose
	kind string        // of the error; empty: it was acknowledged
}

func newFaultPlay(s faultSettings, c *processes, out io.Writer) *faultPlay {
	return &faultPlay{faultSettings: s, cluster: c, out: out, text: newText(s.bytes, anyRandom()), up: everyone()}
}

func everyone() (all []int) {
	for i := range clusterSize {
		all = append(all, i)
	}
	return all
}

// run goes through all rounds under load, and returns when every append has come to something.
func (p *faultPlay) run(ctx context.Context) error {
	p.begun = time.Now()
	loading, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { p.load(loading, ctx) })
	var err error
	for round := 0; round < p.rounds && err == nil; round++ {
		err = p.round(ctx, round)
	}
	stop()
	running.Wait()
	return err
}

// load starts appends at the times they are meant to start, until loading ends, and waits for them.
func (p *faultPlay) load(loading, ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for n := 0; ; n++ {
		at := time.Duration(float64(n) / p.rate * float64(time.Second))
		if !until(loading, p.begun.Add(at)) {
			return
		}
		i, via := p.next(n)
		running.Go(func() { p.append(ctx, answer{at: at, via: via}, i) })
	}
}

// until waits, and tells whether ctx is not over.
func until(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// next returns by which client the n-th append goes, and to which node.
func (p *faultPlay) next(n int) (client, node int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.near {
		return n % len(p.cluster.clients), -1
	}
	i := p.up[n%len(p.up)]
	return i, i
}

// append makes an append, as often as the client tries it, and notes what became of it.
func (p *faultPlay) append(ctx context.Context, a answer, client int) {
	stream := fmt.Sprintf("bench.s%d", rand.IntN(p.streams))
	if rand.IntN(100) < p.hot {
		stream = fmt.Sprintf("bench.hot-%d", rand.IntN(hotStreams))
	}
	_, err := p.cluster.clients[client].Append(ctx, event.Append{Events: []event.Event{p.event(stream)}})
	a.took = time.Since(p.begun) - a.at
	if err != nil {
		a.kind = load.KindOf(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = append(p.answers, a)
}

func (p *faultPlay) event(stream string) event.Event {
	return event.Event{Stream: event.Stream(stream), Type: "Filled", Data: p.text.data(p.bytes, anyRandom())}
}

// round lets every fault happen once.
func (p *faultPlay) round(ctx context.Context, round int) error {
	n := p.cluster.nodes[victim]
	steps := []struct {
		name  string
		fault bool
		do    func() error
		last  time.Duration
	}{
		{"all up", false, nothing, p.calm},
		{"killed", true, p.without(n.kill), p.down},
		{"started", false, func() error { return p.back(ctx, n.start) }, p.settle},
		{"all up", false, nothing, p.calm},
		{"paused", true, p.without(func() error { return n.signal(syscall.SIGSTOP) }), p.pause},
		{"continued", false, func() error { return p.back(ctx, func() error { return n.signal(syscall.SIGCONT) }) }, p.settle},
		{"all up", false, nothing, p.calm},
		{"missing", true, p.without(func() error { return errors.Join(n.kill(), p.miss(ctx)) }), p.settle},
		{"catching up", false, func() error { return p.back(ctx, n.start) }, p.settle},
	}
	for _, step := range steps {
		begun := phase{name: step.name, from: time.Since(p.begun), fault: step.fault, round: round}
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if !until(ctx, time.Now().Add(step.last)) {
			return ctx.Err()
		}
		begun.to = time.Since(p.begun)
		p.phases = append(p.phases, begun)
	}
	return nil
}

func nothing() error { return nil }

// without has a fault happen to the victim, and asks it no more from just before on.
func (p *faultPlay) without(fault func() error) func() error {
	return func() error {
		p.ask(slices.Delete(everyone(), victim, victim+1))
		return fault()
	}
}

func (p *faultPlay) ask(nodes []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up = nodes
}

// back has the victim come back, and asks it again when it has what had been acknowledged before.
func (p *faultPlay) back(ctx context.Context, come func() error) error {
	before, err := p.cluster.status(ctx, 0)
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := come(); err != nil {
		return err
	}
	var ready time.Duration
	var last event.NodeStatus
	err = p.cluster.await(ctx, victim, func(s event.NodeStatus) error {
		if last = s; ready == 0 {
			ready = time.Since(begun)
		}
		if s.Frontier < before.Frontier || s.Events < before.Events {
			return fmt.Errorf("it has %d events of %d", s.Events, before.Events)
		}
		return nil
	})
	p.ask(everyone())
	fmt.Fprintf(p.out, "%s answered after %s, and had all of %s events after %s; took over logs %d times\n", p.cluster.nodes[victim].name,
		ready.Round(time.Millisecond), number(float64(before.Events)), time.Since(begun).Round(time.Millisecond), last.Counters["catch_ups"])
	return err
}

// miss writes events on top, in appends as large as they may be, through the nodes that are up.
func (p *faultPlay) miss(ctx context.Context) error {
	const writers = 4
	writing, ctx := errgroup.WithContext(ctx)
	for w := range writers {
		writing.Go(func() error {
			for left := p.missed / writers; left > 0; {
				var a event.Append
				for ; left > 0 && len(a.Events) < mostSpan && (len(a.Events)+1)*p.bytes < mostEventBytes; left-- {
					a.Events = append(a.Events, p.event(fmt.Sprintf("missed.s%d", rand.IntN(p.streams))))
				}
				if _, err := p.cluster.clients[w%victim].Append(ctx, a); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return writing.Wait()
}
