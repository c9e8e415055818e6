package bus

import (
	"context"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// subscriberOf decodes a request about a subscriber.
func (s *Service) subscriberOf(r request) (wire SubscriberRequest, err error) {
	if err := s.decode(r, &wire); err != nil {
		return wire, err
	}
	return wire, checkText("key", wire.Key)
}

// workerOf decodes a request of a worker, who has to say who it is.
func (s *Service) workerOf(r request) (wire SubscriberRequest, worker ulid.ULID, err error) {
	if wire, err = s.subscriberOf(r); err != nil {
		return wire, worker, err
	}
	worker, err = parseWorker("worker", wire.Worker)
	return wire, worker, err
}

func (s *Service) subscriberGet(ctx context.Context, r request) (any, error) {
	wire, err := s.subscriberOf(r)
	if err != nil {
		return nil, err
	}
	var worker ulid.ULID
	if wire.Worker != "" {
		if worker, err = parseWorker("worker", wire.Worker); err != nil {
			return nil, err
		}
	}
	subscriber, err := s.backend.Subscriber(ctx, wire.Key)
	if err != nil {
		return nil, err
	}
	reply := NewSubscriberReply(subscriber)
	reply.Running = subscriber.IsRunning(worker)
	return reply, nil
}

func (s *Service) subscriberList(ctx context.Context, r request) (any, error) {
	var wire SubscriberListRequest
	if err := s.decode(r, &wire); err != nil {
		return nil, err
	}
	if wire.After != "" {
		if err := checkText("after", wire.After); err != nil {
			return nil, err
		}
	}
	if wire.Limit < 0 {
		return nil, &event.InvalidError{Field: "limit", Reason: "is negative"}
	}
	subscribers, err := s.backend.Subscribers(ctx, wire.After, wire.Limit)
	if err != nil {
		return nil, err
	}
	return NewSubscriberListReply(subscribers), nil
}

// subscriberClaim makes a worker the current one: whoever was it before, or only if that was a certain one.
func (s *Service) subscriberClaim(ctx context.Context, r request) (any, error) {
	wire, worker, err := s.workerOf(r)
	if err != nil {
		return nil, err
	}
	if wire.Previous == "" {
		err = s.backend.UpsertSubscriber(ctx, wire.Key, worker)
	} else {
		var previous ulid.ULID
		if previous, err = parseWorker("previous", wire.Previous); err != nil {
			return nil, err
		}
		err = s.backend.TakeOver(ctx, wire.Key, worker, previous)
	}
	return SubscriberReply{Type: TypeSubscriberReply, Key: wire.Key, Running: worker != ulid.ULID{}}, undecided("", err)
}

func (s *Service) subscriberAck(ctx context.Context, r request) (any, error) {
	wire, worker, err := s.workerOf(r)
	if err != nil {
		return nil, err
	}
	err = s.backend.Acknowledge(ctx, wire.Key, worker, event.Position(wire.Position), wire.Lag)
	return SubscriberReply{Type: TypeSubscriberReply, Key: wire.Key, Running: true}, undecided("", err)
}

func (s *Service) subscriberReset(ctx context.Context, r request) (any, error) {
	wire, err := s.subscriberOf(r)
	if err != nil {
		return nil, err
	}
	err = s.backend.ResetSubscriber(ctx, wire.Key, event.Position(wire.Position))
	return SubscriberReply{Type: TypeSubscriberReply, Key: wire.Key}, undecided("", err)
}

// count counts what could be read; stream or category stand in the body.
func (s *Service) count(ctx context.Context, r request) (any, error) {
	args, err := s.readArgs(r)
	if err != nil {
		return nil, err
	}
	n, err := s.backend.Count(ctx, args)
	if err != nil {
		return nil, err
	}
	return CountReply{Type: TypeCountReply, Count: n}, nil
}
