package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"natsaccord/event"
)

// Target is what load is put on: a client, or a node.
type Target interface {
	Append(ctx context.Context, a event.Append) (event.Receipt, error)
	Read(ctx context.Context, args event.ReadArgs) (event.Page, error)
}

// Kind is what the requests of a workload do.
type Kind string

// The kinds of workloads.
const (
	// Uncontended appends an event to a stream that nobody else appends to at the same time.
	Uncontended Kind = "append"
	// Zipf appends to streams of which some are far more popular than others.
	Zipf Kind = "zipf"
	// Hot appends to very few streams.
	Hot Kind = "hot"
	// Transaction appends to several streams at once and demands that another one does not exist.
	Transaction Kind = "transaction"
	// Read reads streams.
	Read Kind = "read"
	// Update reads a stream that nobody else appends to at the same time, and appends an event behind what it read, as whoever
	// decides on a stream does.
	Update Kind = "update"
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Uncontended, Zipf, Hot, Transaction, Read, Update} }

// Workload describes requests. Kind is required; elsewhere zero means the default.
type Workload struct {
	Kind        Kind
	Category    string            // of all its streams; default bench. One that was used before has its versions
	Streams     int               // to choose among; default 10,000, of Hot 10
	Fresh       bool              // Uncontended: a new stream for each append
	Expect      bool              // demand the streams' versions; of streams that others append to: repeat until it succeeds
	Bytes       int               // of data in an event; default 256
	Skew        float64           // of Zipf, above 1; default 1.1
	Span        int               // streams written in a Transaction; default 2
	Unguarded   bool              // Transaction: demand nothing of a further stream
	Consistency event.Consistency // of Read and Update; default linearizable
	Seed        uint64
}

// leastBytes is the smallest data: JSON around one character.
const leastBytes = len(`{"fill":"x"}`)

// mostTries bounds how often a request is repeated whose expected version was taken.
const mostTries = 1000

func (w Workload) withDefaults() Workload {
	if w.Category == "" {
		w.Category = "bench"
	}
	if w.Streams == 0 && w.Kind == Hot {
		w.Streams = 10
	}
	if w.Streams == 0 {
		w.Streams = 10_000
	}
	if w.Bytes == 0 {
		w.Bytes = 256
	}
	if w.Skew == 0 {
		w.Skew = 1.1
	}
	if w.Span == 0 {
		w.Span = 2
	}
	if w.Consistency == "" {
		w.Consistency = event.Linearizable
	}
	return w
}

func (w Workload) validate(targets []Target, workers int) error {
	switch {
	case !slices.Contains(Kinds(), w.Kind):
		return fmt.Errorf("load: Workload.Kind is %q, want one of %q", w.Kind, Kinds())
	case len(targets) == 0:
		return errors.New("load: there is nothing to put load on")
	case workers < 1:
		return fmt.Errorf("load: %d workers, want at least 1", workers)
	case w.Bytes < leastBytes:
		return fmt.Errorf("load: Workload.Bytes is %d, want at least %d", w.Bytes, leastBytes)
	case w.Streams < 1:
		return fmt.Errorf("load: Workload.Streams is %d, want at least 1", w.Streams)
	case (w.Kind == Uncontended || w.Kind == Update) && w.Streams < workers:
		return fmt.Errorf("load: Workload.Streams is %d, want at least one for each of %d workers", w.Streams, workers)
	case w.Kind == Zipf && w.Skew <= 1:
		return fmt.Errorf("load: Workload.Skew is %g, want more than 1", w.Skew)
	case w.Kind == Transaction && (w.Span < 1 || w.Span > w.Streams):
		return fmt.Errorf("load: Workload.Span is %d, want 1 to the %d streams", w.Span, w.Streams)
	}
	return nil
}

// Load is a workload on its targets. Do may be called concurrently, by one goroutine for each worker.
type Load struct {
	workload Workload
	targets  []Target
	workers  []worker
	streams  *Streams        // of Uncontended and Update
	versions []atomic.Uint64 // of the other kinds' streams, as last heard
	last     event.Position  // of what Prepare wrote
	retries  atomic.Uint64
}

// worker is what each worker has of its own.
type worker struct {
	random *rand.Rand
	zipf   *rand.Zipf
	text   []byte // to cut data from
}

// textBytes is how much random text a worker has on top of one event's.
const textBytes = 64 << 10

// New returns a workload for that many workers, spread over the targets.
func New(w Workload, targets []Target, workers int) (*Load, error) {
	w = w.withDefaults()
	if err := w.validate(targets, workers); err != nil {
		return nil, err
	}
	l := &Load{
		workload: w, targets: targets, workers: make([]worker, workers),
		streams: NewStreams(w.Streams, w.Seed), versions: make([]atomic.Uint64, w.Streams),
	}
	text := randomText(rand.New(rand.NewPCG(w.Seed, 1)), textBytes+w.Bytes)
	for i := range l.workers {
		random := rand.New(rand.NewPCG(w.Seed, uint64(i)+2))
		l.workers[i] = worker{random, rand.NewZipf(random, w.Skew, 1, uint64(w.Streams-1)), text}
	}
	return l, nil
}

// randomText is of 64 different characters, so that it compresses little.
func randomText(random *rand.Rand, n int) []byte {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
	text := make([]byte, n)
	for i := range text {
		text[i] = letters[random.IntN(len(letters))]
	}
	return text
}

// Retries returns how many appends were repeated because their expected version was taken.
func (l *Load) Retries() uint64 { return l.retries.Load() }

// stream returns the full name of a stream.
func (l *Load) stream(name string) event.Stream { return event.StreamOf(l.workload.Category, name) }

func (l *Load) numbered(i int) event.Stream { return l.stream(fmt.Sprintf("%d", i)) }

// event returns a new event for a stream.
func (l *Load) event(w *worker, stream event.Stream) event.Event {
	data := make([]byte, 0, l.workload.Bytes)
	fill := l.workload.Bytes - leastBytes + 1
	start := w.random.IntN(len(w.text) - fill)
	data = append(data, `{"fill":"`...)
	data = append(data, w.text[start:start+fill]...)
	data = append(data, `"}`...)
	return event.Event{Stream: stream, Type: "Filled", Data: json.RawMessage(data)}
}
