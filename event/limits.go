package event

// Limits bound what one request may hold. A limit of zero allows nothing: start from DefaultLimits.
type Limits struct {
	Events        int // events in an append; default 1,000
	Streams       int // streams in an append, those of conditions included; default 100
	EventBytes    int // data of an event; default 256 KiB
	Tags          int // tags of an event; default 16
	MetadataKeys  int // metadata entries of an event; default 64
	MetadataBytes int // metadata of an event, keys and values together; default 16 KiB
	AppendBytes   int // an append as a whole, about; default 768 KiB: it has to fit a NATS message of 1 MiB beside its dependencies
	SnapshotBytes int // data of a snapshot; default 512 KiB
}

// DefaultLimits returns the limits that hold unless configured otherwise.
func DefaultLimits() Limits {
	return Limits{
		Events: 1000, Streams: 100, EventBytes: 256 << 10, Tags: 16, MetadataKeys: 64, MetadataBytes: 16 << 10,
		AppendBytes: 768 << 10, SnapshotBytes: 512 << 10,
	}
}

// maxVersion is the highest version, snapshot version and lag: what a signed 64-bit column holds, with room to
// count on.
const maxVersion = 1 << 62
