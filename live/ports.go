package live

import (
	"context"
	"encoding/json"

	"natsaccord/event"
)

// Log is where events come from.
type Log interface {
	// Frontier returns the frontier once it lies behind a position. An eager caller has it moved as soon as there is
	// an event to move it over.
	Frontier(ctx context.Context, behind event.Position, eager bool) (event.Position, error)
	Read(ctx context.Context, args event.ReadArgs) (event.Page, error)
}

// Sink is where events go.
type Sink interface {
	// Publish publishes events in order and returns when they cannot be lost on the way any more. After an error
	// the first of them may have been published, but none behind one that was not.
	Publish(ctx context.Context, events []event.Event) error
}

// Progress remembers across restarts how far the log was published.
type Progress interface {
	Published(ctx context.Context) (event.Position, error)
	SetPublished(ctx context.Context, p event.Position) error
}

// Tell sends a note to the Publishers of all other nodes. It may get lost. It must not block.
type Tell func(note []byte)

// note is what Publishers tell each other, in JSON.
type note struct {
	Published  event.Position `json:"published"`  // everything up to it has been published, by whomever
	Publishing bool           `json:"publishing"` // by the sender; otherwise it asks who does
}

func (n note) encode() []byte {
	body, err := json.Marshal(n)
	if err != nil {
		panic("live: encode a note: " + err.Error()) // a string and a bool always encode
	}
	return body
}

func decodeNote(body []byte) (n note, ok bool) {
	if json.Unmarshal(body, &n) != nil {
		return n, false
	}
	_, err := event.ParsePosition(string(n.Published))
	return n, err == nil
}
