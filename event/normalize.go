package event

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"
)

// Limits bound what one request may hold. Zero fields mean their defaults only through DefaultLimits.
type Limits struct {
	Events        int // events in an append; default 1,000
	Streams       int // streams in an append, those of conditions included; default 100
	EventBytes    int // data of an event; default 256 KiB
	Tags          int // tags of an event; default 16
	MetadataKeys  int // metadata entries of an event; default 64
	MetadataBytes int // metadata of an event, keys and values together; default 16 KiB
	SnapshotBytes int // data of a snapshot; default 512 KiB
}

// DefaultLimits returns the limits that hold unless configured otherwise.
func DefaultLimits() Limits {
	return Limits{Events: 1000, Streams: 100, EventBytes: 256 << 10, Tags: 16, MetadataKeys: 64, MetadataBytes: 16 << 10, SnapshotBytes: 512 << 10}
}

// Longest names, in bytes.
const (
	maxCategory  = 128
	maxStreamID  = 255
	maxName      = 255 // types, tags, routing keys, subscriber keys, snapshot names
	maxRequestID = 128
)

// NewAppend checks an append and makes it a Command: names, data and conditions are valid and within limits,
// JSON is compact, tags are sorted, and the ids its maker left out are filled in. It returns an *InvalidError
// or a *TooLargeError that names the field. a is not changed.
func NewAppend(a Append, limits Limits) (Command, error) {
	if err := a.checkSize(limits); err != nil {
		return Command{}, err
	}
	normal := Append{RequestID: a.RequestID, After: a.After, Conditions: slices.Clone(a.Conditions), Events: slices.Clone(a.Events)}
	for i := range normal.Conditions {
		if err := checkCondition(i, normal.Conditions[i]); err != nil {
			return Command{}, err
		}
	}
	for i := range normal.Events {
		if err := normal.Events[i].normalize(fmt.Sprintf("events[%d]", i), limits); err != nil {
			return Command{}, err
		}
	}
	if err := checkUnique(normal.Events); err != nil {
		return Command{}, err
	}
	hash := normal.hash()
	if normal.RequestID == "" {
		normal.RequestID = newULID().String()
	}
	for i := range normal.Events {
		if normal.Events[i].ID == (ulid.ULID{}) {
			normal.Events[i].ID = newULID()
		}
	}
	return Command{Append: &normal, Hash: hash}, nil
}

func newULID() ulid.ULID { return ulid.MustNew(ulid.Now(), rand.Reader) }

func (a Append) checkSize(limits Limits) error {
	if err := checkRequestID(a.RequestID); err != nil {
		return err
	}
	if _, err := ParsePosition(string(a.After)); err != nil {
		return &InvalidError{"after", "is not a position"}
	}
	if len(a.Events) == 0 {
		return &InvalidError{"events", "is empty, want at least one event"}
	}
	if len(a.Events) > limits.Events {
		return &TooLargeError{"number of events", len(a.Events), limits.Events}
	}
	streams := make(map[Stream]bool)
	for _, c := range a.Conditions {
		streams[c.Stream] = true
	}
	for i := range a.Events {
		streams[a.Events[i].Stream] = true
	}
	if len(streams) > limits.Streams {
		return &TooLargeError{"number of streams", len(streams), limits.Streams}
	}
	return nil
}

// checkRequestID allows what can be asked for on a subject: tokens of printable characters.
func checkRequestID(id string) error {
	switch {
	case id == "":
		return nil
	case len(id) > maxRequestID:
		return &InvalidError{"request_id", fmt.Sprintf("has %d bytes, want at most %d", len(id), maxRequestID)}
	case !isSubject(id):
		return &InvalidError{"request_id", "wants printable characters without spaces, * and >, and no empty part between dots"}
	}
	return nil
}

// isSubject tells whether s can stand at the end of a subject.
func isSubject(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r == '*' || r == '>' || unicode.IsSpace(r) || unicode.IsControl(r)
	})
}

// Validate checks a stream's name, and returns an *InvalidError if it is none.
func (s Stream) Validate() error { return s.validate("stream") }

func (s Stream) validate(field string) error {
	category, id, found := strings.Cut(string(s), ".")
	switch {
	case !found:
		return &InvalidError{field, fmt.Sprintf("is %q, want <category>.<id>", clip(string(s)))}
	case len(category) == 0 || len(category) > maxCategory:
		return &InvalidError{field, fmt.Sprintf("has a category of %d bytes, want 1 to %d", len(category), maxCategory)}
	case category[0] == '$' || category[0] == '_':
		return &InvalidError{field, fmt.Sprintf("has the category %q, which must not start with $ or _", category)}
	case strings.ContainsFunc(category, notCategory):
		return &InvalidError{field, fmt.Sprintf("has the category %q, want letters, digits, _, =, / and -", clip(category))}
	case len(id) == 0 || len(id) > maxStreamID:
		return &InvalidError{field, fmt.Sprintf("has an id of %d bytes, want 1 to %d", len(id), maxStreamID)}
	case !isSubject(id):
		return &InvalidError{field, "has an id with spaces, control characters, *, > or an empty part between dots"}
	}
	return nil
}

func notCategory(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '=' || r == '/' || r == '-')
}

// clip keeps error messages short whatever was sent.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// ParseStream checks that s names a stream.
func ParseStream(s string) (Stream, error) { return Stream(s), Stream(s).Validate() }

func checkCondition(i int, c Condition) error {
	if err := c.Stream.validate(fmt.Sprintf("checks[%d].stream", i)); err != nil {
		return err
	}
	if c.Expect < ExpectExists {
		return &InvalidError{fmt.Sprintf("checks[%d].expect", i), "wants any, none, exists or a version from 0 on"}
	}
	return nil
}

// normalize checks an event and brings it into its one form.
func (e *Event) normalize(field string, limits Limits) error {
	if err := e.Stream.validate(field + ".stream"); err != nil {
		return err
	}
	if err := checkName(field+".type", e.Type, false); err != nil {
		return err
	}
	if err := checkName(field+".routing_key", e.RoutingKey, true); err != nil {
		return err
	}
	if e.Version > 1<<62 {
		return &InvalidError{field + ".version", "is out of range"}
	}
	if err := e.normalizeTags(field, limits); err != nil {
		return err
	}
	if err := e.checkMetadata(field, limits); err != nil {
		return err
	}
	return e.normalizeData(field, limits)
}

// checkName allows printable text without spaces.
func checkName(field, name string, optional bool) error {
	switch {
	case name == "" && optional:
		return nil
	case len(name) == 0 || len(name) > maxName:
		return &InvalidError{field, fmt.Sprintf("has %d bytes, want 1 to %d", len(name), maxName)}
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return &InvalidError{field, "wants UTF-8 without spaces and control characters"}
	}
	return nil
}

func (e *Event) normalizeTags(field string, limits Limits) error {
	if len(e.Tags) > limits.Tags {
		return &TooLargeError{"number of " + field + ".tags", len(e.Tags), limits.Tags}
	}
	for i, tag := range e.Tags {
		if err := checkName(fmt.Sprintf("%s.tags[%d]", field, i), tag, false); err != nil {
			return err
		}
	}
	e.Tags = slices.Compact(slices.Sorted(slices.Values(e.Tags)))
	return nil
}

func (e *Event) checkMetadata(field string, limits Limits) error {
	if len(e.Metadata) > limits.MetadataKeys {
		return &TooLargeError{"number of " + field + ".metadata entries", len(e.Metadata), limits.MetadataKeys}
	}
	size := 0
	for key, value := range e.Metadata {
		size += len(key) + len(value)
		if key == "" || !isText(key) || !isText(value) {
			return &InvalidError{field + ".metadata", "wants non-empty keys, and UTF-8 without NUL"}
		}
	}
	if size > limits.MetadataBytes {
		return &TooLargeError{field + ".metadata in bytes", size, limits.MetadataBytes}
	}
	return nil
}

// isText tells whether a SQL text column takes s.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

func (e *Event) normalizeData(field string, limits Limits) error {
	if len(e.Data) > limits.EventBytes {
		return &TooLargeError{field + ".data in bytes", len(e.Data), limits.EventBytes}
	}
	if e.Binary {
		e.Data = append([]byte{}, e.Data...)
		return nil
	}
	if len(e.Data) == 0 {
		return &InvalidError{field + ".data", "is missing"}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, e.Data); err != nil || !utf8.Valid(e.Data) {
		return &InvalidError{field + ".data", "is not JSON"}
	}
	e.Data = compact.Bytes()
	return nil
}

// checkUnique refuses an id that stands twice in one append.
func checkUnique(events []Event) error {
	seen := make(map[ulid.ULID]int)
	for i := range events {
		id := events[i].ID
		if first, twice := seen[id]; twice && id != (ulid.ULID{}) {
			return &InvalidError{fmt.Sprintf("events[%d].id", i), fmt.Sprintf("is that of events[%d] too", first)}
		}
		seen[id] = i
	}
	return nil
}

// hash returns what tells a from other content under the same request id. The ids a client left out are not
// part of it, so that a repeat hashes alike.
func (a *Append) hash() Hash {
	content := *a
	content.RequestID = ""
	sum := sha256.Sum256(appendAppend(nil, &content, Hash{}))
	return Hash(sum[:16])
}

// NewClaim makes a Command of a subscriber's claim.
func NewClaim(key string, worker ulid.ULID) (Command, error) {
	if err := checkName("key", key, false); err != nil {
		return Command{}, err
	}
	return Command{Claim: &Claim{key, worker}}, nil
}

// NewAck makes a Command of a subscriber's acknowledgement.
func NewAck(key string, worker ulid.ULID, position Position, lag uint64) (Command, error) {
	if err := checkName("key", key, false); err != nil {
		return Command{}, err
	}
	if _, err := ParsePosition(string(position)); err != nil || position == "" {
		return Command{}, &InvalidError{"position", "is not a position"}
	}
	return Command{Ack: &Ack{key, worker, position, lag}}, nil
}

// NewPutSnapshot makes a Command that stores a snapshot.
func NewPutSnapshot(s Snapshot, limits Limits) (Command, error) {
	if err := checkSnapshotName(s.Stream, s.Name); err != nil {
		return Command{}, err
	}
	if len(s.Data) > limits.SnapshotBytes {
		return Command{}, &TooLargeError{"data in bytes", len(s.Data), limits.SnapshotBytes}
	}
	s.Data = append([]byte{}, s.Data...)
	return Command{PutSnapshot: &s}, nil
}

// NewDropSnapshot makes a Command that removes a snapshot.
func NewDropSnapshot(stream Stream, name string) (Command, error) {
	return Command{DropSnapshot: &SnapshotName{stream, name}}, checkSnapshotName(stream, name)
}

func checkSnapshotName(stream Stream, name string) error {
	if err := stream.Validate(); err != nil {
		return err
	}
	return checkName("name", name, false)
}
