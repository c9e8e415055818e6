package bus_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/bus"
	"natsaccord/event"
)

// everyError returns an error for each row of the catalogue.
func everyError() map[int]error {
	conflict := event.Conflict{Stream: "a.1", Want: event.ExpectNone, Have: 2}
	return map[int]error{
		bus.CodeInvalid:    &event.InvalidError{Field: "events[0].type", Reason: "is empty"},
		bus.CodeNotFound:   event.ErrNotFound,
		bus.CodeVerb:       bus.ErrVerb,
		bus.CodeConflict:   &event.ConflictError{Conflict: conflict, All: []event.Conflict{conflict}, RequestID: "r", Duplicate: true, Early: true, Node: "n2"},
		bus.CodeExists:     &event.ExistsError{Events: []event.Existing{{Item: 1, Ref: event.Ref{ID: ulid.ULID{7}, Stream: "a.1", Version: 2, Position: "p"}}}, RequestID: "r", Duplicate: true},
		bus.CodeReused:     &event.ReusedError{RequestID: "r", TxnID: "t"},
		bus.CodeIDTaken:    &event.IDTakenError{IDs: []string{"x"}},
		bus.CodeFenced:     event.ErrFenced,
		bus.CodeTooLarge:   &event.TooLargeError{What: "body", Size: 2, Limit: 1},
		bus.CodeOverloaded: &event.OverloadedError{RetryAfter: 50 * time.Millisecond},
		bus.CodeNoQuorum:   event.ErrNoQuorum,
		bus.CodeDraining:   event.ErrDraining,
		bus.CodeClosed:     event.ErrClosed,
		bus.CodeAborted:    event.ErrAborted,
		bus.CodeDamaged:    &event.DamagedError{Position: "p", Err: errors.New("id \"x\": bad size")},
		bus.CodeTimeout:    context.DeadlineExceeded,
		bus.CodeUnknown:    &event.UnknownError{RequestID: "r", TxnID: "t", Err: context.DeadlineExceeded},
	}
}

func TestErrorsSurviveTheWire(t *testing.T) {
	for code, err := range everyError() {
		reply := bus.NewErrorReply(fmt.Errorf("wrapped: %w", err))
		if reply.Error.ErrCode != code {
			t.Errorf("%v: got err_code %d, want %d", err, reply.Error.ErrCode, code)
		}
		got := reply.Err()
		if unknown, ok := errors.AsType[*event.UnknownError](err); ok {
			back, isUnknown := errors.AsType[*event.UnknownError](got)
			if !isUnknown || back.RequestID != unknown.RequestID || back.TxnID != unknown.TxnID {
				t.Errorf("%v comes back as %v", err, got)
			}
			continue
		}
		if !errors.Is(got, err) && !reflect.DeepEqual(got, err) {
			t.Errorf("%#v comes back as %#v", err, got)
		}
	}
}

func TestErrorsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	all := everyError()
	all[bus.CodeInternal] = errors.New("disk on fire")
	for code, err := range all {
		if d := bus.NewErrorReply(err).Error; d.ErrCode != code {
			t.Errorf("%v: got %d, want %d", err, d.ErrCode, code)
		}
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| code") && !strings.HasPrefix(line, "| ---") {
			rows++
		}
	}
	if rows != len(bus.Catalogue()) {
		t.Errorf("docs/errors.md has %d rows, the catalogue %d", rows, len(bus.Catalogue()))
	}
	for _, e := range bus.Catalogue() {
		retryable := map[bool]string{true: "yes", false: "no"}[e.Retryable]
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \| %d \| [^|]+ \| ?%s ?\| %s \|`, e.Code, e.ErrCode, e.Outcome, retryable))
		if !row.Match(page) {
			t.Errorf("docs/errors.md has no row %s", row)
		}
	}
}
