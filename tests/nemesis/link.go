package nemesis

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Link is a TCP proxy between two parties on this machine that can be cut. Its methods may be called concurrently.
type Link struct {
	target   string
	delay    time.Duration // in each direction
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	gates    [2]gate // by Direction
	sessions map[*session]bool
	closed   bool
}

// Direction is that of bytes on a link.
type Direction int

// The directions of a link: from whoever connects, and to it.
const (
	Forward Direction = iota
	Backward
)

// gate is open if it is nil, and else opens when it is closed.
type gate chan struct{}

// session is one connection with its other half.
type session struct {
	near, far net.Conn
	ended     chan struct{}
	once      sync.Once
}

// buffered is how many bytes a link holds in each direction of a connection, apart from what the kernel does.
const buffered = 32 << 10

// NewLink listens on loopback and passes connections on to target.
func NewLink(target string) (*Link, error) { return newLink(target, 0) }

func newLink(target string, delay time.Duration) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("nemesis: listen for a link to %s: %w", target, err)
	}
	l := &Link{target: target, delay: delay, listener: listener, sessions: make(map[*session]bool)}
	l.running.Go(l.accept)
	return l, nil
}

// Addr is where to connect instead of to the target.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Cut stops the bytes of a direction: those of the connections there are, and of those to come. Both ends go on
// believing that they are connected.
func (l *Link) Cut(d Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gates[d] == nil {
		l.gates[d] = make(gate)
	}
}

// Mend lets bytes flow again in both directions, those first that were held back.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for d := range l.gates {
		if l.gates[d] != nil {
			close(l.gates[d])
			l.gates[d] = nil
		}
	}
}

// Reset ends all connections. What is held back is lost.
func (l *Link) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.sessions {
		s.end()
	}
}

// Close ends the link, and returns when nothing of it is left.
func (l *Link) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	err := l.listener.Close()
	l.Reset()
	l.running.Wait()
	return err
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			l.running.Go(func() { l.serve(near) })
		}
	}
}

// serve carries one connection until an end of it closes.
func (l *Link) serve(near net.Conn) {
	far, err := net.Dial("tcp", l.target)
	if err != nil {
		near.Close()
		return
	}
	s := &session{near: near, far: far, ended: make(chan struct{})}
	defer s.end()
	if !l.keep(s) {
		return
	}
	defer l.forget(s)
	pump := l.pump
	if l.delay > 0 {
		pump = l.carry
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { pump(s, far, near, Forward) })
	pumps.Go(func() { pump(s, near, far, Backward) })
	pumps.Wait()
}

func (l *Link) keep(s *session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.sessions[s] = true
	}
	return !l.closed
}

func (l *Link) forget(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sessions, s)
}

func (s *session) end() {
	s.once.Do(func() {
		close(s.ended)
		s.near.Close()
		s.far.Close()
	})
}

// pump carries the bytes of one direction.
func (l *Link) pump(s *session, to io.Writer, from io.Reader, d Direction) {
	defer s.end()
	buffer := make([]byte, buffered)
	for {
		n, err := from.Read(buffer)
		if err != nil || !l.pass(s, d) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// pass waits until a direction is open; false if the connection has ended before that.
func (l *Link) pass(s *session, d Direction) bool {
	for {
		l.mu.Lock()
		closed := l.gates[d]
		l.mu.Unlock()
		if closed == nil {
			return true
		}
		select {
		case <-closed:
		case <-s.ended:
			return false
		}
	}
}
