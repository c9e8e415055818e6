package bus

import (
	"encoding/json"
	"strconv"
)

// What stands in messages of several appends is read and written elsewhere: here it is only taken apart and put together.

func (p *plainReader) appends(r *AppendsRequest, name []byte) int {
	if string(name) == "appends" {
		r.Appends = []json.RawMessage{}
		p.list(func() { r.Appends = append(r.Appends, p.value()) })
		return 0
	}
	return p.unknown()
}

func (p *plainReader) appendsReply(r *AppendsReply, name []byte) int {
	switch string(name) {
	case "type":
		r.Type = p.text()
		return 0
	case "replies":
		r.Replies = []IndexedReply{}
		p.list(func() {
			r.Replies = append(r.Replies, IndexedReply{})
			i := &r.Replies[len(r.Replies)-1]
			p.object(func(name []byte) int { return p.indexed(i, name) })
		})
		return 1
	case "left":
		r.Left = int(p.number())
		return 2
	}
	return p.unknown()
}

func (p *plainReader) indexed(r *IndexedReply, name []byte) int {
	switch string(name) {
	case "index":
		r.Index = int(p.number())
		return 0
	case "reply":
		r.Reply = p.value()
		return 1
	}
	return p.unknown()
}

// frameBytes is more than what stands in an AppendsRequest around its only append, or in an AppendsReply around its only
// reply, and between two of them.
const frameBytes = 128

// EncodeAppends encodes an AppendsRequest of requests that are encoded.
func EncodeAppends(encoded [][]byte) []byte {
	size := frameBytes
	for _, one := range encoded {
		size += len(one) + len(",")
	}
	b := append(make([]byte, 0, size), `{"appends":[`...)
	for i, one := range encoded {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, one...)
	}
	return append(b, "]}"...)
}

// encodeReplies encodes an AppendsReply of replies that are encoded.
func encodeReplies(replies []IndexedReply, left int) []byte {
	size := frameBytes
	for i := range replies {
		size += replies[i].size()
	}
	b := append(make([]byte, 0, size), `{"type":"`+TypeAppendsReply+`","replies":[`...)
	for i := range replies {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"index":`...)
		b = strconv.AppendInt(b, int64(replies[i].Index), 10)
		b = append(b, `,"reply":`...)
		b = append(b, replies[i].Reply...)
		b = append(b, '}')
	}
	b = append(b, `],"left":`...)
	b = strconv.AppendInt(b, int64(left), 10)
	return append(b, '}')
}

// size is about how many bytes an encoded reply takes among others, and no less.
func (r *IndexedReply) size() int { return len(`{"index":255,"reply":},`) + len(r.Reply) }
