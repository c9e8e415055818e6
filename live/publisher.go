package live

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"natsaccord/event"
)

// Publisher is one node's part in publishing the log.
type Publisher struct {
	cfg      Config
	log      Log
	sink     Sink
	progress Progress
	tell     Tell

	mu        sync.Mutex
	published event.Position
	current   bool          // this node publishes
	beat      chan struct{} // closed when something is heard of whoever publishes

	events, batches, failures, takeovers atomic.Uint64
}

// Status is what a Publisher is doing.
type Status struct {
	Publishing                           bool           // this node is the one that publishes
	Published                            event.Position // everything up to it has been published, by whomever
	Events, Batches, Failures, Takeovers uint64         // of this node, since its start
}

// New returns a Publisher that does nothing before Run.
func New(cfg Config, log Log, sink Sink, progress Progress, tell Tell) (*Publisher, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Publisher{cfg: cfg, log: log, sink: sink, progress: progress, tell: tell, beat: make(chan struct{})}, nil
}

// Status tells what the Publisher is doing. It may be called at any time.
func (p *Publisher) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Status{p.current, p.published, p.events.Load(), p.batches.Load(), p.failures.Load(), p.takeovers.Load()}
}

// Run publishes when it is this node's turn, until ctx ends. It returns an error only if progress cannot be read.
func (p *Publisher) Run(ctx context.Context) error {
	published, err := p.progress.Published(ctx)
	if err != nil {
		return err
	}
	p.advance(published)
	var saving sync.WaitGroup
	saving.Go(func() { p.saveNowAndThen(ctx, published) })
	defer saving.Wait()
	p.tell(note{Published: published}.encode()) // whoever publishes answers
	if p.silence(ctx) {
		p.takeOver()
	}
	for ctx.Err() == nil {
		if !p.Status().Publishing {
			p.standBy(ctx)
			continue
		}
		if err := p.publish(ctx); err != nil && ctx.Err() == nil {
			p.failures.Add(1)
			p.cfg.Logger.Warn("publish live events", "node", p.cfg.Self, "error", err)
			p.resign()
		}
	}
	return nil
}

// Hear takes a note from another node. It does not block. What is no note is ignored.
func (p *Publisher) Hear(from string, body []byte) {
	n, ok := decodeNote(body)
	if !ok || p.cfg.rank(from) < 0 || from == p.cfg.Self {
		return
	}
	p.advance(n.Published)
	if p.heard(from, n.Publishing) {
		p.tell(note{Published: p.Status().Published, Publishing: true}.encode())
	}
}

// heard notes that another node publishes, or tells whether it is to be told that this one does.
func (p *Publisher) heard(from string, publishing bool) (answer bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !publishing {
		return p.current
	}
	close(p.beat)
	p.beat = make(chan struct{})
	// Of two that publish one is enough. The one in front goes on, and the other will hear of it.
	p.current = p.current && p.cfg.rank(p.cfg.Self) < p.cfg.rank(from)
	return false
}

// advance notes that everything up to a position has been published.
func (p *Publisher) advance(to event.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.published = max(p.published, to)
}

func (p *Publisher) resign() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = false
}

// silence waits as long as this node's patience, and tells whether nothing was heard meanwhile of a node that
// publishes.
func (p *Publisher) silence(ctx context.Context) bool {
	p.mu.Lock()
	beat := p.beat
	p.mu.Unlock()
	timer := time.NewTimer(p.cfg.patience())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	}
	select {
	case <-beat:
		return false
	default:
		return true
	}
}

// takeOver makes this node the one that publishes.
func (p *Publisher) takeOver() {
	p.mu.Lock()
	p.current = true
	published := p.published
	p.mu.Unlock()
	p.takeovers.Add(1)
	p.cfg.Logger.Info("this node publishes live events from now on", "node", p.cfg.Self, "after", published)
	p.tell(note{Published: published, Publishing: true}.encode())
}

// standBy watches whether whoever publishes gets on, at no cost while there is nothing to publish.
func (p *Publisher) standBy(ctx context.Context) {
	published := p.Status().Published
	frontier, err := p.log.Frontier(ctx, published, false)
	if !p.silence(ctx) || err != nil || p.Status().Published != published {
		return
	}
	page, err := p.log.Read(ctx, event.ReadArgs{After: published, Limit: 1, Consistency: event.Frontier})
	switch {
	case err != nil:
		p.cfg.Logger.Warn("look for live events to publish", "node", p.cfg.Self, "error", err)
	case len(page.Events) == 0:
		p.advance(frontier) // there was nothing to publish
	default:
		p.takeOver()
	}
}

// publish publishes what lies up to the frontier, or waits for it.
func (p *Publisher) publish(ctx context.Context) error {
	after := p.Status().Published
	if _, err := p.log.Frontier(ctx, after, true); err != nil {
		return err
	}
	page, err := p.log.Read(ctx, event.ReadArgs{After: after, Limit: p.cfg.Batch, Consistency: event.Frontier})
	if err != nil {
		return err
	}
	if !p.Status().Publishing {
		return nil // another one does by now
	}
	if len(page.Events) > 0 {
		if err := p.sink.Publish(ctx, page.Events); err != nil {
			return err
		}
		p.events.Add(uint64(len(page.Events)))
		p.batches.Add(1)
	}
	p.advance(page.Next)
	if len(page.Events) > 0 {
		p.tell(note{Published: page.Next, Publishing: true}.encode())
	}
	return nil
}

// saveNowAndThen notes progress in the database, while there is any and when ctx ends.
func (p *Publisher) saveNowAndThen(ctx context.Context, saved event.Position) {
	ticker := time.NewTicker(p.cfg.SaveEvery)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			running = false
		}
		published := p.Status().Published
		if published == saved {
			continue
		}
		if err := p.progress.SetPublished(context.WithoutCancel(ctx), published); err != nil {
			p.cfg.Logger.Warn("note how far live events are published", "node", p.cfg.Self, "error", err)
			continue
		}
		saved = published
	}
}
