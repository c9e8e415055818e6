package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"natsaccord/client/load"
)

// contestant is a system under measurement.
type contestant struct {
	candidate
	system  system
	streams *load.Streams
	hot     []string
	heard   heard
	text    text
	rounds  []round
}

// round is what one round measured.
type round struct {
	load.Result
	cpu  time.Duration // of this process: system, client and servers in it
	busy float64       // share of the machine that was not idle, of this program and all others
}

// hotStreams is how many streams all requests share with -hot.
const hotStreams = 10

func newContestant(c candidate, started system, s settings) *contestant {
	made := &contestant{candidate: c, system: started, text: newText(s.bytes, anyRandom()), streams: load.NewStreams(s.streams, 1), heard: heard{versions: make(map[string]uint64)}}
	for i := range hotStreams {
		made.hot = append(made.hot, fmt.Sprintf("hot-%d", i))
	}
	return made
}

// measure runs one round.
func (c *contestant) measure(ctx context.Context, s settings, keep bool) error {
	time.Sleep(s.pause)
	do := func(ctx context.Context, call load.Call) error { return c.append(ctx, call, s.bytes) }
	if s.hot {
		do = func(ctx context.Context, call load.Call) error { return c.appendHot(ctx, call, s.bytes) }
	}
	before, err := now()
	if err != nil {
		return err
	}
	result, err := load.Run(ctx, load.Config{Concurrency: s.concurrency, Duration: s.round, Kind: kind}, do)
	if err != nil {
		return err
	}
	after, err := now()
	if err != nil {
		return err
	}
	if keep {
		c.rounds = append(c.rounds, round{result, after.cpu - before.cpu, after.busySince(before)})
	} else if result.Done == 0 {
		return fmt.Errorf("nothing succeeds: %v", result.Failed)
	}
	return ctx.Err()
}

func kind(err error) string {
	if _, ok := errors.AsType[*conflictError](err); ok {
		return "conflict"
	}
	if known := load.KindOf(err); known != "other" {
		return known
	}
	return err.Error()
}

// append appends to a stream that no other request has.
func (c *contestant) append(ctx context.Context, call load.Call, size int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s := c.streams.Take()
	if err := c.system.append(ctx, call.Worker, s.Name, s.Version, c.text.data(size, anyRandom())); err != nil {
		c.streams.Replace(s)
		return err
	}
	c.streams.Return(s)
	return nil
}

// appendHot appends to a stream that all requests share, and tries until it is in time. It begins with the last version that this
// program has heard of, in an acknowledgement or a refusal, and reads it only where that does not tell: for all systems alike.
func (c *contestant) appendHot(ctx context.Context, call load.Call, size int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	stream := c.hot[rand.IntN(len(c.hot))]
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		version := c.heard.at(stream)
		err := c.system.append(ctx, call.Worker, stream, version, c.text.data(size, anyRandom()))
		conflict, lost := errors.AsType[*conflictError](err)
		switch {
		case err == nil:
			c.heard.learn(stream, version+1)
			return nil
		case !lost:
			return err
		case !conflict.told:
			if conflict.have, err = c.system.version(ctx, call.Worker, stream); err != nil {
				return err
			}
		}
		c.heard.learn(stream, conflict.have)
	}
}

// heard are the last versions of streams that a program has heard of.
type heard struct {
	mu       sync.Mutex
	versions map[string]uint64
}

func (h *heard) at(stream string) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.versions[stream]
}

func (h *heard) learn(stream string, version uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.versions[stream] = max(h.versions[stream], version)
}
