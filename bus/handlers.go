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
	if err := s.decode(r, &wire); err != nil {
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
	if err := s.decode(r, &wire); err != nil {
		return nil, err
	}
	a, err := wire.Append(stream)
	if err != nil {
		return nil, err
	}
	return s.commit(ctx, r, a)
}

// commit runs an append. The message id of NATS serves as a request id if the message holds one append; without one it is made
// here, so that every error can name it.
func (s *Service) commit(ctx context.Context, r request, a event.Append) (any, error) {
	if a.RequestID == "" && r.among == nil {
		a.RequestID = r.msg.Headers().Get(nats.MsgIdHdr)
	}
	if a.RequestID == "" {
		a.RequestID = ulid.Make().String()
	}
	if a.Timeout == 0 {
		a.Timeout = s.cfg.Timeout
	}
	a.Timeout = min(a.Timeout, s.cfg.MaxWait)
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	receipt, err := s.backend.Append(ctx, a)
	if err != nil {
		return nil, undecided(a.RequestID, err)
	}
	reply := NewAppendReply(receipt)
	reply.Node = s.cfg.Node
	return reply, nil
}

// read reads the stream, the category or the log, as the subject says.
func (s *Service) read(ctx context.Context, r request) (any, error) {
	args, err := s.readArgs(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout+args.Wait)
	defer cancel()
	page, err := s.backend.Read(ctx, args)
	if err != nil {
		return nil, err
	}
	reply := NewReadReply(page, args.Stream != "")
	reply.Node = s.cfg.Node
	return reply, nil
}

// readArgs returns what a request wants to read, in pages that about fit a reply.
func (s *Service) readArgs(r request) (args event.ReadArgs, err error) {
	var wire ReadRequest
	if err := s.decode(r, &wire); err != nil {
		return args, err
	}
	if args, err = wire.Args(); err != nil {
		return args, err
	}
	if err := selectFrom(&args, r.rest); err != nil {
		return args, err
	}
	limit := s.replyBytes() * 3 / 4
	if args.MaxBytes == 0 || args.MaxBytes > limit {
		args.MaxBytes = limit
	}
	args.Wait = min(args.Wait, s.cfg.MaxWait)
	return args, nil
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
	if args.Category != "" && event.StreamOf(args.Category, "x").Validate() != nil {
		return &event.InvalidError{Field: "category", Reason: "wants letters, digits, _, =, / and -, and none of _ and $ in front"}
	}
	return nil
}

func (s *Service) head(ctx context.Context, r request) (any, error) {
	var wire HeadRequest
	if err := s.decode(r, &wire); err != nil {
		return nil, err
	}
	stream := event.Stream(wire.Stream)
	if r.rest != "" {
		if stream != "" {
			return nil, &event.InvalidError{Field: "stream", Reason: "stands in the subject already"}
		}
		stream = event.Stream(r.rest)
	}
	if err := stream.Validate(); err != nil {
		return nil, err
	}
	head, err := s.backend.Head(ctx, stream)
	if err != nil {
		return nil, err
	}
	return HeadReply{Type: TypeHeadReply, Version: head.Version, Position: string(head.Position), Node: s.cfg.Node}, nil
}

// txn tells what became of a request: its receipt, or the error that refused it.
func (s *Service) txn(ctx context.Context, r request) (any, error) {
	var wire noFields
	if err := s.decode(r, &wire); err != nil {
		return nil, err
	}
	if err := checkText("request id or TxnID", r.rest); err != nil {
		return nil, err
	}
	outcome, err := s.backend.Outcome(ctx, r.rest)
	if err != nil {
		return nil, err
	}
	receipt, err := outcome.Result()
	if err != nil {
		return nil, &settledError{err}
	}
	reply := NewAppendReply(receipt)
	reply.Type = TypeTxnReply
	return reply, nil
}

// snapshotOf decodes a request about a snapshot.
func (s *Service) snapshotOf(r request) (wire SnapshotMessage, err error) {
	if err := s.decode(r, &wire); err != nil {
		return wire, err
	}
	if err := event.Stream(wire.Stream).Validate(); err != nil {
		return wire, err
	}
	return wire, checkText("name", wire.Name)
}

func (s *Service) snapshotGet(ctx context.Context, r request) (any, error) {
	wire, err := s.snapshotOf(r)
	if err != nil {
		return nil, err
	}
	snapshot, err := s.backend.Snapshot(ctx, event.Stream(wire.Stream), wire.Name)
	if err != nil {
		return nil, err
	}
	return SnapshotMessage{
		Type: TypeSnapshotReply, Stream: wire.Stream, Name: wire.Name, Version: snapshot.Version, DataBase64: append([]byte{}, snapshot.Data...),
	}, nil
}

func (s *Service) snapshotPut(ctx context.Context, r request) (any, error) {
	wire, err := s.snapshotOf(r)
	if err != nil {
		return nil, err
	}
	err = s.backend.PutSnapshot(ctx, event.Snapshot{Stream: event.Stream(wire.Stream), Name: wire.Name, Version: wire.Version, Data: wire.DataBase64})
	return SnapshotMessage{Type: TypeSnapshotReply, Stream: wire.Stream, Name: wire.Name, Version: wire.Version}, undecided("", err)
}

func (s *Service) snapshotDrop(ctx context.Context, r request) (any, error) {
	wire, err := s.snapshotOf(r)
	if err != nil {
		return nil, err
	}
	err = s.backend.DropSnapshot(ctx, event.Stream(wire.Stream), wire.Name)
	return SnapshotMessage{Type: TypeSnapshotReply, Stream: wire.Stream, Name: wire.Name}, undecided("", err)
}

// clusterInfo tells of the cluster as this node sees it.
func (s *Service) clusterInfo(ctx context.Context, r request) (any, error) {
	return s.status(ctx, r, TypeClusterReply)
}

func (s *Service) nodeInfo(ctx context.Context, r request) (any, error) {
	return s.status(ctx, r, TypeNodeReply)
}

func (s *Service) status(ctx context.Context, r request, kind string) (any, error) {
	var wire noFields
	if err := s.decode(r, &wire); err != nil {
		return nil, err
	}
	status, err := s.backend.Status(ctx)
	if err != nil {
		return nil, err
	}
	reply := NewNodeReply(status)
	reply.Type = kind
	return reply, nil
}

// drain has the node refuse new appends, and answers when none is under way any more.
func (s *Service) drain(ctx context.Context, r request) (any, error) {
	var wire noFields
	if err := s.decode(r, &wire); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.MaxWait)
	defer cancel()
	if err := s.backend.Drain(ctx); err != nil {
		return nil, err
	}
	return s.status(ctx, r, TypeNodeReply)
}

// digest tells what a part of this node's log hashes to, if the backend can.
func (s *Service) digest(ctx context.Context, r request) (any, error) {
	var wire DigestRequest
	if err := s.decode(r, &wire); err != nil {
		return nil, err
	}
	reader, ok := s.backend.(DigestReader)
	if !ok {
		return nil, ErrVerb
	}
	found, err := reader.Digest(ctx, event.DigestQuery(wire))
	if err != nil {
		return nil, err
	}
	return DigestReply{TypeDigestReply, DigestInfo{found.From, found.To, string(found.Position), found.Sum}}, nil
}
