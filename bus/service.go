package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"natsaccord/event"
)

// queueGroup is what the nodes share requests in that any of them can serve.
const queueGroup = "q"

// retryAfter is what a client is told for whom there is no room.
const retryAfter = 50 * time.Millisecond

// Backend serves what clients ask for. Its errors are those of package event.
type Backend interface {
	event.Executor
	event.Subscriptions
	Append(ctx context.Context, a event.Append) (event.Receipt, error)
	Head(ctx context.Context, stream event.Stream) (event.Head, error)
	Outcome(ctx context.Context, id string) (event.Outcome, error)
	Status(ctx context.Context) (event.NodeStatus, error)
	Drain(ctx context.Context) error
}

// DigestReader is a Backend that knows what its log hashes to.
type DigestReader interface {
	Digest(ctx context.Context, q event.DigestQuery) (event.Digest, error)
}

// ServiceConfig describes a Service. Subjects and Node are required; elsewhere zero means the default.
type ServiceConfig struct {
	Subjects Subjects
	Node     string
	Version  string        // of the program, as semver; default 0.0.0
	MaxBusy  int           // writes, and as many reads, served at a time, beyond which they are refused; default 4,096
	MaxBody  int           // bytes of a request; default 1 MiB
	Timeout  time.Duration // of a request that names none; default 10 s
	MaxWait  time.Duration // the longest a request may ask for, as a timeout or to wait for events; default 1 min
	Apart    bool          // until Join, answer only what this node is asked by its name, and cluster.info
	Logger   *slog.Logger  // default none
}

func (c ServiceConfig) withDefaults() ServiceConfig {
	if c.Version == "" {
		c.Version = "0.0.0"
	}
	if c.MaxBusy == 0 {
		c.MaxBusy = 4096
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.MaxWait == 0 {
		c.MaxWait = max(time.Minute, c.Timeout)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c ServiceConfig) validate() error {
	if err := c.Subjects.Validate(); err != nil {
		return err
	}
	switch {
	case c.MaxBusy < 1:
		return fmt.Errorf("bus: ServiceConfig.MaxBusy is %d, want at least 1", c.MaxBusy)
	case c.MaxBody < 1:
		return fmt.Errorf("bus: ServiceConfig.MaxBody is %d, want at least 1", c.MaxBody)
	case c.Timeout < 0:
		return fmt.Errorf("bus: ServiceConfig.Timeout is %s, want more than 0", c.Timeout)
	case c.MaxWait < c.Timeout:
		return fmt.Errorf("bus: ServiceConfig.MaxWait is %s, want at least the Timeout of %s", c.MaxWait, c.Timeout)
	}
	return ValidateName("node", c.Node)
}

// Service answers clients for one node.
type Service struct {
	cfg     ServiceConfig
	nc      *nats.Conn
	backend Backend
	micro   micro.Service

	shared, own actions // what any node answers, and what this node is asked for
	unknown     action
	workers     *workers
	shapes      map[reflect.Type]*shape // of requests

	ctx    context.Context // of requests; ended by Stop
	cancel context.CancelFunc

	mu      sync.Mutex // protects what follows, and running from growing once stopped is true
	running sync.WaitGroup
	joined  bool
	stopped bool
}

// request is one request from a client.
type request struct {
	rest  string // of the subject, behind the action's name
	msg   micro.Request
	body  []byte   // of the message, or one of the appends in it
	index int      // of that append
	among *replies // where its reply goes; nil: the message holds one request
}

// NewService starts answering. A request has a goroutine to itself while it is served.
func NewService(nc *nats.Conn, cfg ServiceConfig, backend Backend) (*Service, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, nc: nc, backend: backend, shapes: shapes()}
	s.routes()
	s.workers = newWorkers(s.serve)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var err error
	s.micro, err = micro.AddService(nc, micro.Config{
		Name: "accord", Version: cfg.Version, Description: "leaderless event store", QueueGroup: queueGroup,
		Metadata: map[string]string{"node": cfg.Node, "cluster": cfg.Subjects.Cluster},
	})
	if err != nil {
		s.cancel()
		s.workers.stop()
		return nil, fmt.Errorf("bus: start the service: %w", err)
	}
	node := cfg.Subjects.Node(cfg.Node, "")
	err = s.add("node", node+">", node, s.own, micro.WithEndpointQueueGroupDisabled())
	switch {
	case err != nil:
	case cfg.Apart:
		// Who asks how the cluster is does not wait. That Join covers this subject once more matters not: the queue group is the same.
		err = s.add("cluster-info", cfg.Subjects.ClusterInfo(), cfg.Subjects.client(), s.shared, micro.WithEndpointQueueGroup(queueGroup))
	default:
		err = s.Join()
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Join has the Service take its share of what any node can answer. It does nothing if it does so already, and returns
// event.ErrDraining after Stop.
func (s *Service) Join() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return event.ErrDraining
	case s.joined:
		return nil
	}
	if err := s.addShared(); err != nil {
		return err
	}
	s.joined = true
	return nil
}

// shapes are those of all requests.
func shapes() map[reflect.Type]*shape {
	m := make(map[reflect.Type]*shape)
	for _, request := range []any{
		AppendRequest{}, TransactionRequest{}, AppendsRequest{}, ReadRequest{}, HeadRequest{}, noFields{}, SubscriberRequest{}, SubscriberListRequest{}, SnapshotMessage{}, DigestRequest{},
	} {
		m[reflect.TypeOf(request)] = shapeOf(reflect.TypeOf(request))
	}
	return m
}

// decode decodes a request's body.
func (s *Service) decode(r request, into any) error {
	return decodeRequest(r.body, into, s.shapes[reflect.TypeOf(into).Elem()])
}

// accept serves a request if there is room, and refuses it at once if there is not.
func (s *Service) accept(a action, r request) {
	if size := len(r.body); size > s.cfg.MaxBody {
		s.refuse(r, a, &event.TooLargeError{What: "the request in bytes", Size: size, Limit: s.cfg.MaxBody})
		return
	}
	if err := s.enter(a.room); err != nil {
		s.refuse(r, a, err)
		return
	}
	s.workers.do(task{a, r})
}

// serve serves a request that has been accepted.
func (s *Service) serve(t task) {
	defer s.leave(t.action.room)
	s.answer(t)
}

// answer serves a request and replies, unless its handler has done that.
func (s *Service) answer(t task) {
	switch reply, err := t.action.serve(s.ctx, t.request); {
	case err != nil:
		s.refuse(t.request, t.action, err)
	case reply != nil:
		s.reply(t.request, t.action, reply)
	}
}

func (s *Service) enter(room room) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return event.ErrDraining
	}
	select {
	case room <- struct{}{}:
		s.running.Add(1)
		return nil
	default:
		return &event.OverloadedError{RetryAfter: retryAfter}
	}
}

func (s *Service) leave(room room) {
	<-room
	s.running.Done()
}

// GiveUp has requests that are being served end now: what they have proposed goes on, and their callers are told that they may ask.
func (s *Service) GiveUp() { s.cancel() }

// Stop refuses further requests, waits for those being served, and ends the service. It may be called more
// than once.
func (s *Service) Stop() error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.running.Wait()
	s.workers.stop()
	s.cancel()
	if err := s.micro.Stop(); err != nil {
		return fmt.Errorf("bus: stop the service: %w", err)
	}
	return nil
}
