package nemesis

import (
	"io"
	"sync"
	"time"
)

// parcel is what was read at once, and when it is to go on.
type parcel struct {
	due   time.Time
	bytes []byte
}

// parcels is how many of them a slow link holds in each direction of a connection. Whoever sends more has to wait.
const parcels = 4096

// NewSlowLink is NewLink, and bytes take delay from one end to the other, in either direction and in their order.
func NewSlowLink(target string, delay time.Duration) (*Link, error) {
	return newLink(target, delay)
}

// carry is pump for a slow link. What was read is passed on even if its sender is gone by then.
func (l *Link) carry(s *session, to io.Writer, from io.Reader, d Direction) {
	var collecting sync.WaitGroup
	defer collecting.Wait()
	defer s.end()
	under := make(chan parcel, parcels)
	collecting.Go(func() {
		defer close(under)
		l.collect(s, under, from)
	})
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p := range under {
		timer.Reset(time.Until(p.due))
		select {
		case <-timer.C:
		case <-s.ended:
			return
		}
		if !l.pass(s, d) {
			return
		}
		if _, err := to.Write(p.bytes); err != nil {
			return
		}
	}
}

// collect reads until its end of the connection is closed.
func (l *Link) collect(s *session, under chan<- parcel, from io.Reader) {
	buffer := make([]byte, buffered)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			select {
			case under <- parcel{time.Now().Add(l.delay), append([]byte(nil), buffer[:n]...)}:
			case <-s.ended:
				return
			}
		}
		if err != nil {
			return
		}
	}
}
