// Package journal is an append-only log of entries, kept in files and synced before Append returns. It knows nothing
// of what an entry means.
//
// A journal is a directory of segments, numbered from 1. A segment begins with a header that names the journal, and
// holds frames: a checksum and an entry each. Only the end of the last segment can be torn by a crash: a frame there that
// does not check out is cut off, since Append had not returned, unless a later frame tells that it had been synced. Any
// other damage is refused with ErrCorrupt.
//
// On Linux the segment that is appended to has space on the disk beyond its last frame, 4 MiB at a time, and its file reaches as far: a sync has only
// data to write then. The zeros there are cut off as a torn end is, and when the segment is finished.
package journal
