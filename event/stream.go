package event

import "strings"

// Stream names one aggregate's events: "<category>.<id>", split at the first dot. ParseStream and
// Stream.Validate say what is allowed.
type Stream string

// StreamOf joins a category and an id.
func StreamOf(category, id string) Stream { return Stream(category + "." + id) }

// Category is what stands before the first dot.
func (s Stream) Category() string {
	category, _, _ := strings.Cut(string(s), ".")
	return category
}

// ID is what stands behind the first dot. It may hold dots itself.
func (s Stream) ID() string {
	_, id, _ := strings.Cut(string(s), ".")
	return id
}
