package bus

import (
	"errors"

	"github.com/nats-io/nats.go"

	"natsaccord/accord"
)

// receive checks a frame and hands its messages to f. Nothing is done with a message before its sender, its
// receiver and its sender's incarnation are known to be right.
func (p *Peers) receive(m *nats.Msg, f func(from accord.NodeID, h accord.Header, msgs []accord.Message)) {
	p.receiving.RLock()
	defer p.receiving.RUnlock()
	if p.deaf {
		return
	}
	p.counters.add(receivedFrames, 1)
	p.counters.add(receivedBytes, len(m.Data))
	_, sender, phase, ok := p.cfg.Subjects.ParsePeer(m.Subject)
	from := p.node(sender)
	if !ok || from == 0 || from == p.self {
		p.counters.add(dropOtherSender, 1)
		return
	}
	if phase == PhaseLog {
		p.receiveLog(from, m.Data)
		return
	}
	if phase.isNote() {
		p.hearNote(phase, sender, m.Data)
		return
	}
	envelope, msgs, err := DecodeFrame(m.Data)
	if err != nil {
		p.refuse(from, phase, err)
		return
	}
	if reason, ok := p.check(from, envelope); !ok {
		p.counters.add(reason, 1)
		return
	}
	p.counters.add(receivedMessages, len(msgs))
	f(from, envelope.Header, msgs)
}

// node returns the NodeID of a name, or zero.
func (p *Peers) node(name string) accord.NodeID {
	for i := range p.cfg.Nodes {
		if p.cfg.Nodes[i] == name {
			return accord.NodeID(i + 1)
		}
	}
	return 0
}

// check compares an envelope with the subject it came on and with what is known of its sender.
func (p *Peers) check(from accord.NodeID, e Envelope) (reason counter, ok bool) {
	switch {
	case e.Cluster != p.cfg.Subjects.Cluster:
		return dropOtherCluster, false
	case e.To != p.self:
		return dropOtherReceiver, false
	case e.From != from:
		return dropOtherSender, false
	case e.Epoch != p.cfg.Epoch:
		return dropOtherEpoch, false
	case !p.receiver.newest(from, e.Incarnation):
		return dropOldIncarnation, false
	}
	return 0, true
}

// newest notes an incarnation and tells whether a newer one was seen.
func (r *receiver) newest(from accord.NodeID, incarnation uint64) bool {
	seen := &r.incarnations[from-1]
	for {
		known := seen.Load()
		if incarnation <= known {
			return incarnation == known && incarnation > 0
		}
		if seen.CompareAndSwap(known, incarnation) {
			return true
		}
	}
}

// refuse counts a frame that could not be read. A version we do not know is answered; a refusal never is, so
// that two nodes cannot go on refusing each other.
func (p *Peers) refuse(from accord.NodeID, phase Phase, err error) {
	if version, ok := errors.AsType[*VersionError](err); ok {
		p.counters.add(dropUnknownVersion, 1)
		subject := p.cfg.Subjects.Peer(p.cfg.Nodes[from-1], p.cfg.Self, phase)
		if err := p.nc.Publish(subject, AppendRefusal(nil, version.Version)); err != nil {
			p.counters.add(dropNotConnected, 1)
		}
		return
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		p.counters.add(refusedByPeer, 1)
		if p.receiver.refused[from-1].CompareAndSwap(false, true) {
			p.cfg.Logger.Error("peer does not understand this node", "peer", p.cfg.Nodes[from-1], "error", refusal)
		}
		return
	}
	p.counters.add(dropMalformed, 1)
	p.cfg.Logger.Debug("malformed peer frame", "peer", p.cfg.Nodes[from-1], "error", err)
}
