package client

import (
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"

	"natsaccord/bus"
)

// sender asks for appends, in one message for those that are asked for at the same time. Nobody waits for others to come:
// what gathers while a message is made goes in the next. The answers to all messages come to one subscription.
type sender struct {
	nc    *nats.Conn
	inbox string // the answers to a message come to its token behind this

	mu      sync.Mutex // protects what follows, and what calls and messages say they let it protect
	replies *nats.Subscription
	closed  bool
	waiting []*call // not sent yet
	sending bool    // somebody sends what is waiting
	sent    map[uint64]*message
	last    uint64 // token of a message
}

// target is where appends are asked for: one that is alone, and several in a message.
type target struct{ one, many string }

// call is a request and who waits for its answer.
type call struct {
	to     target
	way    way // by which to was chosen
	body   []byte
	answer chan answer // takes one, from who ends the call; another one only before it has ended, with sender.mu held
	in     *message    // nil while it is not sent; protected by sender.mu
	ended  bool        // answered or given up; protected by sender.mu
}

// answer is the body of a reply, or why there is none.
type answer struct {
	to   *call
	body []byte
	err  error
}

// end gives a call that has ended its answer.
func (c *call) end(body []byte, err error) { c.answer <- answer{c, body, err} }

// message holds calls that are sent together.
type message struct {
	token   uint64
	subject string
	calls   []*call // by their index in the message
	open    int     // how many have not ended; protected by sender.mu
}

// mostBytes is how long a message of several requests may be, if the server takes it. In a longer one each costs hardly less,
// and the last one of it waits for all others to arrive.
const mostBytes = 128 << 10

// frameBytes is more than what stands around the requests in a message.
const frameBytes = 64

func newSender(nc *nats.Conn) *sender {
	return &sender{nc: nc, inbox: nc.NewInbox() + ".", sent: make(map[uint64]*message)}
}

// put has a call sent: by who asks, or by who is sending others.
func (s *sender) put(c *call) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		c.end(nil, errClosed(c.to.one))
		return
	}
	s.waiting = append(s.waiting, c)
	mine, alone := !s.sending, len(s.sent) == 0
	s.sending = true
	s.mu.Unlock()
	if !mine {
		return
	}
	if !alone {
		runtime.Gosched() // others who were answered together with the caller ask for the next thing now
	}
	if s.send() {
		go s.sendRest() // the caller has done its share, and waits for its own answer now
	}
}

func (s *sender) sendRest() {
	for more := true; more; {
		runtime.Gosched()
		more = s.send()
	}
}

// send sends a message of what is waiting, and tells whether more is, which the caller has to see to.
func (s *sender) send() (more bool) {
	m, err := s.take()
	if m != nil {
		if err == nil {
			err = s.publish(m)
		}
		if err != nil {
			s.end(m, nil, errNotSent(m.subject, err))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending = len(s.waiting) > 0
	return s.sending
}

// take makes a message of what is waiting, as much as goes to the target of the first and fits. There is none if all gave up meanwhile.
func (s *sender) take() (*message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return nil, nil
	}
	calls, others := together(s.waiting, s.most())
	s.waiting = others
	s.last++
	m := &message{token: s.last, subject: calls[0].to.one, calls: calls, open: len(calls)}
	if len(calls) > 1 {
		m.subject = calls[0].to.many
	}
	for _, c := range m.calls {
		c.in = m
	}
	s.sent[m.token] = m
	return m, s.listen()
}

// most is how long a message of several requests may be now.
func (s *sender) most() int {
	if limit := s.nc.MaxPayload(); limit > 0 {
		return min(int(limit), mostBytes)
	}
	return mostBytes
}

// together parts the calls in those that go in one message of at most so many bytes with the first, which goes whatever its length,
// and the others, in their order. Those for one target may stand between those for another: contested streams have homes.
func together(calls []*call, most int) (message, others []*call) {
	n, size := fitting(calls, most)
	if n == len(calls) {
		return calls, nil
	}
	if calls[n].to == calls[0].to { // it is full
		return calls[:n:n], calls[n:]
	}
	message = slices.Clone(calls[:n])
	for i, c := range calls[n:] {
		if c.to != calls[0].to {
			others = append(others, c)
			continue
		}
		if size += len(c.body) + len(","); size > most || len(message) == bus.MaxAppends {
			return message, append(others, calls[n+i:]...)
		}
		message = append(message, c)
	}
	return message, others
}

// fitting is how many of the calls, from the first on, have one target and fit in a message of at most so many bytes, and how long
// that is.
func fitting(calls []*call, most int) (n, size int) {
	size = frameBytes
	for i, c := range calls {
		more := len(c.body) + len(",")
		if i > 0 && (i == bus.MaxAppends || size+more > most || c.to != calls[0].to) {
			return i, size
		}
		size += more
	}
	return len(calls), size
}

// listen subscribes to answers before there is the first to come. s.mu is held.
func (s *sender) listen() error {
	if s.replies != nil {
		return nil
	}
	replies, err := s.nc.Subscribe(s.inbox+"*", s.receive)
	if err != nil {
		return err
	}
	replies.SetClosedHandler(func(string) { s.leave(nats.ErrConnectionClosed) }) // if that is so already, publishing fails
	s.replies = replies
	return nil
}

func (s *sender) publish(m *message) error {
	body := m.calls[0].body
	if len(m.calls) > 1 {
		bodies := make([][]byte, len(m.calls))
		for i, c := range m.calls {
			bodies[i] = c.body
		}
		body = bus.EncodeAppends(bodies)
	}
	return s.nc.PublishMsg(&nats.Msg{Subject: m.subject, Reply: s.inbox + strconv.FormatUint(m.token, 36), Data: body})
}
