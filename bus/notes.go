package bus

import (
	"context"
	"fmt"
)

// maxNote is the size of the largest note, in bytes: anything larger is no note.
const maxNote = 64 << 10

// SendNote tells all other nodes something beside the protocol. It is lost where it cannot be delivered now.
func (p *Peers) SendNote(note Phase, body []byte) {
	for _, name := range p.cfg.Nodes {
		if name == p.cfg.Self {
			continue
		}
		if err := p.nc.Publish(p.cfg.Subjects.Peer(name, p.cfg.Self, note), body); err != nil {
			p.counters.add(dropNotConnected, 1)
		}
	}
}

// HearNotes hands every note of a kind to f, with the node that sent it. f must not block, and owns the body.
// Notes go to whoever was named last, and to nobody while f is nil.
func (p *Peers) HearNotes(note Phase, f func(from string, body []byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.notes == nil {
		p.notes = make(map[Phase]func(string, []byte))
	}
	p.notes[note] = f
}

// hearNote hands on a note whose sender is known.
func (p *Peers) hearNote(note Phase, from string, body []byte) {
	p.mu.Lock()
	f := p.notes[note]
	p.mu.Unlock()
	if len(body) > maxNote {
		p.counters.add(dropMalformed, 1)
		return
	}
	if f != nil {
		f(from, body)
	}
}

// Ask has another node answer a question, as AskLog does.
func (p *Peers) Ask(ctx context.Context, name string, question []byte) ([]byte, error) {
	node := p.node(name)
	if node == 0 {
		return nil, fmt.Errorf("bus: ask %q: it is no node of this cluster", clip(name))
	}
	return p.AskLog(ctx, node, question)
}
