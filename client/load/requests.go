package load

import (
	"context"
	"errors"
	"fmt"

	"natsaccord/event"
)

// Prepare writes what the requests need to find: the streams that Read reads, at most 1,000.
func (l *Load) Prepare(ctx context.Context) error {
	if l.workload.Kind != Read {
		return nil
	}
	const batch = 100
	l.workload.Streams = min(l.workload.Streams, 1000)
	for first := 0; first < l.workload.Streams; first += batch {
		var a event.Append
		for i := first; i < min(first+batch, l.workload.Streams); i++ {
			a.Events = append(a.Events, l.event(&l.workers[0], l.numbered(i)))
		}
		receipt, err := l.targets[0].Append(ctx, a)
		if err != nil {
			return fmt.Errorf("load: write what is to be read: %w", err)
		}
		l.last = receipt.Position
	}
	return nil
}

// Do makes one request. It is a Request.
func (l *Load) Do(ctx context.Context, call Call) error {
	w := &l.workers[call.Worker]
	target := l.targets[call.Worker%len(l.targets)]
	switch l.workload.Kind {
	case Uncontended:
		return l.uncontended(ctx, target, w, call)
	case Zipf:
		return l.contended(ctx, target, w, int(w.zipf.Uint64()))
	case Hot:
		return l.contended(ctx, target, w, w.random.IntN(l.workload.Streams))
	case Transaction:
		return l.transaction(ctx, target, w)
	case Update:
		return l.update(ctx, target, w)
	default:
		return l.read(ctx, target, w)
	}
}

// uncontended appends to a stream that nobody else has now.
func (l *Load) uncontended(ctx context.Context, target Target, w *worker, call Call) error {
	if l.workload.Fresh {
		stream := l.stream(fmt.Sprintf("own-%d-%d", call.Worker, call.N))
		return l.append(ctx, target, w, stream, 0)
	}
	s := l.streams.Take()
	if err := l.append(ctx, target, w, l.stream(s.Name), s.Version); err != nil {
		l.streams.Replace(s)
		return err
	}
	l.streams.Return(s)
	return nil
}

// update reads the last events of a stream that nobody else has now, and demands that it has grown no further.
func (l *Load) update(ctx context.Context, target Target, w *worker) error {
	s := l.streams.Take()
	defer l.streams.put(s)
	stream := l.stream(s.Name)
	page, err := target.Read(ctx, event.ReadArgs{Stream: stream, Limit: 10, Backward: true, Consistency: l.workload.Consistency})
	if err != nil {
		return err
	}
	_, err = target.Append(ctx, event.Append{
		Events:     []event.Event{l.event(w, stream)},
		Conditions: []event.Condition{{Stream: stream, Expect: event.Expect(page.Head.Version)}},
	})
	return err
}

// append appends one event to a stream that is at a version.
func (l *Load) append(ctx context.Context, target Target, w *worker, stream event.Stream, version uint64) error {
	a := event.Append{Events: []event.Event{l.event(w, stream)}}
	if l.workload.Expect {
		a.Conditions = []event.Condition{{Stream: stream, Expect: event.Expect(version)}}
	}
	_, err := target.Append(ctx, a)
	return err
}

// contended appends to a stream that others append to. If it is to demand a version, it demands the last one
// heard of, and the one it is told if that is taken, until it succeeds.
func (l *Load) contended(ctx context.Context, target Target, w *worker, i int) error {
	stream, known := l.numbered(i), &l.versions[i]
	for try := 1; ; try++ {
		version := known.Load()
		err := l.append(ctx, target, w, stream, version)
		if err == nil && l.workload.Expect {
			l.heard(i, version+1)
		}
		var conflict *event.ConflictError
		if !errors.As(err, &conflict) || try == mostTries {
			return err
		}
		l.heard(i, conflict.Have)
		l.retries.Add(1)
	}
}

// heard notes the version of a stream, if it is news.
func (l *Load) heard(i int, version uint64) {
	for {
		known := l.versions[i].Load()
		if version <= known || l.versions[i].CompareAndSwap(known, version) {
			return
		}
	}
}

// transaction appends to several streams, if it is guarded unless a further one exists that says they are closed.
func (l *Load) transaction(ctx context.Context, target Target, w *worker) error {
	for try := 1; ; try++ {
		a, streams, versions := l.newTransaction(w)
		_, err := target.Append(ctx, a)
		if err == nil && l.workload.Expect {
			for i := range streams {
				l.heard(streams[i], versions[i]+1)
			}
		}
		var conflict *event.ConflictError
		if !errors.As(err, &conflict) || try == mostTries {
			return err
		}
		for _, c := range conflict.All {
			for _, i := range streams {
				if c.Stream == l.numbered(i) {
					l.heard(i, c.Have)
				}
			}
		}
		l.retries.Add(1)
	}
}

// newTransaction returns a transaction over a run of streams from a random one on.
func (l *Load) newTransaction(w *worker) (a event.Append, streams []int, versions []uint64) {
	first := w.random.IntN(l.workload.Streams)
	if !l.workload.Unguarded {
		a.Conditions = append(a.Conditions, event.Condition{Stream: l.stream(fmt.Sprintf("closed-%d", first)), Expect: event.ExpectNone})
	}
	for i := range l.workload.Span {
		i = (first + i) % l.workload.Streams
		stream, version := l.numbered(i), l.versions[i].Load()
		streams, versions = append(streams, i), append(versions, version)
		a.Events = append(a.Events, l.event(w, stream))
		if l.workload.Expect {
			a.Conditions = append(a.Conditions, event.Condition{Stream: stream, Expect: event.Expect(version)})
		}
	}
	return a, streams, versions
}

// errNothing is of a read that did not find what Prepare wrote.
var errNothing = errors.New("load: a stream that was written is read as empty")

func (l *Load) read(ctx context.Context, target Target, w *worker) error {
	args := event.ReadArgs{Stream: l.numbered(w.random.IntN(l.workload.Streams)), Limit: 10, Consistency: l.workload.Consistency}
	if args.Consistency == event.AtLeast {
		args.MinPosition = l.last
	}
	page, err := target.Read(ctx, args)
	if err == nil && len(page.Events) == 0 && l.workload.Consistency != event.Local && l.workload.Consistency != event.Frontier {
		return errNothing
	}
	return err
}
