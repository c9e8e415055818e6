package bus

import (
	"natsaccord/event"
)

// Appends and their replies are most of what is read and written here, and encoding/json takes as long for one as
// the protocol does for a transaction. So they are read by hand if they are plain: without spaces, without escapes in names
// and ids, and with nothing that is rare. What is not plain, or wrong, is left to encoding/json, as if nobody had tried.

// plainReader reads plain JSON. After the first thing that is not, bad is set, and everything is empty.
type plainReader struct {
	b   []byte // valid UTF-8
	at  int
	bad bool
}

// is goes behind c if it is next.
func (p *plainReader) is(c byte) bool {
	if p.bad || p.at >= len(p.b) || p.b[p.at] != c {
		return false
	}
	p.at++
	return true
}

func (p *plainReader) want(c byte) { p.bad = !p.is(c) || p.bad }

// raw reads a string, without its quotes.
func (p *plainReader) raw() []byte {
	p.want('"')
	for start := p.at; !p.bad && p.at < len(p.b); {
		c := p.b[p.at]
		p.at++
		if c == '"' {
			return p.b[start : p.at-1]
		}
		p.bad = c < ' ' || c == '\\'
	}
	p.bad = true
	return nil
}

func (p *plainReader) text() string { return string(p.raw()) }

// number reads a whole number of up to 18 digits.
func (p *plainReader) number() (n uint64) {
	start := p.at
	for !p.bad && p.at < len(p.b) && p.b[p.at] >= '0' && p.b[p.at] <= '9' {
		n = n*10 + uint64(p.b[p.at]-'0')
		p.at++
	}
	digits := p.at - start
	p.bad = p.bad || digits == 0 || digits > 18 || digits > 1 && p.b[start] == '0'
	return n
}

func (p *plainReader) flag() bool {
	for _, word := range []string{"true", "false"} {
		if !p.bad && len(p.b)-p.at >= len(word) && string(p.b[p.at:p.at+len(word)]) == word {
			p.at += len(word)
			return word == "true"
		}
	}
	p.bad = true
	return false
}

// value reads any plain value.
func (p *plainReader) value() []byte {
	if p.bad {
		return nil
	}
	start := p.at
	p.at += event.PlainJSON(p.b[p.at:])
	p.bad = p.at == start
	return p.b[start:p.at]
}

// object reads an object, each field by read, which tells which of up to 64 it is. None may stand twice.
func (p *plainReader) object(read func(name []byte) (field int)) {
	p.want('{')
	seen := uint64(0)
	for first := true; !p.bad && !p.is('}'); first = false {
		if !first {
			p.want(',')
		}
		name := p.raw()
		p.want(':')
		bit := uint64(1) << (read(name) & 63)
		p.bad = p.bad || seen&bit != 0
		seen |= bit
	}
}

// unknown is what a field comes to whose name is not known.
func (p *plainReader) unknown() int {
	p.bad = true
	return 0
}

// list reads a list, each item by read.
func (p *plainReader) list(read func()) {
	p.want('[')
	for first := true; !p.bad && !p.is(']'); first = false {
		if !first {
			p.want(',')
		}
		read()
	}
}

// done tells whether that was all, and plain.
func (p *plainReader) done() bool { return !p.bad && p.at == len(p.b) }

// readPlain reads a message that is plain, and tells whether it was. If not, what is in it means nothing.
func readPlain(body []byte, into any) bool {
	p := plainReader{b: body}
	switch m := into.(type) {
	case *TransactionRequest:
		p.object(func(name []byte) int { return p.transaction(m, name) })
	case *AppendRequest:
		p.object(func(name []byte) int { return p.append(m, name) })
	case *AppendReply:
		p.object(func(name []byte) int { return p.reply(m, name) })
	case *AppendsRequest:
		p.object(func(name []byte) int { return p.appends(m, name) })
	case *AppendsReply:
		p.object(func(name []byte) int { return p.appendsReply(m, name) })
	default:
		return false
	}
	return p.done()
}

func (p *plainReader) transaction(r *TransactionRequest, name []byte) int {
	switch string(name) {
	case "request_id":
		r.RequestID = p.text()
		return 0
	case "checks":
		r.Checks = []Check{}
		p.list(func() {
			r.Checks = append(r.Checks, Check{})
			c := &r.Checks[len(r.Checks)-1]
			p.object(func(name []byte) int { return p.check(c, name) })
		})
		return 1
	case "after":
		r.After = p.text()
		return 2
	case "timeout_ms":
		r.TimeoutMS = int64(p.number())
		return 3
	case "events":
		r.Events = p.events()
		return 4
	}
	return p.unknown()
}

func (p *plainReader) append(r *AppendRequest, name []byte) int {
	switch string(name) {
	case "request_id":
		r.RequestID = p.text()
		return 0
	case "expect":
		r.Expect = p.expect()
		return 1
	case "after":
		r.After = p.text()
		return 2
	case "timeout_ms":
		r.TimeoutMS = int64(p.number())
		return 3
	case "events":
		r.Events = p.events()
		return 4
	}
	return p.unknown()
}

func (p *plainReader) check(c *Check, name []byte) int {
	switch string(name) {
	case "stream":
		c.Stream = p.text()
		return 0
	case "expect":
		c.Expect = p.expect()
		return 1
	}
	return p.unknown()
}

func (p *plainReader) expect() *event.Expect {
	var x event.Expect
	if p.at < len(p.b) && p.b[p.at] == '"' {
		var err error
		x, err = event.ParseExpect(p.text())
		p.bad = p.bad || err != nil
	} else {
		x = event.Expect(p.number())
	}
	return &x
}

func (p *plainReader) events() []NewEvent {
	events := []NewEvent{}
	p.list(func() {
		events = append(events, NewEvent{})
		e := &events[len(events)-1]
		p.object(func(name []byte) int { return p.event(e, name) })
	})
	return events
}

func (p *plainReader) event(e *NewEvent, name []byte) int {
	switch string(name) {
	case "id":
		e.ID = p.text()
		return 0
	case "stream":
		e.Stream = p.text()
		return 1
	case "version":
		e.Version = p.number()
		return 2
	case "type":
		e.Type = p.text()
		return 3
	case "data":
		e.Data = p.value()
		return 4
	case "metadata":
		e.Metadata = p.metadata()
		return 5
	case "tags":
		e.Tags = []string{}
		p.list(func() { e.Tags = append(e.Tags, p.text()) })
		return 6
	case "routing_key":
		e.RoutingKey = p.text()
		return 7
	}
	return p.unknown()
}

func (p *plainReader) metadata() map[string]string {
	m := make(map[string]string)
	n := 0
	p.want('{')
	for ; !p.bad && !p.is('}'); n++ {
		if n > 0 {
			p.want(',')
		}
		key := p.text()
		p.want(':')
		m[key] = p.text()
	}
	p.bad = p.bad || len(m) != n // one stands twice
	return m
}

func (p *plainReader) reply(r *AppendReply, name []byte) int {
	switch string(name) {
	case "type":
		r.Type = p.text()
		return 0
	case "outcome":
		r.Outcome = p.text()
		return 1
	case "request_id":
		r.RequestID = p.text()
		return 2
	case "txn":
		r.Txn = p.text()
		return 3
	case "position":
		r.Position = p.text()
		return 4
	case "streams":
		r.Streams = []StreamVersion{}
		p.list(func() {
			r.Streams = append(r.Streams, StreamVersion{})
			s := &r.Streams[len(r.Streams)-1]
			p.object(func(name []byte) int { return p.streamVersion(s, name) })
		})
		return 5
	case "events":
		r.Events = []EventRef{}
		p.list(func() {
			r.Events = append(r.Events, EventRef{})
			e := &r.Events[len(r.Events)-1]
			p.object(func(name []byte) int { return p.ref(e, name) })
		})
		return 6
	case "duplicate":
		r.Duplicate = p.flag()
		return 7
	case "path":
		r.Path = p.text()
		return 8
	case "truncated":
		r.Truncated = p.flag()
		return 9
	case "node":
		r.Node = p.text()
		return 10
	}
	return p.unknown()
}

func (p *plainReader) streamVersion(s *StreamVersion, name []byte) int {
	switch string(name) {
	case "stream":
		s.Stream = p.text()
		return 0
	case "version":
		s.Version = p.number()
		return 1
	}
	return p.unknown()
}

func (p *plainReader) ref(e *EventRef, name []byte) int {
	switch string(name) {
	case "id":
		e.ID = p.text()
		return 0
	case "stream":
		e.Stream = p.text()
		return 1
	case "version":
		e.Version = p.number()
		return 2
	case "position":
		e.Position = p.text()
		return 3
	}
	return p.unknown()
}
