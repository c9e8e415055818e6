package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"natsaccord/client/load"
	"natsaccord/event"
)

// scaleWork is what the clients do.
type scaleWork struct {
	scaleWorkload
	cluster *accordCluster
	text    text
}

func newScaleWork(a *accordCluster, w scaleWorkload) *scaleWork {
	return &scaleWork{scaleWorkload: w, cluster: a, text: newText(w.bytes, anyRandom())}
}

// append appends an event to each of some streams, whatever versions they have.
func (w *scaleWork) append(ctx context.Context, call load.Call) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var a event.Append
	for _, stream := range w.draw() {
		a.Events = append(a.Events, event.Event{Stream: stream, Type: "Filled", Data: w.text.data(w.bytes, anyRandom())})
	}
	_, err := w.cluster.clients[call.Worker%len(w.cluster.clients)].Append(ctx, a)
	return err
}

// draw draws different streams, as many as an append has if there are as many.
func (w *scaleWork) draw() (streams []event.Stream) {
	if rand.IntN(100) < w.conflicts {
		return []event.Stream{event.Stream(fmt.Sprintf("bench.hot-%d", rand.IntN(hotStreams)))}
	}
	taken := make(map[int]bool, w.span)
	for len(taken) < min(w.span, w.keys) {
		if i := rand.IntN(w.keys); !taken[i] {
			taken[i] = true
			streams = append(streams, historyStream(i*w.apart))
		}
	}
	return streams
}
