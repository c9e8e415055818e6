package event

import (
	"fmt"
	"slices"
)

// Absence demands that no event after a position matches any of Items: a dynamic consistency boundary, as
// dcb.events calls it. It is exact. Whoever decides on what was read names as After the frontier of that read, below which
// nothing is added any more: not the position of the last event that a local read happened to see.
type Absence struct {
	Items []Match  // 1 to 16
	After Position // empty: before every event
}

// Match selects the events that are of one of Types and have all of Tags.
type Match struct {
	Types []string // at most 16; none: any type
	Tags  []string // at least one
}

// Bounds of an Absence.
const (
	maxItems = 16
	maxTypes = 16
)

// Existing is an event that an Absence forbids.
type Existing struct {
	Item int // which of the Absence's it matches
	Ref
}

// Watch is an item of an Absence, and the first event that matches it.
type Watch struct {
	Match
	After Position
	Found *Ref // nil: there is none
}

// Key tells watches apart.
func (w *Watch) Key() string { return string(appendMatch(appendText(nil, string(w.After)), &w.Match)) }

// See shows an event of the log; the first that matches is kept. They have to be shown in order.
func (w *Watch) See(e *Event) {
	if w.Found == nil && e.Position > w.After && w.matches(e) {
		w.Found = &Ref{e.ID, e.Stream, e.Version, e.Position}
	}
}

func (m *Match) matches(e *Event) bool {
	if len(m.Types) > 0 && !slices.Contains(m.Types, e.Type) {
		return false
	}
	for _, tag := range m.Tags {
		if !slices.Contains(e.Tags, tag) {
			return false
		}
	}
	return true
}

// Watches returns what evaluating an absence looks at, one for each item.
func (a *Absence) Watches() []Watch {
	if a == nil {
		return nil
	}
	watches := make([]Watch, len(a.Items))
	for i := range a.Items {
		watches[i] = Watch{Match: a.Items[i], After: a.After}
	}
	return watches
}

// existing returns the events that an absence forbids, at most one for each item.
func (s *State) existing(a *Absence) (found []Existing) {
	for i, w := range a.Watches() {
		known := s.Watches[w.Key()]
		if known == nil {
			panic("event: an absence is evaluated whose watches were not loaded")
		}
		if known.Found != nil {
			found = append(found, Existing{i, *known.Found})
		}
	}
	return found
}

// normalize checks an absence and brings it into its one form.
func (a *Absence) normalize(limits Limits) error {
	if len(a.Items) == 0 {
		return &InvalidError{"items", "is empty, want at least one"}
	}
	if len(a.Items) > maxItems {
		return &TooLargeError{"number of items", len(a.Items), maxItems}
	}
	if _, err := ParsePosition(string(a.After)); err != nil {
		return &InvalidError{"after", "is not a position"}
	}
	a.Items = slices.Clone(a.Items)
	for i := range a.Items {
		if err := a.Items[i].normalize(limits); err != nil {
			return within("items", i, err)
		}
	}
	return nil
}

func (m *Match) normalize(limits Limits) error {
	switch {
	case len(m.Tags) == 0:
		return &InvalidError{"tags", "is empty, want at least one"}
	case len(m.Tags) > limits.Tags:
		return &TooLargeError{"tags", len(m.Tags), limits.Tags}
	case len(m.Types) > maxTypes:
		return &TooLargeError{"types", len(m.Types), maxTypes}
	}
	for field, names := range map[string]*[]string{"tags": &m.Tags, "types": &m.Types} {
		for _, name := range *names {
			if err := checkName(field, name, false); err != nil {
				return err
			}
		}
		*names = slices.Compact(slices.Sorted(slices.Values(*names)))
	}
	return nil
}

// size is about how many bytes a takes as a message.
func (a *Absence) size() int {
	if a == nil {
		return 0
	}
	size := 48
	for i := range a.Items {
		for _, names := range [][]string{a.Items[i].Types, a.Items[i].Tags} {
			for _, name := range names {
				size += 8 + 2*len(name)
			}
		}
	}
	return size
}

// ExistsError refuses an append because events are there that its Absence forbids. Nothing was written, and nothing will
// be.
type ExistsError struct {
	Events    []Existing // the first that matches, for each item that one does
	RequestID string
	Duplicate bool // the same request was refused before
}

func (e *ExistsError) Error() string {
	what := "an event that matches is there"
	if len(e.Events) > 0 {
		first := e.Events[0]
		what = fmt.Sprintf("event %s of stream %s matches, at position %s", first.ID, first.Stream, first.Position)
	}
	return "event: " + what + "; nothing was written"
}

func appendMatch(b []byte, m *Match) []byte { return appendTexts(appendTexts(b, m.Types), m.Tags) }

func (d *decoder) absence() *Absence {
	a := &Absence{After: Position(d.text())}
	const leastMatch = 2
	if n := d.count(leastMatch); n > 0 {
		a.Items = make([]Match, n)
	}
	for i := range a.Items {
		a.Items[i] = Match{Types: d.texts(), Tags: d.texts()}
		if len(a.Items[i].Tags) == 0 {
			d.fail("an item without tags")
		}
	}
	return a
}
