package bus

// Entry is one row of the catalogue of errors: what a code means, and what it leaves behind.
type Entry struct {
	Code      int    // as in HTTP
	ErrCode   int    // 30xxx; never changes its meaning
	Name      string //
	Outcome   string // of a write; a read has none
	Retryable bool   // repeating the same request can do no harm and may help
	Meaning   string
}

// The error codes.
const (
	CodeInvalid    = 30001
	CodeNotFound   = 30010
	CodeVerb       = 30011
	CodeConflict   = 30020
	CodeReused     = 30021
	CodeIDTaken    = 30022
	CodeFenced     = 30023
	CodeExists     = 30024
	CodeTooLarge   = 30030
	CodeOverloaded = 30040
	CodeNoQuorum   = 30050
	CodeDraining   = 30051
	CodeClosed     = 30052
	CodeAborted    = 30053
	CodeDiverged   = 30054
	CodeDamaged    = 30055
	CodeUnknown    = 30060
	CodeTimeout    = 30061
	CodeInternal   = 30070
)

// What an error says about a write.
const (
	outcomeCommitted    = "committed"
	outcomeNotCommitted = "not_committed" // nothing happened, and nothing will
	outcomeUnknown      = "unknown"       // it may still commit: ask with the request id
)

// Catalogue returns all errors there are, by ErrCode. A test holds docs/errors.md to it.
func Catalogue() []Entry {
	no, unknown := outcomeNotCommitted, outcomeUnknown
	return []Entry{
		{400, CodeInvalid, "invalid", no, false, "The body is no JSON object, a field is not known or stands twice, or a name or value is missing, malformed or out of range: `detail.field` says which, `detail.reason` why."},
		{404, CodeNotFound, "not_found", "", false, "What was asked for does not exist."},
		{404, CodeVerb, "unknown_verb", no, false, "The subject means nothing."},
		{409, CodeConflict, "conflict", no, false, "Streams are not at the versions demanded: `detail.conflicts` has every one, with the version wanted and the version found."},
		{409, CodeReused, "request_id_reused", no, false, "The request id was used before for other content, by transaction `detail.txn`."},
		{409, CodeIDTaken, "event_id_taken", no, false, "Events with the ids in `detail.ids` stand in the log already."},
		{409, CodeFenced, "fenced", no, false, "Another worker has taken the subscriber over. Nothing was acknowledged."},
		{409, CodeExists, "exists", no, false, "Events are there that `absent` forbids: `detail.existing` has the first one for each item that one matches."},
		{413, CodeTooLarge, "too_large", no, false, "`detail.what` is `detail.size`, the limit is `detail.limit`."},
		{429, CodeOverloaded, "overloaded", no, true, "The node has as much to do as it allows. Come back after `detail.retry_after_ms`."},
		{503, CodeNoQuorum, "no_quorum", no, true, "Too few nodes answer. Nothing was proposed."},
		{503, CodeDraining, "draining", no, true, "The node is shutting down. Nothing was proposed: ask again, and another node answers."},
		{503, CodeClosed, "closed", no, true, "The node is starting or has stopped. Nothing was proposed."},
		{503, CodeAborted, "aborted", no, true, "Consensus gave the transaction up. Nothing happened, and nothing will."},
		{503, CodeDiverged, "diverged", no, true, "The node's log is damaged, and it does not answer from it. Nothing was proposed: ask again, and another node answers."},
		{503, CodeDamaged, "damaged", "", true, "An event in the node's database cannot be read, the one at `detail.position`. Ask again, and another node answers."},
		{504, CodeUnknown, "unknown", unknown, true, "The deadline passed after proposing: the write may still commit. Ask `txn` with `detail.request_id`, or repeat the request with it."},
		{504, CodeTimeout, "timeout", "", true, "The deadline passed. Nothing was to be written."},
		{500, CodeInternal, "internal", unknown, true, "The node failed; its log says why. A write may still commit: ask `txn` with `detail.request_id`, or repeat the request with it."},
	}
}

// entryOf returns the row of an error code, and that of internal errors for one that has none.
func entryOf(errCode int) Entry {
	rows := Catalogue()
	for _, e := range rows {
		if e.ErrCode == errCode {
			return e
		}
	}
	return rows[len(rows)-1]
}
