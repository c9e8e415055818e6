package event

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/oklog/ulid/v2"
)

// NewAppend checks an append and makes it a Command: names, data and conditions are valid and within limits,
// JSON is compact, tags are sorted, and the ids its maker left out are filled in. It returns an *InvalidError
// or a *TooLargeError that names the field. a is not changed.
func NewAppend(a Append, limits Limits) (Command, error) {
	normal, err := newNormal(a, limits)
	if err != nil {
		return Command{}, err
	}
	hash := normal.hash()
	normal.fillIDs()
	return Command{Append: normal, Hash: hash}, nil
}

// CheckAppend returns the error that NewAppend would.
func CheckAppend(a Append, limits Limits) error {
	_, err := newNormal(a, limits)
	return err
}

// newNormal checks an append, and returns it in its one form.
func newNormal(a Append, limits Limits) (*Append, error) {
	if err := a.checkSize(limits); err != nil {
		return nil, err
	}
	normal := Append{RequestID: a.RequestID, After: a.After, Conditions: slices.Clone(a.Conditions), Events: slices.Clone(a.Events)}
	if a.Absent != nil {
		absent := *a.Absent
		normal.Absent = &absent
	}
	if err := normal.normalize(limits); err != nil {
		return nil, err
	}
	return &normal, nil
}

// normalize checks the parts of a, whose number is within limits, and brings the events into their one form.
func (a *Append) normalize(limits Limits) error {
	for i := range a.Conditions {
		if err := a.Conditions[i].check(); err != nil {
			return within("checks", i, err)
		}
	}
	for i := range a.Events {
		if err := a.Events[i].normalize(limits); err != nil {
			return within("events", i, err)
		}
	}
	if a.Absent != nil {
		if err := a.Absent.normalize(limits); err != nil {
			return inField("absent", err)
		}
	}
	if err := checkUnique(a.Events); err != nil {
		return err
	}
	if size := a.size(); size > limits.AppendBytes {
		return &TooLargeError{"append in bytes", size, limits.AppendBytes}
	}
	return nil
}

// within says in which item of a list the field stands that an error names.
func within(list string, i int, err error) error { return inField(fmt.Sprintf("%s[%d]", list, i), err) }

// inField says in which field the field stands that an error names.
func inField(name string, err error) error {
	prefix := name + "."
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		return &InvalidError{prefix + invalid.Field, invalid.Reason}
	}
	if large, ok := errors.AsType[*TooLargeError](err); ok {
		return &TooLargeError{prefix + large.What, large.Size, large.Limit}
	}
	return err
}

func (a *Append) fillIDs() {
	if a.RequestID == "" {
		a.RequestID = newULID().String()
	}
	for i := range a.Events {
		if a.Events[i].ID == (ulid.ULID{}) {
			a.Events[i].ID = newULID()
		}
	}
}

func newULID() ulid.ULID { return ulid.MustNew(ulid.Now(), rand.Reader) }

// size is about how many bytes a takes as a message: what it holds, and for each event an id, a consensus key
// and some lengths.
func (a *Append) size() int {
	size := 64 + len(a.RequestID) + a.Absent.size()
	for _, c := range a.Conditions {
		size += 16 + 2*len(c.Stream)
	}
	for i := range a.Events {
		e := &a.Events[i]
		size += 64 + 2*len(e.Stream) + len(e.Type) + len(e.RoutingKey) + len(e.Data)
		for _, tag := range e.Tags {
			size += 4 + 2*len(tag)
		}
		for key, value := range e.Metadata {
			size += 4 + len(key) + len(value)
		}
	}
	return size
}

func (a Append) checkSize(limits Limits) error {
	if err := checkRequestID(a.RequestID); err != nil {
		return err
	}
	if _, err := ParsePosition(string(a.After)); err != nil {
		return &InvalidError{"after", "is not a position"}
	}
	if a.Timeout < 0 {
		return &InvalidError{"timeout", "is negative"}
	}
	if len(a.Events) == 0 {
		return &InvalidError{"events", "is empty, want at least one event"}
	}
	if len(a.Events) > limits.Events {
		return &TooLargeError{"number of events", len(a.Events), limits.Events}
	}
	if len(a.Conditions) > limits.Streams {
		return &TooLargeError{"number of checks", len(a.Conditions), limits.Streams}
	}
	return a.checkStreams(limits)
}

func (a Append) checkStreams(limits Limits) error {
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

func (c Condition) check() error {
	if err := c.Stream.Validate(); err != nil {
		return err
	}
	if c.Expect < ExpectExists || c.Expect > maxVersion {
		return &InvalidError{"expect", "wants any, none, exists or a version from 0 on"}
	}
	return nil
}

// normalize checks an event and brings it into its one form.
func (e *Event) normalize(limits Limits) error {
	if err := e.Stream.Validate(); err != nil {
		return err
	}
	if err := checkName("type", e.Type, false); err != nil {
		return err
	}
	if err := checkName("routing_key", e.RoutingKey, true); err != nil {
		return err
	}
	if e.Version > maxVersion {
		return &InvalidError{"version", "is out of range"}
	}
	if err := e.normalizeTags(limits); err != nil {
		return err
	}
	if err := e.normalizeMetadata(limits); err != nil {
		return err
	}
	return e.normalizeData(limits)
}

func (e *Event) normalizeTags(limits Limits) error {
	if len(e.Tags) > limits.Tags {
		return &TooLargeError{"tags", len(e.Tags), limits.Tags}
	}
	for _, tag := range e.Tags {
		if err := checkName("tags", tag, false); err != nil {
			return err
		}
	}
	e.Tags = slices.Compact(slices.Sorted(slices.Values(e.Tags)))
	return nil
}

func (e *Event) normalizeMetadata(limits Limits) error {
	if len(e.Metadata) > limits.MetadataKeys {
		return &TooLargeError{"metadata", len(e.Metadata), limits.MetadataKeys}
	}
	size := 0
	for key, value := range e.Metadata {
		size += len(key) + len(value)
		if key == "" || !isText(key) || !isText(value) {
			return &InvalidError{"metadata", "wants non-empty keys, and UTF-8 without NUL"}
		}
	}
	if size > limits.MetadataBytes {
		return &TooLargeError{"metadata in bytes", size, limits.MetadataBytes}
	}
	e.Metadata = maps.Clone(e.Metadata)
	return nil
}

func (e *Event) normalizeData(limits Limits) error {
	if len(e.Data) > limits.EventBytes {
		return &TooLargeError{"data in bytes", len(e.Data), limits.EventBytes}
	}
	if e.Binary {
		e.Data = append([]byte{}, e.Data...)
		return nil
	}
	compact, err := compactJSON(e.Data)
	if err != nil {
		return &InvalidError{"data", err.Error()}
	}
	e.Data = compact
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
