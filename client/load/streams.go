package load

import (
	"fmt"
	"math/rand/v2"
	"sync"
)

// Streams lends streams, each to one user at a time, with the version it is at: appends that demand this version
// never meet. Its methods may be called concurrently.
type Streams struct {
	mu     sync.Mutex
	random *rand.Rand
	free   []Stream
}

// Stream is a stream on loan.
type Stream struct {
	Name    string
	Version uint64

	number, generation int
}

// NewStreams returns n streams that do not exist yet.
func NewStreams(n int, seed uint64) *Streams {
	s := &Streams{random: rand.New(rand.NewPCG(seed, 0)), free: make([]Stream, n)}
	for i := range s.free {
		s.free[i] = named(i, 0)
	}
	return s
}

func named(number, generation int) Stream {
	return Stream{Name: fmt.Sprintf("%d-%d", number, generation), number: number, generation: generation}
}

// Take lends a random stream that nobody else has. There must be one: lend no more than there are.
func (s *Streams) Take() Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, last := s.random.IntN(len(s.free)), len(s.free)-1
	taken := s.free[i]
	s.free[i] = s.free[last]
	s.free = s.free[:last]
	return taken
}

// Return takes a stream back, which has one event more.
func (s *Streams) Return(taken Stream) {
	taken.Version++
	s.put(taken)
}

// Replace takes back a stream of which it is not known how many events it has now, and lends a new one instead.
func (s *Streams) Replace(taken Stream) { s.put(named(taken.number, taken.generation+1)) }

func (s *Streams) put(stream Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, stream)
}
