package bus

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// transaction appends to many streams.
func (s *Service) transaction(ctx context.Context, r request) (any, error) {
	var wire TransactionRequest
	if err := decodeStrict(r.msg.Data(), &wire); err != nil {
		return nil, err
	}
	a, err := wire.Append()
	if err != nil {
		return nil, err
	}
	return s.commit(ctx, r, a)
}

// append appends to the stream in the subject.
func (s *Service) append(ctx context.Context, r request) (any, error) {
	stream := event.Stream(r.rest)
	if err := stream.Validate(); err != nil {
		return nil, err
	}
	var wire AppendRequest
	if err := decodeStrict(r.msg.Data(), &wire); err != nil {
		return nil, err
	}
	a, err := wire.Append(stream)
	if err != nil {
		return nil, err
	}
	return s.commit(ctx, r, a)
}

// commit runs an append. The message id of NATS serves as a request id.
func (s *Service) commit(ctx context.Context, r request, a event.Append) (any, error) {
	if a.RequestID == "" {
		a.RequestID = r.msg.Headers().Get(nats.MsgIdHdr)
	}
	if a.Timeout < 0 {
		return nil, &event.InvalidError{Field: "timeout_ms", Reason: "is negative"}
	}
	receipt, err := s.backend.Append(ctx, a)
	if err != nil {
		return nil, err
	}
	return NewAppendReply(receipt), nil
}

// read reads the stream, the category or the log, as the subject says.
func (s *Service) read(ctx context.Context, r request) (any, error) {
	return s.readPage(ctx, r.rest, r.msg.Data())
}

func (s *Service) readPage(ctx context.Context, selected string, body []byte) (any, error) {
	var wire ReadRequest
	if err := decodeStrict(body, &wire); err != nil {
		return nil, err
	}
	args, err := wire.Args()
	if err != nil {
		return nil, err
	}
	if err := selectFrom(&args, selected); err != nil {
		return nil, err
	}
	limit := s.pageBytes()
	if args.MaxBytes == 0 || args.MaxBytes > limit {
		args.MaxBytes = limit
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout+args.Wait)
	defer cancel()
	page, err := s.backend.Read(ctx, args)
	if err != nil {
		return nil, err
	}
	return NewReadReply(page, args.Stream != ""), nil
}

// selectFrom adds what the subject names to what the body selects, and checks the names.
func selectFrom(args *event.ReadArgs, selected string) error {
	switch _, _, ofStream := strings.Cut(selected, "."); {
	case selected != "" && (args.Stream != "" || args.Category != ""):
		return &event.InvalidError{Field: "stream or category", Reason: "stands in the subject already"}
	case ofStream:
		args.Stream = event.Stream(selected)
	case selected != "":
		args.Category = selected
	}
	if args.Stream != "" {
		return args.Stream.Validate()
	}
	if args.Category != "" {
		return event.StreamOf(args.Category, "x").Validate()
	}
	return nil
}

// pageBytes is how much of a page surely fits a reply.
func (s *Service) pageBytes() int { return int(s.nc.MaxPayload()) * 3 / 4 }

func (s *Service) head(ctx context.Context, r request) (any, error) {
	var wire HeadRequest
	if err := decodeStrict(r.msg.Data(), &wire); err != nil {
		return nil, err
	}
	stream := event.Stream(r.rest)
	if stream == "" {
		stream = event.Stream(wire.Stream)
	}
	if err := stream.Validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	head, err := s.backend.Head(ctx, stream)
	if err != nil {
		return nil, err
	}
	return HeadReply{Type: TypeHeadReply, Version: head.Version, Position: string(head.Position)}, nil
}

// txn tells what became of a request.
func (s *Service) txn(ctx context.Context, r request) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	outcome, err := s.backend.Outcome(ctx, r.rest)
	if err != nil {
		return nil, err
	}
	receipt, err := outcome.Result()
	if err != nil {
		return nil, err
	}
	reply := NewAppendReply(receipt)
	reply.Type = TypeTxnReply
	return reply, nil
}

func (s *Service) subscriber(ctx context.Context, r request) (any, error) {
	var wire SubscriberRequest
	if err := decodeStrict(r.msg.Data(), &wire); err != nil {
		return nil, err
	}
	worker, err := parseWorker(wire.Worker)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	reply := SubscriberReply{Type: TypeSubscriberReply}
	switch r.rest {
	case "get":
		var cursor event.Position
		if cursor, err = s.backend.SubscriberCursor(ctx, wire.Key); err == nil {
			reply.Cursor = string(cursor)
			reply.Running, err = s.backend.IsSubscriberRunning(ctx, wire.Key, worker)
		}
	case "claim":
		err = s.backend.UpsertSubscriber(ctx, wire.Key, worker)
	case "ack":
		err = s.backend.Acknowledge(ctx, wire.Key, worker, event.Position(wire.Position), wire.Lag)
	default:
		err = ErrVerb
	}
	return reply, err
}

func parseWorker(text string) (worker ulid.ULID, err error) {
	if text == "" {
		return worker, nil
	}
	if worker, err = ulid.ParseStrict(text); err != nil {
		return worker, &event.InvalidError{Field: "worker", Reason: "is not a ULID"}
	}
	return worker, nil
}

func (s *Service) snapshot(ctx context.Context, r request) (any, error) {
	var wire SnapshotMessage
	if err := decodeStrict(r.msg.Data(), &wire); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	stream := event.Stream(wire.Stream)
	reply := SnapshotMessage{Type: TypeSnapshotReply, Stream: wire.Stream, Name: wire.Name}
	var err error
	switch r.rest {
	case "get":
		var snapshot event.Snapshot
		snapshot, err = s.backend.Snapshot(ctx, stream, wire.Name)
		reply.Version, reply.DataBase64 = snapshot.Version, snapshot.Data
	case "put":
		reply.Version = wire.Version
		err = s.backend.PutSnapshot(ctx, event.Snapshot{Stream: stream, Name: wire.Name, Version: wire.Version, Data: wire.DataBase64})
	case "drop":
		err = s.backend.DropSnapshot(ctx, stream, wire.Name)
	default:
		err = ErrVerb
	}
	return reply, err
}

// info tells of the cluster as this node sees it.
func (s *Service) info(ctx context.Context, _ request) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	status, err := s.backend.Status(ctx)
	if err != nil {
		return nil, err
	}
	reply := NewNodeReply(status)
	reply.Type = TypeClusterReply
	return reply, nil
}

// node serves what is asked of this node and no other: info, health, drain, and reads, appends and heads for
// whoever compares nodes.
func (s *Service) node(ctx context.Context, r request) (any, error) {
	_, op, _ := strings.Cut(r.rest, ".")
	verb, selected, _ := strings.Cut(op, ".")
	switch verb {
	case "info", "health":
		reply, err := s.info(ctx, r)
		if status, ok := reply.(NodeReply); ok {
			status.Type = TypeNodeReply
			return status, err
		}
		return nil, err
	case "drain":
		return s.drain(ctx, r)
	case verbRead:
		return s.readPage(ctx, selected, r.msg.Data())
	case verbHead:
		return s.head(ctx, request{selected, r.msg})
	case verbAppend:
		if selected == "" {
			return s.transaction(ctx, r)
		}
		return s.append(ctx, request{selected, r.msg})
	}
	return nil, ErrVerb
}

// drain has the node refuse new appends, and answers when none is under way any more.
func (s *Service) drain(ctx context.Context, r request) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*s.cfg.Timeout)
	defer cancel()
	if err := s.backend.Drain(ctx); err != nil {
		return nil, err
	}
	return s.info(ctx, r)
}

// unknown answers requests that no endpoint serves. It sees all of one or two tokens.
func (s *Service) unknown(_ context.Context, r request) (any, error) {
	verb, rest, _ := s.cfg.Subjects.ParseClient(r.msg.Subject())
	switch verb {
	case verbEvent:
		return nil, nil // published, not asked
	case verbAppend, verbRead, verbHead:
		return nil, nil
	case verbTxn:
		if rest != "" {
			return nil, nil
		}
	case verbSubscriber, verbSnapshot:
		if rest != "" && !strings.Contains(rest, ".") {
			return nil, nil
		}
	case verbCluster:
		if rest == "info" {
			return nil, nil
		}
	}
	return nil, ErrVerb
}
