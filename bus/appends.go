package bus

import (
	"context"
	"runtime"
	"sync"

	"github.com/nats-io/nats.go"

	"natsaccord/event"
)

// MaxAppends is how many appends a message may hold.
const MaxAppends = 256

// appends serves several appends, each as if it had come alone. The first has the goroutine of the message, and its room.
func (s *Service) appends(_ context.Context, r request) (any, error) {
	var wire AppendsRequest
	if err := s.decode(r, &wire); err != nil {
		return nil, err
	}
	switch n := len(wire.Appends); {
	case n == 0:
		return nil, &event.InvalidError{Field: "appends", Reason: "is empty, want at least one"}
	case n > MaxAppends:
		return nil, &event.TooLargeError{What: "number of appends", Size: n, Limit: MaxAppends}
	}
	one, among := s.shared[verbAppend], s.repliesTo(r, len(wire.Appends))
	item := func(i int) request { return request{msg: r.msg, body: wire.Appends[i], index: i, among: among} }
	for i := 1; i < len(wire.Appends); i++ {
		s.accept(one, item(i))
	}
	s.answer(task{one, item(0)})
	return nil, nil
}

// replies gathers the replies to the appends in a message. Those that are there together go in one message: a node
// learns what became of many at once. None waits for another.
type replies struct {
	publish func(frame []byte)
	limit   int // bytes of a frame

	mu      sync.Mutex // protects what follows
	ready   []IndexedReply
	left    int  // how many are neither ready nor sent
	sending bool // somebody sends what is ready
}

func (s *Service) repliesTo(r request, n int) *replies {
	return &replies{left: n, limit: s.replyBytes(), publish: func(frame []byte) {
		s.publish(r.msg, &nats.Msg{Subject: r.msg.Reply(), Data: frame})
	}}
}

// add has a reply sent: by its caller, or by who is sending others.
func (b *replies) add(r IndexedReply) {
	b.mu.Lock()
	b.ready = append(b.ready, r)
	b.left--
	mine, last := !b.sending, b.left == 0
	b.sending = true
	b.mu.Unlock()
	for more := mine; more; {
		if !last {
			runtime.Gosched() // others whose outcome became known together with this one are about to tell
		}
		more = b.flush()
	}
}

// flush sends what is ready, and tells whether the caller has to go on.
func (b *replies) flush() bool {
	b.mu.Lock()
	ready, left := b.ready, b.left
	b.ready = nil
	b.sending = len(ready) > 0 && left > 0
	more := b.sending
	b.mu.Unlock()
	for len(ready) > 0 {
		n := fitting(ready, b.limit)
		b.publish(encodeReplies(ready[:n], left+len(ready)-n))
		ready = ready[n:]
	}
	return more
}

// fitting is how many of the replies fit a frame: at least one, which has been made to fit if it can be.
func fitting(replies []IndexedReply, limit int) int {
	size := frameBytes
	for i := range replies {
		if size += replies[i].size(); size > limit && i > 0 {
			return i
		}
	}
	return len(replies)
}
