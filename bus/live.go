package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/event"
)

// The headers of a published event beside the CloudEvents attributes, which are prefixed with ce-.
const (
	HeaderTags     = "Accord-Tags"     // JSON list
	HeaderMetadata = "Accord-Metadata" // JSON object
)

// flushTimeout is how long the server may take to confirm that it has a batch of events.
const flushTimeout = 10 * time.Second

// NewLiveMsg is an event as it is published once it has committed: its data as the message, everything else in
// headers, as a CloudEvent in binary mode. Its Nats-Msg-Id is the event's id, so that a JetStream stream drops
// repeats. docs/log.md lists the headers.
func (s Subjects) NewLiveMsg(e *event.Event) *nats.Msg {
	contentType := "application/json"
	if e.Binary {
		contentType = "application/octet-stream"
	}
	h := nats.Header{
		nats.MsgIdHdr:        {e.ID.String()},
		"ce-specversion":     {"1.0"},
		"ce-id":              {e.ID.String()},
		"ce-source":          {"/accord/" + s.Cluster},
		"ce-type":            {escapeHeader(e.Type)},
		"ce-subject":         {escapeHeader(string(e.Stream))},
		"ce-time":            {e.RecordedAt.UTC().Format(time.RFC3339Nano)},
		"ce-datacontenttype": {contentType},
		"ce-sequence":        {string(e.Position)},
		"ce-streamversion":   {strconv.FormatUint(e.Version, 10)},
		"ce-txnid":           {e.TxnID},
	}
	if e.RoutingKey != "" {
		h["ce-partitionkey"] = []string{escapeHeader(e.RoutingKey)}
	}
	if len(e.Tags) > 0 {
		h[HeaderTags] = []string{asJSON(e.Tags)}
	}
	if len(e.Metadata) > 0 {
		h[HeaderMetadata] = []string{asJSON(e.Metadata)}
	}
	return &nats.Msg{Subject: s.Event(e.Stream, e.Type), Data: e.Data, Header: h}
}

// escapeHeader escapes a CloudEvents attribute as its HTTP binding does: all but printable ASCII, and the space, the
// double quote and the percent sign.
func escapeHeader(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// asJSON encodes strings on one line.
func asJSON(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic("bus: encode strings: " + err.Error()) // they always encode
	}
	return string(encoded)
}

// Live publishes events on a connection of its own that never comes back by itself. So the server gets a run of
// messages that ends somewhere, and never one with a hole: what was sent before a reconnection could be lost and
// what is sent after it not. Its methods are for one goroutine.
type Live struct {
	cfg      Config
	subjects Subjects
	nc       *nats.Conn
}

// NewLive returns a Live that is not connected yet: Publish connects.
func NewLive(cfg Config, subjects Subjects) (*Live, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Live{cfg: cfg, subjects: subjects}, errors.Join(cfg.Validate(), subjects.Validate())
}

// Publish publishes events in order, and returns when the server has them all. After an error it may have the first
// of them. An event that is larger than the server takes is logged and left out.
func (l *Live) Publish(ctx context.Context, events []event.Event) error {
	err := l.publish(ctx, events)
	if err != nil {
		l.Close() // what was under way must not arrive behind what is published next
	}
	return err
}

func (l *Live) publish(ctx context.Context, events []event.Event) error {
	if err := l.connect(); err != nil {
		return err
	}
	for i := range events {
		err := l.nc.PublishMsg(l.subjects.NewLiveMsg(&events[i]))
		if errors.Is(err, nats.ErrMaxPayload) {
			l.cfg.Logger.Error("event is too large to be published", "position", events[i].Position, "limit", l.nc.MaxPayload())
			continue
		}
		if err != nil {
			return fmt.Errorf("bus: publish the event at %s: %w", events[i].Position, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := l.nc.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("bus: publish %d events: %w", len(events), err)
	}
	return nil
}

func (l *Live) connect() error {
	if l.nc != nil {
		return nil
	}
	name := "accord-" + l.cfg.Node + "-live"
	options, err := l.cfg.options(name)
	if err != nil {
		return err
	}
	options = append(options, nats.NoReconnect())
	if l.nc, err = nats.Connect(strings.Join(l.cfg.Servers, ","), options...); err != nil {
		return fmt.Errorf("bus: connect %s to %s: %w", name, redact(l.cfg.Servers), err)
	}
	return nil
}

// Close closes the connection. Publish opens another.
func (l *Live) Close() {
	if l.nc != nil {
		l.nc.Close()
		l.nc = nil
	}
}
