package event

import "fmt"

// Position is where an event stands in the global order: its transaction's executeAt in 24 characters, then
// the event's index in the transaction in 4, all lower-case base32hex. Positions sort as text and are equal
// on all nodes. The empty Position is before every event.
type Position string

const (
	executeAtSize = 24
	positionSize  = executeAtSize + 4
	digits        = "0123456789abcdefghijklmnopqrstuv"
)

// MaxIndex is the largest index a position can hold.
const MaxIndex = 1<<20 - 1

// PositionAt returns the position of the event at index (0 to MaxIndex) of the transaction that executes at
// executeAt, the 24-character text of its timestamp.
func PositionAt(executeAt string, index int) Position {
	var b [positionSize]byte
	copy(b[:executeAtSize], executeAt)
	for i := range 4 {
		b[executeAtSize+i] = digits[index>>(15-5*i)&31]
	}
	return Position(b[:])
}

// ExecuteAt returns the text of the timestamp at which the position's transaction executed.
func (p Position) ExecuteAt() string {
	if len(p) != positionSize {
		return ""
	}
	return string(p[:executeAtSize])
}

// ParsePosition checks that s is empty or a position.
func ParsePosition(s string) (Position, error) {
	if s == "" {
		return "", nil
	}
	if len(s) != positionSize {
		return "", fmt.Errorf("event: position %q has %d characters, want %d", s, len(s), positionSize)
	}
	for i := range len(s) {
		if c := s[i]; c < '0' || c > '9' && c < 'a' || c > 'v' {
			return "", fmt.Errorf("event: position %q holds %q", s, c)
		}
	}
	return Position(s), nil
}
