package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"natsaccord/embeddednats"
)

// jetStream is a stream with three replicas on three routed servers in this process, with a client over TCP to
// each. A stream of ours is a subject of it, and the condition is the sequence of the subject's last message.
type jetStream struct {
	ended   closers
	clients []jetstream.JetStream
	last    sync.Map // subject → lastMessage
}

// lastMessage is the last message on a subject.
type lastMessage struct {
	sequence uint64 // in the stream
	version  uint64 // on the subject
}

func startJetStream(ctx context.Context, dir string, syncAlways bool) (_ system, err error) {
	j := &jetStream{}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.close())
		}
	}()
	routes, err := freeURLs("nats", clusterSize)
	if err != nil {
		return nil, err
	}
	started := 0
	servers, err := embeddednats.StartCluster(ctx, clusterSize, embeddednats.Config{
		Name: "jetstream", JetStream: true, StoreDir: dir, Options: func(o *server.Options) {
			o.SyncAlways = syncAlways
			// Every server has to know of the others when it starts, the first one too.
			o.Routes, o.Cluster.Port = nil, port(routes[started])
			for i := range routes {
				o.Routes = append(o.Routes, &routes[i])
			}
			started++
		},
	})
	if err != nil {
		return nil, err
	}
	j.ended.add(func() error { servers.Shutdown(); return nil })
	return j, j.use(ctx, servers)
}

// use connects a client to each of the servers, and makes the stream with a replica on each.
func (j *jetStream) use(ctx context.Context, servers embeddednats.Cluster) error {
	for _, url := range servers.URLs() {
		nc, err := nats.Connect(url)
		if err != nil {
			return err
		}
		j.ended.add(func() error { nc.Close(); return nil })
		js, err := jetstream.New(nc)
		if err != nil {
			return err
		}
		j.clients = append(j.clients, js)
	}
	return j.create(ctx)
}

func port(u url.URL) int {
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		panic("bench: a URL of ours has no port: " + u.String())
	}
	return n
}

// noPeers is JetStream's error code for servers that do not know of enough others yet; the library has no name for it.
const noPeers = 10005

// create makes the stream. The servers need a moment to know each other and to elect who may, and do not answer before.
func (j *jetStream) create(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := j.tryCreate(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if apiErr, ok := errors.AsType[*jetstream.APIError](err); ok && apiErr.Code != 503 && apiErr.Code != 500 && apiErr.ErrorCode != noPeers {
			return err
		}
	}
}

func (j *jetStream) tryCreate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := j.clients[0].CreateStream(ctx, jetstream.StreamConfig{
		Name: "bench", Subjects: []string{"bench.>"}, Replicas: len(j.clients), Storage: jetstream.FileStorage,
	})
	if err != nil {
		return fmt.Errorf("create the stream: %w", err)
	}
	return nil
}

func (j *jetStream) append(ctx context.Context, worker int, stream string, version uint64, data []byte) error {
	subject := "bench." + stream
	last := lastMessage{}
	if found, ok := j.last.Load(subject); ok {
		last = found.(lastMessage)
	}
	if last.version != version {
		return &conflictError{last.version, true}
	}
	msg := &nats.Msg{Subject: subject, Data: data}
	ack, err := j.clients[worker%len(j.clients)].PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(last.sequence), jetstream.WithRetryAttempts(0))
	if isWrongSequence(err) {
		return j.conflict(subject, last, err)
	}
	if err == nil {
		j.learn(subject, lastMessage{ack.Sequence, version + 1})
	}
	return err
}

// learn takes note of the last message on a subject, unless a later one is known. Later messages have higher versions.
func (j *jetStream) learn(subject string, last lastMessage) lastMessage {
	for {
		found, known := j.last.LoadOrStore(subject, last)
		if !known || found.(lastMessage).sequence >= last.sequence {
			return found.(lastMessage)
		}
		last.version = max(last.version, found.(lastMessage).version+1)
		if j.last.CompareAndSwap(subject, found, last) {
			return last
		}
	}
}

// conflict makes of a refusal what it tells: in most the server names the sequence of the last message. Which version that
// makes nobody but this program counts, so that it may be any that is new.
func (j *jetStream) conflict(subject string, last lastMessage, refused error) error {
	_, sequence, found := strings.Cut(refused.Error(), "wrong last sequence: ")
	n, err := strconv.ParseUint(sequence, 10, 64)
	if !found || err != nil {
		return &conflictError{}
	}
	return &conflictError{j.learn(subject, lastMessage{n, last.version + 1}).version, true}
}

// wrongLastSequenceConstant is the server's second code for a wrong last sequence (JSStreamWrongLastSequenceConstantErr
// in its errors.json): the leader's answer while an earlier message on the subject is still being replicated. The
// client library has no name for it.
const wrongLastSequenceConstant jetstream.ErrorCode = 10164

// isWrongSequence reports whether a publish was turned down because another came before it.
func isWrongSequence(err error) bool {
	apiErr, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (apiErr.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || apiErr.ErrorCode == wrongLastSequenceConstant)
}

// version returns the version that this program's appends have come to. The sequence that goes with it was in the
// acknowledgement of the last.
func (j *jetStream) version(_ context.Context, _ int, stream string) (uint64, error) {
	found, ok := j.last.Load("bench." + stream)
	if !ok {
		return 0, nil
	}
	return found.(lastMessage).version, nil
}

func (j *jetStream) close() error { return j.ended.close() }
