package event

import "github.com/oklog/ulid/v2"

// NewClaim makes a Command of a subscriber's claim.
func NewClaim(key string, worker ulid.ULID) (Command, error) {
	if err := checkName("key", key, false); err != nil {
		return Command{}, err
	}
	if worker == (ulid.ULID{}) {
		return Command{}, &InvalidError{"worker", "is zero"}
	}
	return Command{Claim: &Claim{key, worker}}, nil
}

// NewTakeOver makes a Command that has worker take a subscriber over from previous.
func NewTakeOver(key string, worker, previous ulid.ULID) (Command, error) {
	if err := checkName("key", key, false); err != nil {
		return Command{}, err
	}
	return Command{TakeOver: &TakeOver{key, worker, previous}}, nil
}

// NewReset makes a Command that puts a subscriber's cursor at a position; the empty one is before every event.
func NewReset(key string, position Position) (Command, error) {
	if err := checkName("key", key, false); err != nil {
		return Command{}, err
	}
	if _, err := ParsePosition(string(position)); err != nil {
		return Command{}, &InvalidError{"position", "is not a position"}
	}
	return Command{Reset: &Reset{key, position}}, nil
}

// NewAck makes a Command of a subscriber's acknowledgement.
func NewAck(key string, worker ulid.ULID, position Position, lag uint64) (Command, error) {
	if err := checkName("key", key, false); err != nil {
		return Command{}, err
	}
	if _, err := ParsePosition(string(position)); err != nil || position == "" {
		return Command{}, &InvalidError{"position", "is not a position"}
	}
	if lag > maxVersion {
		return Command{}, &InvalidError{"lag", "is out of range"}
	}
	return Command{Ack: &Ack{key, worker, position, lag}}, nil
}

// NewPutSnapshot makes a Command that stores a snapshot.
func NewPutSnapshot(s Snapshot, limits Limits) (Command, error) {
	if err := checkSnapshotName(s.Stream, s.Name); err != nil {
		return Command{}, err
	}
	if s.Version > maxVersion {
		return Command{}, &InvalidError{"version", "is out of range"}
	}
	if len(s.Data) > limits.SnapshotBytes {
		return Command{}, &TooLargeError{"data in bytes", len(s.Data), limits.SnapshotBytes}
	}
	s.Data = append([]byte{}, s.Data...)
	return Command{PutSnapshot: &s}, nil
}

// NewDropSnapshot makes a Command that removes a snapshot.
func NewDropSnapshot(stream Stream, name string) (Command, error) {
	if err := checkSnapshotName(stream, name); err != nil {
		return Command{}, err
	}
	return Command{DropSnapshot: &SnapshotName{stream, name}}, nil
}

func checkSnapshotName(stream Stream, name string) error {
	if err := stream.Validate(); err != nil {
		return err
	}
	return checkName("name", name, false)
}
