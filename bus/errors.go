package bus

import (
	"context"
	"errors"
	"time"

	"natsaccord/event"
)

// ErrorReply is the body of every error. Its code and err_code stand in the headers too.
type ErrorReply struct {
	Type  string      `json:"type"`
	Error ErrorDetail `json:"error"`
}

// ErrorDetail says what is wrong, and in what state it leaves things.
type ErrorDetail struct {
	Code        int    `json:"code"`     // as in HTTP
	ErrCode     int    `json:"err_code"` // 30xxx, stable
	Description string `json:"description"`
	Outcome     string `json:"outcome"` // not_committed or unknown; empty: nothing was asked to be written
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
	Conflicts    []WireConflict `json:"conflicts,omitempty"`
	IDs          []string       `json:"ids,omitempty"`
	RetryAfterMS int64          `json:"retry_after_ms,omitempty"`
}

// WireConflict is one failed condition.
type WireConflict struct {
	Stream string       `json:"stream"`
	Want   event.Expect `json:"want"`
	Have   uint64       `json:"have"`
}

// The error codes. They never change their meaning.
const (
	CodeInvalid    = 30001 // 400
	CodeNotFound   = 30010 // 404
	CodeVerb       = 30011 // 404
	CodeConflict   = 30020 // 409
	CodeReused     = 30021 // 409
	CodeIDTaken    = 30022 // 409
	CodeFenced     = 30023 // 409
	CodeTooLarge   = 30030 // 413
	CodeOverloaded = 30040 // 429
	CodeNoQuorum   = 30050 // 503
	CodeDraining   = 30051 // 503
	CodeClosed     = 30052 // 503
	CodeAborted    = 30053 // 503
	CodeUnknown    = 30060 // 504
	CodeTimeout    = 30061 // 504, of a read: nothing was to be written
	CodeInternal   = 30070 // 500
)

const notCommitted = "not_committed"

// ErrVerb is the error of a subject that means nothing.
var ErrVerb = errors.New("bus: no such request")

// plain are the errors without anything to say but themselves.
var plain = []struct {
	err       error
	code      int
	errCode   int
	outcome   string
	retryable bool
}{
	{event.ErrNotFound, 404, CodeNotFound, "", false},
	{ErrVerb, 404, CodeVerb, notCommitted, false},
	{event.ErrFenced, 409, CodeFenced, notCommitted, false},
	{event.ErrNoQuorum, 503, CodeNoQuorum, notCommitted, true},
	{event.ErrDraining, 503, CodeDraining, notCommitted, true},
	{event.ErrClosed, 503, CodeClosed, notCommitted, true},
	{event.ErrAborted, 503, CodeAborted, notCommitted, true},
}

func asType[E error](err error) (E, bool) { return errors.AsType[E](err) }

// NewErrorReply describes an error for the wire.
func NewErrorReply(err error) ErrorReply {
	d := ErrorDetail{Code: 500, ErrCode: CodeInternal, Description: err.Error(), Outcome: "unknown", Retryable: true}
	if !typed(err, &d) {
		for _, p := range plain {
			if errors.Is(err, p.err) {
				d.Code, d.ErrCode, d.Outcome, d.Retryable = p.code, p.errCode, p.outcome, p.retryable
				break
			}
		}
	}
	return ErrorReply{Type: TypeError, Error: d}
}

// typed fills in d for the errors that carry data, and tells whether err is one.
func typed(err error, d *ErrorDetail) bool {
	set := func(code, errCode int, outcome string, retryable bool, detail Detail) bool {
		d.Code, d.ErrCode, d.Outcome, d.Retryable, d.Detail = code, errCode, outcome, retryable, detail
		return true
	}
	if e, ok := asType[*event.UnknownError](err); ok {
		return set(504, CodeUnknown, "unknown", true, Detail{RequestID: e.RequestID, Txn: e.TxnID})
	}
	if e, ok := asType[*event.InvalidError](err); ok {
		return set(400, CodeInvalid, notCommitted, false, Detail{Field: e.Field, Reason: e.Reason})
	}
	if e, ok := asType[*event.TooLargeError](err); ok {
		return set(413, CodeTooLarge, notCommitted, false, Detail{What: e.What, Size: e.Size, Limit: e.Limit})
	}
	if e, ok := asType[*event.ConflictError](err); ok {
		detail := Detail{RequestID: e.RequestID, Duplicate: e.Duplicate}
		for _, c := range e.All {
			detail.Conflicts = append(detail.Conflicts, WireConflict{Stream: string(c.Stream), Want: c.Want, Have: c.Have})
		}
		return set(409, CodeConflict, notCommitted, false, detail)
	}
	if e, ok := asType[*event.ReusedError](err); ok {
		return set(409, CodeReused, notCommitted, false, Detail{RequestID: e.RequestID, Txn: e.TxnID})
	}
	if e, ok := asType[*event.IDTakenError](err); ok {
		return set(409, CodeIDTaken, notCommitted, false, Detail{IDs: e.IDs})
	}
	if e, ok := asType[*event.OverloadedError](err); ok {
		return set(429, CodeOverloaded, notCommitted, true, Detail{RetryAfterMS: e.RetryAfter.Milliseconds()})
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return set(504, CodeTimeout, "", true, Detail{})
	}
	return false
}

// Err turns a reply back into the error it was made of.
func (r *ErrorReply) Err() error {
	d := &r.Error
	switch d.ErrCode {
	case CodeUnknown:
		return &event.UnknownError{RequestID: d.Detail.RequestID, TxnID: d.Detail.Txn, Err: errors.New(d.Description)}
	case CodeInvalid:
		return &event.InvalidError{Field: d.Detail.Field, Reason: d.Detail.Reason}
	case CodeTooLarge:
		return &event.TooLargeError{What: d.Detail.What, Size: d.Detail.Size, Limit: d.Detail.Limit}
	case CodeConflict:
		return d.conflict()
	case CodeReused:
		return &event.ReusedError{RequestID: d.Detail.RequestID, TxnID: d.Detail.Txn}
	case CodeIDTaken:
		return &event.IDTakenError{IDs: d.Detail.IDs}
	case CodeOverloaded:
		return &event.OverloadedError{RetryAfter: time.Duration(d.Detail.RetryAfterMS) * time.Millisecond}
	case CodeTimeout:
		return context.DeadlineExceeded
	}
	for _, p := range plain {
		if p.errCode == d.ErrCode {
			return p.err
		}
	}
	return errors.New(d.Description)
}

func (d *ErrorDetail) conflict() error {
	e := &event.ConflictError{RequestID: d.Detail.RequestID, Duplicate: d.Detail.Duplicate}
	for _, c := range d.Detail.Conflicts {
		e.All = append(e.All, event.Conflict{Stream: event.Stream(c.Stream), Want: c.Want, Have: c.Have})
	}
	if len(e.All) > 0 {
		e.Conflict = e.All[0]
	}
	return e
}
