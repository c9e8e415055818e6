package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/nats-io/nats.go/micro"

	"natsaccord/event"
)

// handler serves a request and returns its reply, to be encoded as JSON, or nil if it has replied.
type handler func(ctx context.Context, r request) (any, error)

// action is what a subject asks for.
type action struct {
	serve  handler
	room   room
	writes bool // an error has to say whether it was written
}

// room holds a token for each request being served, so that requests of one kind do not take the place of
// those of another: a read may wait for long.
type room chan struct{}

// actions are named as in the subject behind <prefix>.v1. One whose name ends in a dot takes what follows.
type actions map[string]action

// find returns the action that a subject asks for, and what follows its name.
func (a actions) find(subject string) (found action, rest string, ok bool) {
	if found, ok = a[subject]; ok {
		return found, "", true
	}
	verb, rest, _ := strings.Cut(subject, ".")
	found, ok = a[verb+"."]
	return found, rest, ok
}

// routes fills in what any node answers, and what is asked of this node alone.
func (s *Service) routes() {
	writing, reading, asking := make(room, s.cfg.MaxBusy), make(room, s.cfg.MaxBusy), make(room, s.cfg.MaxBusy)
	s.shared = actions{
		"append":           {s.transaction, writing, true},
		"append.":          {s.append, writing, true},
		"appends":          {s.appends, writing, true},
		"read":             {s.read, reading, false},
		"read.":            {s.read, reading, false},
		"head":             {s.timed(s.head), reading, false},
		"head.":            {s.timed(s.head), reading, false},
		"txn.":             {s.timed(s.txn), reading, false},
		"subscriber.get":   {s.timed(s.subscriberGet), reading, false},
		"subscriber.list":  {s.timed(s.subscriberList), reading, false},
		"subscriber.claim": {s.timed(s.subscriberClaim), writing, true},
		"subscriber.ack":   {s.timed(s.subscriberAck), writing, true},
		"subscriber.reset": {s.timed(s.subscriberReset), writing, true},
		"count":            {s.timed(s.count), reading, false},
		"snapshot.get":     {s.timed(s.snapshotGet), reading, false},
		"snapshot.put":     {s.timed(s.snapshotPut), writing, true},
		"snapshot.drop":    {s.timed(s.snapshotDrop), writing, true},
		"cluster.info":     {s.timed(s.clusterInfo), asking, false},
	}
	s.own = maps.Clone(s.shared)
	s.own["info"] = action{s.timed(s.nodeInfo), asking, false}
	s.own["health"] = action{s.timed(s.nodeInfo), asking, false}
	s.own["drain"] = action{s.drain, asking, false}
	s.own["digest"] = action{s.timed(s.digest), asking, false}
	s.unknown = action{func(context.Context, request) (any, error) { return nil, ErrVerb }, asking, true}
}

// addShared subscribes to what the nodes share. The patterns do not overlap, or a request would be delivered twice. No pattern
// matches what is asked of another node: if that is down, its client has to find nobody, and know at once.
func (s *Service) addShared() error {
	client := s.cfg.Subjects.client
	for name, subject := range map[string]string{
		"one-token":  client("*"),      // append, appends, read, head, count, and what is unknown
		"two-tokens": client("*", "*"), // read.<category>, subscriber.get, txn.<id>…
		"append":     client(verbAppend, "*", ">"),
		"read":       client(verbRead, "*", ">"),
		"head":       client(verbHead, "*", ">"),
		"txn":        client(verbTxn, "*", ">"),
		"subscriber": client(verbSubscriber, "*", ">"),
		"snapshot":   client(verbSnapshot, "*", ">"),
		"cluster":    client(verbCluster, "*", ">"),
	} {
		if err := s.add(name, subject, client(), s.shared, micro.WithEndpointQueueGroup(queueGroup)); err != nil {
			return err
		}
	}
	return nil
}

// add serves a subject with actions that are named as what follows root.
func (s *Service) add(name, subject, root string, a actions, queue micro.EndpointOpt) error {
	handle := func(msg micro.Request) {
		found, rest, ok := a.find(strings.TrimPrefix(msg.Subject(), root))
		if !ok {
			found = s.unknown
		}
		s.accept(found, request{rest: rest, msg: msg, body: msg.Data()})
	}
	if err := s.micro.AddEndpoint(name, micro.HandlerFunc(handle), micro.WithEndpointSubject(subject), queue); err != nil {
		return fmt.Errorf("bus: serve %s: %w", subject, err)
	}
	return nil
}

// timed gives a handler the time of a request that cannot name its own.
func (s *Service) timed(h handler) handler {
	return func(ctx context.Context, r request) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
		defer cancel()
		return h(ctx, r)
	}
}

// undecided says what an error that is not in the catalogue, or the end of patience, means for a write: it may
// happen all the same.
func undecided(requestID string, err error) error {
	errCode, _ := classify(err)
	switch {
	case err == nil, errCode != 0:
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &event.UnknownError{RequestID: requestID, Err: err}
	case plain(err) != 0:
		return err
	}
	return &internalError{requestID, err}
}
