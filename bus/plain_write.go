package bus

import (
	"strconv"
	"unicode/utf8"

	"natsaccord/event"
)

// plainWriter writes what plainReader reads, as encoding/json would. bad is set by what it would write otherwise.
type plainWriter struct {
	b   []byte
	bad bool
}

// writePlain writes a message, and tells whether it could: encoding/json can write any.
func writePlain(message any) ([]byte, bool) {
	var w plainWriter
	switch m := message.(type) {
	case TransactionRequest:
		w.transaction(&m)
	case AppendReply:
		w.reply(&m)
	default:
		return nil, false
	}
	return w.b, !w.bad
}

// text writes a string that needs no escapes, and of which it is certain that encoding/json sees it so: ASCII.
func (w *plainWriter) text(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			w.bad = true
			return
		}
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

// name begins a field. key is its name in quotes, and the colon.
func (w *plainWriter) name(key string) {
	if last := w.b[len(w.b)-1]; last != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, key...)
}

// optional writes a field that is left out if it is empty.
func (w *plainWriter) optional(key, s string) {
	if s != "" {
		w.name(key)
		w.text(s)
	}
}

func (w *plainWriter) field(key, s string) {
	w.name(key)
	w.text(s)
}

func (w *plainWriter) number(key string, n uint64) {
	w.name(key)
	w.b = strconv.AppendUint(w.b, n, 10)
}

func (w *plainWriter) flag(key string, is bool) {
	w.name(key)
	w.b = strconv.AppendBool(w.b, is)
}

// list begins a list of n items, which write adds, each in an object.
func (w *plainWriter) list(key string, n int, write func(i int)) {
	w.name(key)
	w.b = append(w.b, '[')
	for i := range n {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, '{')
		write(i)
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

func (w *plainWriter) transaction(r *TransactionRequest) {
	size := 128 + len(r.RequestID) + 64*len(r.Checks)
	for i := range r.Events {
		size += 128 + len(r.Events[i].Data)
	}
	w.bad = r.Absent != nil || r.Events == nil
	w.b = append(make([]byte, 0, size), '{')
	w.optional(`"request_id":`, r.RequestID)
	if len(r.Checks) > 0 {
		w.list(`"checks":`, len(r.Checks), func(i int) { w.check(&r.Checks[i]) })
	}
	w.optional(`"after":`, r.After)
	if r.TimeoutMS > 0 {
		w.number(`"timeout_ms":`, uint64(r.TimeoutMS))
	}
	w.bad = w.bad || r.TimeoutMS < 0
	w.list(`"events":`, len(r.Events), func(i int) { w.event(&r.Events[i]) })
	w.b = append(w.b, '}')
}

func (w *plainWriter) check(c *Check) {
	w.field(`"stream":`, c.Stream)
	w.name(`"expect":`)
	switch {
	case c.Expect == nil:
		w.bad = true
	case *c.Expect >= 0:
		w.b = strconv.AppendInt(w.b, int64(*c.Expect), 10)
	default:
		w.text(c.Expect.String())
	}
}

func (w *plainWriter) event(e *NewEvent) {
	w.optional(`"id":`, e.ID)
	w.optional(`"stream":`, e.Stream)
	if e.Version > 0 {
		w.number(`"version":`, e.Version)
	}
	w.field(`"type":`, e.Type)
	if len(e.Data) > 0 {
		w.name(`"data":`)
		w.b = append(w.b, e.Data...)
	}
	w.bad = w.bad || event.PlainJSON(e.Data) != len(e.Data) || e.DataBase64 != nil || len(e.Metadata) > 0 || len(e.Tags) > 0
	w.optional(`"routing_key":`, e.RoutingKey)
}

func (w *plainWriter) reply(r *AppendReply) {
	w.bad = r.Streams == nil || r.Events == nil
	w.b = append(make([]byte, 0, 256+64*len(r.Streams)+160*len(r.Events)), '{')
	w.field(`"type":`, r.Type)
	w.field(`"outcome":`, r.Outcome)
	w.field(`"request_id":`, r.RequestID)
	w.optional(`"txn":`, r.Txn)
	w.field(`"position":`, r.Position)
	w.list(`"streams":`, len(r.Streams), func(i int) {
		w.field(`"stream":`, r.Streams[i].Stream)
		w.number(`"version":`, r.Streams[i].Version)
	})
	w.list(`"events":`, len(r.Events), func(i int) {
		e := &r.Events[i]
		w.field(`"id":`, e.ID)
		w.field(`"stream":`, e.Stream)
		w.number(`"version":`, e.Version)
		w.field(`"position":`, e.Position)
	})
	w.flag(`"duplicate":`, r.Duplicate)
	w.optional(`"path":`, r.Path)
	if r.Truncated {
		w.flag(`"truncated":`, true)
	}
	w.optional(`"node":`, r.Node)
	w.b = append(w.b, '}')
}
