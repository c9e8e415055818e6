package event

import "unicode/utf8"

// PlainJSON returns the length of the JSON value that b begins with if it is plain: valid, without spaces or \u escapes, and
// not nested too deep. Of any other it returns 0, and encoding/json may say what it is. Nearly all data is plain, and
// reading it this way takes a fifth of the time.
func PlainJSON(b []byte) int {
	p := plainReader{b: b}
	if !p.value(1) || p.wide && !utf8.Valid(b[:p.at]) {
		return 0
	}
	return p.at
}

// plainReader reads a plain value; its methods tell whether what they are named after stands at at, and go behind it.
type plainReader struct {
	b    []byte
	at   int
	wide bool // there is more than ASCII in it
}

// peek returns the next byte, 0 at the end.
func (p *plainReader) peek() byte {
	if p.at < len(p.b) {
		return p.b[p.at]
	}
	return 0
}

func (p *plainReader) is(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

func (p *plainReader) value(depth int) bool {
	switch c := p.peek(); c {
	case '"':
		return p.text()
	case '{':
		return depth <= maxNesting && p.items(depth, '}', true)
	case '[':
		return depth <= maxNesting && p.items(depth, ']', false)
	case 't':
		return p.word("true")
	case 'f':
		return p.word("false")
	case 'n':
		return p.word("null")
	}
	return p.number()
}

// items reads an object or a list, from its first byte to end.
func (p *plainReader) items(depth int, end byte, named bool) bool {
	p.at++
	if p.is(end) {
		return true
	}
	for {
		if named && !(p.text() && p.is(':')) || !p.value(depth+1) {
			return false
		}
		if !p.is(',') {
			return p.is(end)
		}
	}
}

func (p *plainReader) text() bool {
	if !p.is('"') {
		return false
	}
	for p.at < len(p.b) {
		c := p.b[p.at]
		p.at++
		switch {
		case c == '"':
			return true
		case c < ' ':
			return false
		case c >= utf8.RuneSelf:
			p.wide = true
		case c == '\\':
			if !p.escaped() {
				return false
			}
		}
	}
	return false
}

// escaped reads what follows a backslash.
func (p *plainReader) escaped() bool {
	switch p.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.at++
		return true
	}
	return false
}

func (p *plainReader) word(w string) bool {
	if len(p.b)-p.at < len(w) || string(p.b[p.at:p.at+len(w)]) != w {
		return false
	}
	p.at += len(w)
	return true
}

func (p *plainReader) number() bool {
	p.is('-')
	if !p.is('0') && !p.digits() {
		return false
	}
	if p.is('.') && !p.digits() {
		return false
	}
	if p.is('e') || p.is('E') {
		if !p.is('+') {
			p.is('-')
		}
		return p.digits()
	}
	return true
}

// digits reads one or more.
func (p *plainReader) digits() bool {
	start := p.at
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.at++
	}
	return p.at > start
}
