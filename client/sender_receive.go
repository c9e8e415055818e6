package client

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
	"natsaccord/event"
)

// receive hands the answers in a message to those who wait for them. What nobody waits for any more is passed over.
func (s *sender) receive(msg *nats.Msg) {
	token, err := strconv.ParseUint(strings.TrimPrefix(msg.Subject, s.inbox), 36, 64)
	if err != nil {
		return
	}
	s.mu.Lock()
	m := s.sent[token]
	s.mu.Unlock()
	switch {
	case m == nil:
	case isNoResponders(msg):
		s.end(m, nil, errUnreachable(m.subject))
	case len(m.calls) == 1:
		s.end(m, msg.Data, nil)
	default:
		s.receiveMany(m, msg.Data)
	}
}

// isNoResponders tells whether a message is the server's word that nobody listens.
func isNoResponders(msg *nats.Msg) bool {
	return len(msg.Data) == 0 && msg.Header.Get("Status") == "503"
}

// receiveMany takes apart a reply to several calls. An error is about all of them.
func (s *sender) receiveMany(m *message, body []byte) {
	var reply bus.AppendsReply
	if err := bus.DecodeReply(body, &reply); err != nil {
		s.end(m, nil, fmt.Errorf("client: decode the reply on %s: %w", m.subject, err))
		return
	}
	if reply.Type != bus.TypeAppendsReply {
		s.end(m, body, nil)
		return
	}
	answered := make([]*call, len(reply.Replies))
	s.mu.Lock()
	for i := range reply.Replies {
		if index := reply.Replies[i].Index; index >= 0 && index < len(m.calls) && s.finish(m.calls[index]) {
			answered[i] = m.calls[index]
		}
	}
	s.mu.Unlock()
	for i, c := range answered {
		if c != nil {
			c.end(reply.Replies[i].Reply, nil)
		}
	}
}

// end gives all calls of a message the same answer that have none.
func (s *sender) end(m *message, body []byte, err error) {
	var open []*call
	s.mu.Lock()
	for _, c := range m.calls {
		if s.finish(c) {
			open = append(open, c)
		}
	}
	s.mu.Unlock()
	for _, c := range open {
		c.end(body, err)
	}
}

// receiptOf decodes the reply to an append and returns which node it is of, if it says so, or the error that it is.
func receiptOf(subject string, body []byte) (receipt event.Receipt, node string, err error) {
	var reply bus.AppendReply
	if err := bus.DecodeReply(body, &reply); err != nil {
		return receipt, "", fmt.Errorf("client: decode the reply on %s: %w", subject, err)
	}
	switch reply.Type {
	case bus.TypeAppendReply:
		receipt, err = reply.Receipt()
		return receipt, reply.Node, err
	case bus.TypeError:
		var refusal bus.ErrorReply
		if err := json.Unmarshal(body, &refusal); err != nil {
			return receipt, "", fmt.Errorf("client: decode the reply on %s: %w", subject, err)
		}
		return receipt, "", refusal.Err()
	}
	return receipt, "", fmt.Errorf("client: the reply on %s is of type %q, want %q", subject, reply.Type, bus.TypeAppendReply)
}
