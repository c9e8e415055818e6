package bus

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"natsaccord/event"
)

// fitter is a reply that can be made smaller.
type fitter interface {
	// fit returns as much of the reply as takes about limit bytes.
	fit(limit int) (any, error)
}

// fit leaves out what a client can read from the log: that the append is committed must be said.
func (r AppendReply) fit(limit int) (any, error) {
	r.Events, r.Truncated = []EventRef{}, true
	if encoded, err := Encode(r); err != nil || len(encoded) <= limit {
		return r, err
	}
	r.Streams = []StreamVersion{}
	return r, nil
}

// fit ends the page earlier. An event that fits no page is named, so that its reader can go on behind it.
func (r ReadReply) fit(limit int) (any, error) {
	all := r.Events
	r.Events, r.End = nil, false
	frame, err := Encode(r)
	if err != nil {
		return nil, err
	}
	size := len(frame) + len("[]")
	for i := range all {
		encoded, err := Encode(all[i])
		if err != nil {
			return nil, err
		}
		size += len(encoded) + len(",")
		if size > limit && i == 0 {
			return nil, &event.TooLargeError{What: fmt.Sprintf("the event at %s in bytes", all[i].Position), Size: size, Limit: limit}
		}
		if size > limit {
			r.Events, r.Next = all[:i], all[i-1].Position
			return r, nil
		}
	}
	r.Events = all
	return r, nil
}

// encode encodes a reply in at most limit bytes.
func (s *Service) encode(body any, limit int) ([]byte, error) {
	encoded, err := Encode(body)
	if err != nil || len(encoded) <= limit {
		return encoded, err
	}
	if f, ok := body.(fitter); ok {
		if body, err = f.fit(limit); err != nil {
			return nil, err
		}
		if encoded, err = Encode(body); err != nil || len(encoded) <= limit {
			return encoded, err
		}
	}
	return nil, &event.TooLargeError{What: "the reply in bytes", Size: len(encoded), Limit: limit}
}

// replyBytes is how large a reply may be on the server we are connected to.
func (s *Service) replyBytes() int {
	if payload := int(s.nc.MaxPayload()); payload > 2*headroom {
		return payload - headroom
	}
	return payloadDefault - headroom
}

// reply publishes a reply, if anybody waits for it.
func (s *Service) reply(r request, a action, body any) {
	if r.msg.Reply() == "" {
		return
	}
	limit := s.replyBytes()
	if r.among != nil {
		limit -= frameBytes
	}
	encoded, err := s.encode(body, limit)
	if err != nil {
		s.refuse(r, a, err)
		return
	}
	s.send(r, encoded, nil)
}

// refuse replies with an error.
func (s *Service) refuse(r request, a action, err error) {
	e := NewErrorReply(err)
	e.Error.settle(a.writes, err)
	if e.Error.ErrCode == CodeInternal {
		s.cfg.Logger.Error("serve a request", "subject", r.msg.Subject(), "error", err)
	}
	if r.msg.Reply() == "" {
		return
	}
	encoded, err := Encode(e)
	if err != nil {
		s.cfg.Logger.Error("encode an error", "subject", r.msg.Subject(), "error", err)
		return
	}
	s.send(r, encoded, &e.Error)
}

// send sends a reply, which may be an error, on its own or among others.
func (s *Service) send(r request, encoded []byte, refused *ErrorDetail) {
	if r.among != nil {
		r.among.add(IndexedReply{r.index, encoded})
		return
	}
	reply := &nats.Msg{Subject: r.msg.Reply(), Data: encoded}
	if refused != nil {
		reply.Header = nats.Header{
			micro.ErrorHeader:     []string{headerText(refused.Description)},
			micro.ErrorCodeHeader: []string{strconv.Itoa(refused.Code)},
		}
	}
	s.publish(r.msg, reply)
}

func (s *Service) publish(msg micro.Request, reply *nats.Msg) {
	if err := s.nc.PublishMsg(reply); err != nil {
		s.cfg.Logger.Warn("publish a reply", "subject", msg.Subject(), "error", err)
	}
}

// headerText keeps a header on one line.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
}
