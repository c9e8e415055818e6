package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"natsaccord/event"
)

// Queue groups: the nodes share the requests that any of them can serve. Those that mean nothing are answered
// from a group of their own: subscriptions of one group that overlap would take each other's requests.
const (
	queueShared  = "q"
	queueUnknown = "q-unknown"
)

// Backend serves what clients ask for. Its errors are those of package event.
type Backend interface {
	event.Executor
	Append(ctx context.Context, a event.Append) (event.Receipt, error)
	Head(ctx context.Context, stream event.Stream) (event.Head, error)
	Outcome(ctx context.Context, id string) (event.Outcome, error)
	Status(ctx context.Context) (event.NodeStatus, error)
	Drain(ctx context.Context) error
}

// ServiceConfig describes a Service. Subjects and Node are required; elsewhere zero means the default.
type ServiceConfig struct {
	Subjects Subjects
	Node     string
	Version  string        // of the program, as semver; default 0.0.0
	MaxBusy  int           // requests served at a time, beyond which they are refused; default 4,096
	Timeout  time.Duration // of a request that names none; default 10 s
	Logger   *slog.Logger  // default none
}

func (c ServiceConfig) withDefaults() ServiceConfig {
	if c.Version == "" {
		c.Version = "0.0.0"
	}
	if c.MaxBusy == 0 {
		c.MaxBusy = 4096
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Service answers clients for one node.
type Service struct {
	cfg     ServiceConfig
	nc      *nats.Conn
	backend Backend
	micro   micro.Service

	ctx    context.Context // of requests; ended by Stop
	cancel context.CancelFunc
	busy   chan struct{} // holds a token for each request being served

	mu      sync.Mutex
	running sync.WaitGroup
	stopped bool
}

// request is one request from a client.
type request struct {
	rest string // of the subject, behind the verb
	msg  micro.Request
}

// handler serves a request and returns its reply, to be encoded as JSON.
type handler func(ctx context.Context, r request) (any, error)

// NewService starts answering.
func NewService(nc *nats.Conn, cfg ServiceConfig, backend Backend) (*Service, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Subjects.Validate(); err != nil {
		return nil, err
	}
	if err := ValidateName("node", cfg.Node); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, nc: nc, backend: backend, busy: make(chan struct{}, cfg.MaxBusy)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var err error
	s.micro, err = micro.AddService(nc, micro.Config{
		Name: "accord", Version: cfg.Version, Description: "leaderless event store", QueueGroup: queueShared,
		Metadata: map[string]string{"node": cfg.Node, "cluster": cfg.Subjects.Cluster},
	})
	if err != nil {
		return nil, fmt.Errorf("bus: start the service: %w", err)
	}
	if err := s.addEndpoints(); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// endpoint is one row of what the service answers.
type endpoint struct {
	name, subject string
	serve         handler
}

func (s *Service) addEndpoints() error {
	subjects := s.cfg.Subjects
	for _, e := range []endpoint{
		{"transaction", subjects.Transaction(), s.transaction},
		{"append", subjects.client(verbAppend, ">"), s.append},
		{"read-log", subjects.Read(), s.read},
		{"read", subjects.client(verbRead, ">"), s.read},
		{"head-of", subjects.client(verbHead), s.head},
		{"head", subjects.client(verbHead, ">"), s.head},
		{"txn", subjects.client(verbTxn, ">"), s.txn},
		{"subscriber", subjects.client(verbSubscriber, "*"), s.subscriber},
		{"snapshot", subjects.client(verbSnapshot, "*"), s.snapshot},
		{"cluster", subjects.ClusterInfo(), s.info},
	} {
		if err := s.add(e, micro.WithEndpointQueueGroup(queueShared)); err != nil {
			return err
		}
	}
	if err := s.add(endpoint{"node", subjects.Node(s.cfg.Node, ">"), s.node}, micro.WithEndpointQueueGroupDisabled()); err != nil {
		return err
	}
	// No deeper: what is asked of a node that is down must find nobody, so that its client knows at once.
	for _, e := range []endpoint{{"unknown", subjects.client("*"), s.unknown}, {"unknown-of", subjects.client("*", "*"), s.unknown}} {
		if err := s.add(e, micro.WithEndpointQueueGroup(queueUnknown)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) add(e endpoint, queue micro.EndpointOpt) error {
	handle := func(msg micro.Request) { s.accept(e, msg) }
	if err := s.micro.AddEndpoint(e.name, micro.HandlerFunc(handle), micro.WithEndpointSubject(e.subject), queue); err != nil {
		return fmt.Errorf("bus: serve %s: %w", e.subject, err)
	}
	return nil
}

// accept serves a request on a goroutine of its own, if there is room.
func (s *Service) accept(e endpoint, msg micro.Request) {
	_, rest, _ := s.cfg.Subjects.ParseClient(msg.Subject())
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		s.refuse(msg, event.ErrDraining)
		return
	}
	select {
	case s.busy <- struct{}{}:
		s.running.Add(1)
		s.mu.Unlock()
	default:
		s.mu.Unlock()
		s.refuse(msg, &event.OverloadedError{RetryAfter: 50 * time.Millisecond})
		return
	}
	go func() {
		defer s.running.Done()
		defer func() { <-s.busy }()
		reply, err := e.serve(s.ctx, request{rest, msg})
		switch {
		case err != nil:
			s.refuse(msg, err)
		case reply != nil:
			s.reply(msg, reply, nil)
		}
	}()
}

// reply publishes a reply. Without a reply subject nobody waits for it.
func (s *Service) reply(msg micro.Request, body any, header nats.Header) {
	if msg.Reply() == "" {
		return
	}
	encoded, err := Encode(body)
	if err != nil {
		s.cfg.Logger.Error("encode a reply", "subject", msg.Subject(), "error", err)
		return
	}
	if limit := s.nc.MaxPayload(); limit > 0 && int64(len(encoded)) > limit-headroom {
		if header != nil { // an error, of which there is no smaller one
			s.cfg.Logger.Error("reply is larger than max_payload", "subject", msg.Subject(), "bytes", len(encoded))
			return
		}
		s.refuse(msg, &event.TooLargeError{What: "the reply in bytes", Size: len(encoded), Limit: int(limit) - headroom})
		return
	}
	if err := s.nc.PublishMsg(&nats.Msg{Subject: msg.Reply(), Data: encoded, Header: header}); err != nil {
		s.cfg.Logger.Warn("publish a reply", "subject", msg.Subject(), "error", err)
	}
}

// refuse replies with an error.
func (s *Service) refuse(msg micro.Request, err error) {
	r := NewErrorReply(err)
	if r.Error.ErrCode == CodeInternal {
		s.cfg.Logger.Error("serve a request", "subject", msg.Subject(), "error", err)
	}
	s.reply(msg, r, nats.Header{
		micro.ErrorHeader:     []string{headerText(r.Error.Description)},
		micro.ErrorCodeHeader: []string{strconv.Itoa(r.Error.Code)},
	})
}

// headerText keeps a header on one line and short.
func headerText(s string) string {
	line := []rune(clip(s))
	for i, r := range line {
		if r < ' ' {
			line[i] = ' '
		}
	}
	return string(line)
}

// Stop refuses further requests, waits for those being served, and ends the service. It may be called more
// than once.
func (s *Service) Stop() error {
	s.mu.Lock()
	stopped := s.stopped
	s.stopped = true
	s.mu.Unlock()
	s.running.Wait()
	s.cancel()
	if stopped {
		return nil
	}
	if err := s.micro.Stop(); err != nil {
		return fmt.Errorf("bus: stop the service: %w", err)
	}
	return nil
}
