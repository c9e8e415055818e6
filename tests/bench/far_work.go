package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"natsaccord/client/load"
)

// farWork is what the clients of a region do.
type farWork struct {
	system    farSystem
	region    int
	conflicts int // percent
}

const (
	farStreams = 1000 // of each client, apart from the one that all share
	farBytes   = 256
	farTimeout = 5 * time.Second // of an append, as JetStream's clients have it by default
)

// append appends to a stream of the client's own, or to the one that all regions share.
func (w *farWork) append(ctx context.Context, call load.Call) error {
	ctx, cancel := context.WithTimeout(ctx, farTimeout)
	defer cancel()
	stream := fmt.Sprintf("r%d.w%d.s%d", w.region, call.Worker, rand.IntN(farStreams))
	if rand.IntN(100) < w.conflicts {
		stream = "shared"
	}
	return w.system.put(ctx, w.region, stream, farData())
}

// farData is a JSON text of farBytes bytes.
func farData() []byte {
	const digits = farBytes - len(`{"fill":""}`)
	return fmt.Appendf(nil, `{"fill":"%0*x"}`, digits, rand.Uint64())
}
