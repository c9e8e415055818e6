package event

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// A bundle is several appends of one transaction. They are independent of each other: each is evaluated as if it were a
// transaction of its own, right behind the one before, and has its own request id and its own outcome. Only the way
// through consensus is shared, which costs as much for one as for many.

// Each returns the commands that a transaction evaluates, in order: those of the bundle, or c alone.
func (c *Command) Each() []Command {
	if c.Bundle != nil {
		return c.Bundle
	}
	return []Command{*c}
}

// PartID is what a command of a transaction is known by: the first has the id of the transaction, and those behind it
// theirs with a number, "…-1" and so on.
func PartID(txnID string, part int) string {
	if part == 0 {
		return txnID
	}
	return txnID + "-" + strconv.Itoa(part)
}

// SplitPartID returns which command of which transaction an id is of. What is no PartID is all transaction.
func SplitPartID(id string) (txnID string, part int) {
	txnID, number, found := strings.Cut(id, "-")
	part, err := strconv.Atoi(number)
	if !found || err != nil || part < 1 || PartID(txnID, part) != id {
		return id, 0
	}
	return txnID, part
}

// MayBundle tells whether a command may share a transaction with others: a plain append, which looks at nothing but what
// it names.
func (c *Command) MayBundle() bool { return c.Append != nil && c.Append.Absent == nil }

// Bundle joins encoded commands into the encoding of one of them all. Each must be one that MayBundle.
func Bundle(encoded [][]byte) []byte {
	size := 2 + binary.MaxVarintLen64
	for _, one := range encoded {
		size += len(one)
	}
	b := binary.AppendUvarint(append(make([]byte, 0, size), commandVersion, opBundle), uint64(len(encoded)))
	for _, one := range encoded {
		b = append(b, one[2:]...)
	}
	return b
}

// CountCommands returns how many commands an encoded one holds, without decoding them.
func CountCommands(encoded []byte) int {
	if len(encoded) < 3 || encoded[1] != opBundle {
		return 1
	}
	n, _ := binary.Uvarint(encoded[2:])
	return int(min(n, uint64(len(encoded))))
}

func appendBundle(b []byte, bundle []Command) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(len(bundle)))
	for i := range bundle {
		if !bundle[i].MayBundle() {
			return nil, errors.New("event: a bundle of other things than plain appends")
		}
		b = appendAppend(b, bundle[i].Append, bundle[i].Hash)
	}
	return b, nil
}

// leastAppend is the size of an append without anything: a hash and four lengths.
const leastAppend = 16 + 4

func (d *decoder) bundle() []Command {
	n := d.count(leastAppend)
	if n < 2 {
		d.fail("a bundle of %d", n)
		return nil
	}
	bundle := make([]Command, n)
	for i := range bundle {
		bundle[i].Append = d.append(&bundle[i].Hash)
	}
	return bundle
}
