package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// ErrorReply is the body of every error. Its description and code stand in the headers too.
type ErrorReply struct {
	Type  string      `json:"type"`
	Error ErrorDetail `json:"error"`
}

// ErrorDetail says what is wrong, and in what state it leaves things.
type ErrorDetail struct {
	Code        int    `json:"code"`     // as in HTTP
	ErrCode     int    `json:"err_code"` // 30xxx, stable
	Description string `json:"description"`
	Outcome     string `json:"outcome,omitempty"` // not_committed or unknown; empty: nothing was to be written
	Retryable   bool   `json:"retryable"`
	Detail      Detail `json:"detail"`
}

// Detail holds what the kind of error has to say.
type Detail struct {
	Field        string         `json:"field,omitempty"`
	Reason       string         `json:"reason,omitempty"`
	What         string         `json:"what,omitempty"`
	Size         int            `json:"size,omitempty"`
	Limit        int            `json:"limit,omitempty"`
	RequestID    string         `json:"request_id,omitempty"`
	Txn          string         `json:"txn,omitempty"`
	Duplicate    bool           `json:"duplicate,omitempty"`
	Early        bool           `json:"early,omitempty"`
	Node         string         `json:"node,omitempty"`
	Conflicts    []WireConflict `json:"conflicts,omitempty"`
	Existing     []WireExisting `json:"existing,omitempty"`
	IDs          []string       `json:"ids,omitempty"`
	Position     string         `json:"position,omitempty"`
	RetryAfterMS int64          `json:"retry_after_ms,omitempty"`
}

// WireConflict is one failed condition.
type WireConflict struct {
	Stream string       `json:"stream"`
	Want   event.Expect `json:"want"`
	Have   uint64       `json:"have"`
}

// WireExisting is an event that must not be there, and which item of the request's absent it matches.
type WireExisting struct {
	Item int `json:"item"`
	EventRef
}

// ErrVerb is the error of a subject that means nothing.
var ErrVerb = errors.New("bus: no such request")

func asType[E error](err error) (E, bool) { return errors.AsType[E](err) }

// plain returns the code of an error without anything to say but itself, and zero for another one.
func plain(err error) int {
	for _, errCode := range plainCodes() {
		if errors.Is(err, sentinel(errCode)) {
			return errCode
		}
	}
	return 0
}

func plainCodes() []int {
	return []int{CodeNotFound, CodeVerb, CodeFenced, CodeNoQuorum, CodeDraining, CodeClosed, CodeAborted, CodeDiverged, CodeTimeout}
}

// sentinel returns the error that stands behind a code, or nil.
func sentinel(errCode int) error {
	switch errCode {
	case CodeNotFound:
		return event.ErrNotFound
	case CodeVerb:
		return ErrVerb
	case CodeFenced:
		return event.ErrFenced
	case CodeNoQuorum:
		return event.ErrNoQuorum
	case CodeDraining:
		return event.ErrDraining
	case CodeClosed:
		return event.ErrClosed
	case CodeAborted:
		return event.ErrAborted
	case CodeDiverged:
		return event.ErrDiverged
	case CodeTimeout:
		return context.DeadlineExceeded
	}
	return nil
}

// NewErrorReply describes an error for the wire. Of an error that is not in the catalogue it tells nothing:
// its text may be about the node's own affairs.
func NewErrorReply(err error) ErrorReply {
	errCode, detail := classify(err)
	if errCode == 0 {
		errCode = plain(err)
	}
	e := entryOf(errCode)
	d := ErrorDetail{Code: e.Code, ErrCode: e.ErrCode, Outcome: e.Outcome, Retryable: e.Retryable, Detail: detail}
	d.Description = strings.TrimPrefix(strings.TrimPrefix(err.Error(), "event: "), "bus: ")
	if e.ErrCode == CodeInternal {
		d.Description = "the node failed; its log says why"
	}
	return ErrorReply{Type: TypeError, Error: d}
}

// classify returns the code and the detail of an error that carries data, and zero for another one.
func classify(err error) (errCode int, d Detail) {
	if e, ok := asType[*event.UnknownError](err); ok {
		return CodeUnknown, Detail{RequestID: e.RequestID, Txn: e.TxnID, Reason: reasonOf(e.Err)}
	}
	if e, ok := asType[*event.InvalidError](err); ok {
		return CodeInvalid, Detail{Field: e.Field, Reason: e.Reason}
	}
	if e, ok := asType[*event.TooLargeError](err); ok {
		return CodeTooLarge, Detail{What: e.What, Size: e.Size, Limit: e.Limit}
	}
	if e, ok := asType[*event.ConflictError](err); ok {
		return CodeConflict, conflictDetail(e)
	}
	if e, ok := asType[*event.ExistsError](err); ok {
		return CodeExists, existsDetail(e)
	}
	if e, ok := asType[*event.ReusedError](err); ok {
		return CodeReused, Detail{RequestID: e.RequestID, Txn: e.TxnID}
	}
	if e, ok := asType[*event.IDTakenError](err); ok {
		return CodeIDTaken, Detail{IDs: e.IDs}
	}
	if e, ok := asType[*event.OverloadedError](err); ok {
		return CodeOverloaded, Detail{RetryAfterMS: e.RetryAfter.Milliseconds()}
	}
	if e, ok := asType[*internalError](err); ok {
		return CodeInternal, Detail{RequestID: e.requestID}
	}
	if e, ok := asType[*event.DamagedError](err); ok {
		return CodeDamaged, Detail{Position: string(e.Position), Reason: reasonOf(e.Err)}
	}
	return 0, Detail{}
}

// internalError is what went wrong in a node while it served a write: it may have happened all the same.
type internalError struct {
	requestID string
	err       error
}

func (e *internalError) Error() string { return e.err.Error() }
func (e *internalError) Unwrap() error { return e.err }

// settledError is what refused the request that is asked about. Unlike the refusal of a read it has an outcome.
type settledError struct{ err error }

func (e *settledError) Error() string { return e.err.Error() }
func (e *settledError) Unwrap() error { return e.err }

// settle says what an error leaves behind, which depends on whether anything was to be written.
func (d *ErrorDetail) settle(writes bool, err error) {
	_, settled := asType[*settledError](err)
	switch {
	case writes && (d.ErrCode == CodeInvalid || d.ErrCode == CodeTooLarge):
		d.Description += "; nothing was written"
	case !writes && !settled:
		d.Outcome = ""
	}
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func conflictDetail(e *event.ConflictError) Detail {
	d := Detail{RequestID: e.RequestID, Duplicate: e.Duplicate, Early: e.Early, Node: e.Node}
	for _, c := range e.All {
		d.Conflicts = append(d.Conflicts, WireConflict{Stream: string(c.Stream), Want: c.Want, Have: c.Have})
	}
	return d
}

// Err turns a reply back into the error it was made of. An internal error becomes an *event.UnknownError if
// there was something to be written.
func (r *ErrorReply) Err() error {
	d := &r.Error
	switch d.ErrCode {
	case CodeUnknown:
		return &event.UnknownError{RequestID: d.Detail.RequestID, TxnID: d.Detail.Txn, Err: d.cause()}
	case CodeInvalid:
		return &event.InvalidError{Field: d.Detail.Field, Reason: d.Detail.Reason}
	case CodeTooLarge:
		return &event.TooLargeError{What: d.Detail.What, Size: d.Detail.Size, Limit: d.Detail.Limit}
	case CodeConflict:
		return d.conflict()
	case CodeExists:
		return d.exists()
	case CodeReused:
		return &event.ReusedError{RequestID: d.Detail.RequestID, TxnID: d.Detail.Txn}
	case CodeIDTaken:
		return &event.IDTakenError{IDs: d.Detail.IDs}
	case CodeDamaged:
		return &event.DamagedError{Position: event.Position(d.Detail.Position), Err: d.cause()}
	case CodeOverloaded:
		return &event.OverloadedError{RetryAfter: time.Duration(d.Detail.RetryAfterMS) * time.Millisecond}
	}
	if err := sentinel(d.ErrCode); err != nil {
		return err
	}
	if d.Outcome == outcomeUnknown {
		return &event.UnknownError{RequestID: d.Detail.RequestID, Err: errors.New(d.Description)}
	}
	return errors.New("bus: " + d.Description)
}

// cause is what ended the wait for an outcome.
func (d *ErrorDetail) cause() error {
	switch d.Detail.Reason {
	case "":
		return nil
	case context.DeadlineExceeded.Error():
		return context.DeadlineExceeded
	}
	return errors.New(d.Detail.Reason)
}

func (d *ErrorDetail) conflict() error {
	e := &event.ConflictError{RequestID: d.Detail.RequestID, Duplicate: d.Detail.Duplicate, Early: d.Detail.Early, Node: d.Detail.Node}
	for _, c := range d.Detail.Conflicts {
		e.All = append(e.All, event.Conflict{Stream: event.Stream(c.Stream), Want: c.Want, Have: c.Have})
	}
	if len(e.All) > 0 {
		e.Conflict = e.All[0]
	}
	return e
}

func existsDetail(e *event.ExistsError) Detail {
	d := Detail{RequestID: e.RequestID, Duplicate: e.Duplicate}
	for _, x := range e.Events {
		ref := EventRef{ID: x.ID.String(), Stream: string(x.Stream), Version: x.Version, Position: string(x.Position)}
		d.Existing = append(d.Existing, WireExisting{x.Item, ref})
	}
	return d
}

func (d *ErrorDetail) exists() error {
	e := &event.ExistsError{RequestID: d.Detail.RequestID, Duplicate: d.Detail.Duplicate}
	for _, x := range d.Detail.Existing {
		id, err := ulid.ParseStrict(x.ID)
		if err != nil {
			return fmt.Errorf("bus: event id %q in a reply: %w", x.ID, err)
		}
		ref := event.Ref{ID: id, Stream: event.Stream(x.Stream), Version: x.Version, Position: event.Position(x.Position)}
		e.Events = append(e.Events, event.Existing{Item: x.Item, Ref: ref})
	}
	return e
}
