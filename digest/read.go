package digest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"natsaccord/event"
)

var _ Reader = (*Digester)(nil)

// LongestRun is how many events one query may have read again.
const LongestRun = 50_000

// Digest implements Reader on this node's log.
func (d *Digester) Digest(ctx context.Context, q event.DigestQuery) (event.Digest, error) {
	end := d.now()
	if q.To == 0 {
		q.To = end.events
	}
	switch {
	case q.From > q.To || q.To > end.events:
		return event.Digest{}, &event.InvalidError{Field: "to", Reason: fmt.Sprintf("is %d, behind %d, want at most the %d events that are hashed", q.To, q.From, end.events)}
	case q.Stored && q.From != 0:
		return event.Digest{}, &event.InvalidError{Field: "from", Reason: "is not zero, and what is stored begins there"}
	case q.Stored && q.To == end.events:
		return end.digest(), nil
	case !q.Stored && q.To-q.From > LongestRun:
		return event.Digest{}, &event.TooLargeError{What: "number of events to be read again", Size: int(q.To - q.From), Limit: LongestRun}
	}
	m, err := d.run(ctx, q)
	return event.Digest{From: q.From, To: q.To, Position: m.position, Sum: m.sum.String()}, err
}

// run reads the events of a query, from the last mark before them on.
func (d *Digester) run(ctx context.Context, q event.DigestQuery) (mark, error) {
	nearest := q.From
	if q.Stored {
		nearest = q.To
	}
	m, err := d.markBefore(ctx, nearest)
	if err != nil {
		return m, fmt.Errorf("digest: find a mark: %w", err)
	}
	if !q.Stored { // the sum begins at From
		if m, _, err = d.fold(ctx, m, int(q.From-m.events), ""); err != nil {
			return m, fmt.Errorf("digest: read %d events: %w", q.From-m.events, err)
		}
		m = mark{events: q.From, position: m.position}
	}
	start := m
	if m, _, err = d.fold(ctx, m, int(q.To-m.events), ""); err != nil {
		return m, fmt.Errorf("digest: read %d events: %w", q.To-start.events, err)
	}
	if m.events == q.From {
		m.position = "" // of no event of the run
	}
	return m, nil
}

// askTimeout is how long another node may take to answer.
const askTimeout = 10 * time.Second

// questionPrefix tells questions about digests from others.
const questionPrefix = "digest "

// IsQuestion tells whether a question of another node is for Answer.
func IsQuestion(question []byte) bool { return strings.HasPrefix(string(question), questionPrefix) }

// Answer answers a question of another node.
func (d *Digester) Answer(ctx context.Context, question []byte) ([]byte, error) {
	var q event.DigestQuery
	if !IsQuestion(question) || json.Unmarshal(question[len(questionPrefix):], &q) != nil {
		return nil, ErrBadQuestion
	}
	found, err := d.Digest(ctx, q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(found)
}

// peer is a Reader of another node's log.
type peer struct {
	peers Peers
	name  string
}

// Digest implements Reader.
func (p peer) Digest(ctx context.Context, q event.DigestQuery) (found event.Digest, err error) {
	body, err := json.Marshal(q)
	if err != nil {
		return found, fmt.Errorf("digest: encode a question: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := p.peers.Ask(ctx, p.name, append([]byte(questionPrefix), body...))
	if err != nil {
		return found, fmt.Errorf("digest: ask %s: %w", p.name, err)
	}
	if err := json.Unmarshal(answer, &found); err != nil {
		return found, fmt.Errorf("digest: decode the answer of %s: %w", p.name, err)
	}
	return found, nil
}
