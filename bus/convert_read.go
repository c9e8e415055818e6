package bus

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// Args turns a request into what to read, but for the stream or category.
func (r *ReadRequest) Args() (event.ReadArgs, error) {
	args := event.ReadArgs{
		Stream: event.Stream(r.Stream), Category: r.Category,
		After: event.Position(r.After), Before: event.Position(r.Before), FromVersion: r.FromVersion, Limit: r.Limit, MaxBytes: r.MaxBytes,
		Types: r.Types, RoutingKey: r.RoutingKey, Tags: r.Tags, Consistency: event.Consistency(r.Consistency),
		MinPosition: event.Position(r.MinPosition), Wait: millis(r.WaitMS),
	}
	switch r.Direction {
	case "", "forward":
	case "backward":
		args.Backward = true
	default:
		return args, &event.InvalidError{Field: "direction", Reason: fmt.Sprintf("is %q, want forward or backward", clip(r.Direction))}
	}
	return args, r.check()
}

// maxTypes and maxTags bound how many types and tags one read selects.
const (
	maxTypes = 100
	maxTags  = 16
)

// maxVersion is the highest version there can be.
const maxVersion = 1 << 62

// check looks at what the store takes as it is.
func (r *ReadRequest) check() error {
	for _, p := range []struct{ field, position string }{{"after", r.After}, {"before", r.Before}, {"min_position", r.MinPosition}} {
		if _, err := event.ParsePosition(p.position); err != nil {
			return &event.InvalidError{Field: p.field, Reason: "is not a position"}
		}
	}
	for _, n := range []struct {
		field string
		value int64
	}{{"limit", int64(r.Limit)}, {"max_bytes", int64(r.MaxBytes)}, {"wait_ms", r.WaitMS}} {
		if n.value < 0 {
			return &event.InvalidError{Field: n.field, Reason: "is negative"}
		}
	}
	switch {
	case r.FromVersion > maxVersion:
		return &event.InvalidError{Field: "from_version", Reason: "is out of range"}
	case len(r.Types) > maxTypes:
		return &event.TooLargeError{What: "number of types", Size: len(r.Types), Limit: maxTypes}
	case len(r.Tags) > maxTags:
		return &event.TooLargeError{What: "number of tags", Size: len(r.Tags), Limit: maxTags}
	}
	for field, names := range map[string][]string{"types": r.Types, "tags": r.Tags} {
		for i, name := range names {
			if err := checkText(fmt.Sprintf("%s[%d]", field, i), name); err != nil {
				return err
			}
		}
	}
	if r.RoutingKey == "" {
		return nil
	}
	return checkText("routing_key", r.RoutingKey)
}

// maxText is the longest name of anything, in bytes.
const maxText = 255

// checkText refuses what no name can be, before a database does.
func checkText(field, s string) error {
	if len(s) == 0 || len(s) > maxText {
		return &event.InvalidError{Field: field, Reason: fmt.Sprintf("has %d bytes, want 1 to %d", len(s), maxText)}
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return &event.InvalidError{Field: field, Reason: "wants UTF-8 without control characters"}
	}
	return nil
}

// NewReadRequest is the request for what to read.
func NewReadRequest(args event.ReadArgs) ReadRequest {
	r := ReadRequest{
		After: string(args.After), Before: string(args.Before), FromVersion: args.FromVersion, Limit: args.Limit, MaxBytes: args.MaxBytes,
		Types: args.Types, RoutingKey: args.RoutingKey, Tags: args.Tags, Consistency: string(args.Consistency),
		MinPosition: string(args.MinPosition), WaitMS: inMillis(args.Wait),
	}
	if args.Backward {
		r.Direction = "backward"
	}
	return r
}

// NewReadReply is the reply for a page.
func NewReadReply(page event.Page, ofStream bool) ReadReply {
	r := ReadReply{Type: TypeReadReply, Events: make([]ReadEvent, len(page.Events)), Next: string(page.Next), End: page.End, Frontier: string(page.Frontier)}
	if ofStream {
		r.Head = &HeadReply{Version: page.Head.Version, Position: string(page.Head.Position)}
	}
	for i := range page.Events {
		e := &page.Events[i]
		r.Events[i] = ReadEvent{
			Position: string(e.Position), Stream: string(e.Stream), Version: e.Version, ID: e.ID.String(), Txn: e.TxnID, Type: e.Type,
			Metadata: e.Metadata, Tags: e.Tags, RoutingKey: e.RoutingKey, RecordedAt: e.RecordedAt.UTC(),
		}
		r.Events[i].Data, r.Events[i].DataBase64 = wireData(e)
	}
	return r
}

// Page turns a reply back into what it was made of.
func (r *ReadReply) Page() (event.Page, error) {
	page := event.Page{Next: event.Position(r.Next), End: r.End, Frontier: event.Position(r.Frontier)}
	if r.Head != nil {
		page.Head = event.Head{Version: r.Head.Version, Position: event.Position(r.Head.Position)}
	}
	for i := range r.Events {
		w := &r.Events[i]
		id, err := ulid.ParseStrict(w.ID)
		if err != nil {
			return page, fmt.Errorf("bus: event id %q in a reply: %w", w.ID, err)
		}
		e := event.Event{
			ID: id, Stream: event.Stream(w.Stream), Version: w.Version, Position: event.Position(w.Position), TxnID: w.Txn, Type: w.Type,
			Data: w.Data, Metadata: w.Metadata, RoutingKey: w.RoutingKey, Tags: w.Tags, RecordedAt: w.RecordedAt,
		}
		if w.Data == nil {
			e.Data, e.Binary = append([]byte{}, w.DataBase64...), true
		}
		page.Events = append(page.Events, e)
	}
	return page, nil
}

// NewNodeReply is the reply for a status.
func NewNodeReply(s event.NodeStatus) NodeReply {
	r := NodeReply{
		Type: TypeNodeReply, Node: s.Name, Cluster: s.Cluster, Nodes: s.Nodes, Electorate: s.Electorate, FastQuorum: s.FastQuorum, Version: s.Version, Incarnation: s.Incarnation, Store: s.Store,
		State: s.State, Reason: s.Reason, InFlight: s.InFlight, Events: s.Events, Last: string(s.Last), Frontier: string(s.Frontier), Publishing: s.Publishing, Counters: s.Counters, Peers: []PeerStatus{},
	}
	r.Alarm, r.LastAt, r.FrontierAt = s.Alarm, s.LastAt, s.FrontierAt
	if s.Digest != (event.Digest{}) {
		r.Digest = &DigestInfo{s.Digest.From, s.Digest.To, string(s.Digest.Position), s.Digest.Sum}
	}
	for _, p := range s.Peers {
		r.Peers = append(r.Peers, PeerStatus{Node: p.Name, Suspected: p.Suspected, Lag: p.Lag})
	}
	return r
}

// Status turns a reply back into what it was made of.
func (r *NodeReply) Status() event.NodeStatus {
	s := event.NodeStatus{
		Name: r.Node, Cluster: r.Cluster, Nodes: r.Nodes, Electorate: r.Electorate, FastQuorum: r.FastQuorum, Version: r.Version, Incarnation: r.Incarnation, Store: r.Store,
		State: r.State, Reason: r.Reason, InFlight: r.InFlight, Events: r.Events, Last: event.Position(r.Last), Frontier: event.Position(r.Frontier), Publishing: r.Publishing, Counters: r.Counters,
	}
	s.Alarm, s.LastAt, s.FrontierAt = r.Alarm, r.LastAt, r.FrontierAt
	if r.Digest != nil {
		s.Digest = r.Digest.digest()
	}
	for _, p := range r.Peers {
		s.Peers = append(s.Peers, event.PeerStatus{Name: p.Node, Suspected: p.Suspected, Lag: p.Lag})
	}
	return s
}

func (d *DigestInfo) digest() event.Digest {
	return event.Digest{From: d.From, To: d.To, Position: event.Position(d.Position), Sum: d.Sum}
}

// Digest turns a reply back into what it was made of.
func (r *DigestReply) Digest() event.Digest { return r.digest() }
