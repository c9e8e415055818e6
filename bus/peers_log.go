package bus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"natsaccord/accord"
)

// Parts of logs travel between nodes as questions and answers, apart from the protocol's messages: they are large,
// rare, and made and read by the stores. An answer that does not fit one frame comes in several.
const (
	logQuestion = 1 + iota
	logAnswer
	logFailure // the answer is a text that says why there is none
)

// Bounds of an answer: its size, and how many are made at a time, beyond which questions are dropped.
const (
	logAnswerMax  = 64 << 20
	logAnswerers  = 2
	logFrameExtra = 1 + 8 + 4 + 4
)

// ErrNoAnswer: the other node could not read its log.
var ErrNoAnswer = errors.New("bus: no answer")

// logExchange is the state of questions and answers.
type logExchange struct {
	mu      sync.Mutex
	waiting map[uint64]*logQuery // by id
	next    atomic.Uint64
	answer  func(ctx context.Context, question []byte) ([]byte, error) // nil: there is none here
	slots   chan struct{}
	ctx     context.Context // ends with Close: answers are given up then
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// logQuery is a question that waits for its answer.
type logQuery struct {
	from  accord.NodeID
	parts [][]byte
	have  int
	size  int
	done  chan logResult
}

type logResult struct {
	answer []byte
	err    error
}

func (x *logExchange) init() {
	x.waiting = make(map[uint64]*logQuery)
	x.slots = make(chan struct{}, logAnswerers)
	x.ctx, x.cancel = context.WithCancel(context.Background())
}

// AnswerLog has questions of other nodes about this node's log answered by f, a few at a time. Set it before
// Receive.
func (p *Peers) AnswerLog(f func(ctx context.Context, question []byte) ([]byte, error)) {
	p.log.answer = f
}

// AskLog asks a node about its log, and returns the answer. A question or answer that is lost is noticed by ctx
// ending; ErrNoAnswer says that the other could not tell.
func (p *Peers) AskLog(ctx context.Context, node accord.NodeID, question []byte) ([]byte, error) {
	q := &logQuery{from: node, done: make(chan logResult, 1)}
	id := p.cfg.Incarnation<<32 ^ p.log.next.Add(1)
	p.log.mu.Lock()
	p.log.waiting[id] = q
	p.log.mu.Unlock()
	defer func() {
		p.log.mu.Lock()
		delete(p.log.waiting, id)
		p.log.mu.Unlock()
	}()
	if err := p.sendLog(node, logQuestion, id, 0, 1, question); err != nil {
		return nil, fmt.Errorf("bus: ask %s for its log: %w", p.cfg.Nodes[node-1], err)
	}
	select {
	case result := <-q.done:
		return result.answer, result.err
	case <-ctx.Done():
		return nil, fmt.Errorf("bus: wait for the log of %s: %w", p.cfg.Nodes[node-1], ctx.Err())
	}
}

// sendLog publishes one frame of a question or an answer.
func (p *Peers) sendLog(to accord.NodeID, kind byte, id uint64, part, parts uint32, data []byte) error {
	e := Envelope{Cluster: p.cfg.Subjects.Cluster, From: p.self, To: to, Incarnation: p.cfg.Incarnation, Epoch: p.cfg.Epoch}
	frame := appendLogFrame(nil, e, logFrame{kind: kind, id: id, part: part, parts: parts, data: data})
	if err := p.nc.Publish(p.cfg.Subjects.Peer(p.cfg.Nodes[to-1], p.cfg.Self, PhaseLog), frame); err != nil {
		p.counters.add(dropNotConnected, 1)
		return err
	}
	p.counters.add(sentFrames, 1)
	p.counters.add(sentBytes, len(frame))
	return nil
}

// logFrame is one frame, decoded.
type logFrame struct {
	kind        byte
	id          uint64
	part, parts uint32
	data        []byte
}

func appendLogFrame(b []byte, e Envelope, f logFrame) []byte {
	b = append(appendEnvelope(b, e), f.kind)
	b = binary.BigEndian.AppendUint64(b, f.id)
	b = binary.BigEndian.AppendUint32(b, f.part)
	b = binary.BigEndian.AppendUint32(b, f.parts)
	return append(b, f.data...)
}

// decodeLogFrame never panics, and refers to b.
func decodeLogFrame(b []byte) (Envelope, logFrame, error) {
	r := reader{rest: b}
	if err := r.version(); err != nil {
		return Envelope{}, logFrame{}, err
	}
	e := r.envelope()
	r.uint32() // no messages
	f := logFrame{kind: r.byte(), id: r.uint64(), part: r.uint32(), parts: r.uint32()}
	f.data = r.rest
	switch {
	case r.err != nil:
		return Envelope{}, logFrame{}, r.err
	case f.kind < logQuestion || f.kind > logFailure || f.part >= f.parts || f.parts > logAnswerMax/headroom:
		return Envelope{}, logFrame{}, fmt.Errorf("%w: part %d of %d, kind %d", ErrMalformed, f.part, f.parts, f.kind)
	}
	return e, f, nil
}

// receiveLog takes a frame of a question or an answer.
func (p *Peers) receiveLog(from accord.NodeID, b []byte) {
	e, f, err := decodeLogFrame(b)
	if err != nil {
		p.refuse(from, PhaseLog, err)
		return
	}
	if reason, ok := p.check(from, e); !ok {
		p.counters.add(reason, 1)
		return
	}
	if f.kind == logQuestion {
		p.answerLog(from, f)
		return
	}
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	if q := p.log.waiting[f.id]; q != nil && q.from == from {
		q.add(f)
	}
}

// add takes one part of the answer.
func (q *logQuery) add(f logFrame) {
	if q.parts == nil {
		q.parts = make([][]byte, f.parts)
	}
	if int(f.parts) != len(q.parts) || q.parts[f.part] != nil || q.size+len(f.data) > logAnswerMax {
		return
	}
	q.parts[f.part] = append([]byte{}, f.data...)
	q.have, q.size = q.have+1, q.size+len(f.data)
	if q.have < len(q.parts) {
		return
	}
	result := logResult{answer: make([]byte, 0, q.size)}
	for _, part := range q.parts {
		result.answer = append(result.answer, part...)
	}
	if f.kind == logFailure {
		result = logResult{err: fmt.Errorf("%w: %s", ErrNoAnswer, result.answer)}
	}
	select {
	case q.done <- result:
	default: // it has one already
	}
}

// answerLog has a question answered, unless too many are being answered already: it will be asked again.
func (p *Peers) answerLog(from accord.NodeID, f logFrame) {
	if p.log.answer == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	select {
	case p.log.slots <- struct{}{}:
	default:
		return
	}
	question := append([]byte{}, f.data...)
	p.log.running.Go(func() {
		defer func() { <-p.log.slots }()
		answer, err := p.log.answer(p.log.ctx, question)
		if err != nil {
			p.cfg.Logger.Warn("log not read for a peer", "peer", p.cfg.Nodes[from-1], "error", err)
			_ = p.sendLog(from, logFailure, f.id, 0, 1, []byte("the log could not be read")) // counted; who asked asks again
			return
		}
		p.sendParts(from, f.id, answer)
	})
}

// sendParts sends an answer in as many frames as it takes.
func (p *Peers) sendParts(to accord.NodeID, id uint64, answer []byte) {
	size := p.frameMax() - 256 - logFrameExtra // an envelope is well below that
	parts := max(1, (len(answer)+size-1)/size)
	for i := range parts {
		data := answer[i*size : min(len(answer), (i+1)*size)]
		if p.sendLog(to, logAnswer, id, uint32(i), uint32(parts), data) != nil {
			return
		}
	}
}
