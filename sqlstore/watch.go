package sqlstore

import (
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"

	"natsaccord/event"
)

// selectWatch finds the first event that a watch is for, by the table of tags, which is in the order of positions.
func selectWatch(w *event.Watch) (text string, args []any) {
	arg := func(value string) string {
		args = append(args, value)
		return "$" + strconv.Itoa(len(args))
	}
	text = `SELECT e.id, e.stream, e.version, e.position FROM event_tag t JOIN event e ON e.position = t.position WHERE t.tag = ` +
		arg(w.Tags[0]) + ` AND t.position > ` + arg(string(w.After))
	for _, tag := range w.Tags[1:] {
		text += ` AND EXISTS (SELECT 1 FROM event_tag o WHERE o.tag = ` + arg(tag) + ` AND o.position = t.position)`
	}
	if len(w.Types) > 0 {
		marks := make([]string, len(w.Types))
		for i, t := range w.Types {
			marks[i] = arg(t)
		}
		text += ` AND e.type IN (` + strings.Join(marks, ", ") + `)`
	}
	return text + ` ORDER BY t.position LIMIT 1`, args
}

// scanWatch reads what selectWatch finds, if it finds anything.
func (l *loaded) scanWatch(w event.Watch, found rows) error {
	l.state.Watches[w.Key()] = &w
	for found.Next() {
		var id string
		var version int64
		var ref event.Ref
		if err := found.Scan(&id, (*string)(&ref.Stream), &version, (*string)(&ref.Position)); err != nil {
			return err
		}
		parsed, err := ulid.ParseStrict(id)
		if err != nil {
			return err
		}
		ref.ID, ref.Version = parsed, uint64(version)
		w.Found = &ref
	}
	return found.Err()
}

// tagRow is an event's tag.
type tagRow struct {
	tag, position string
}

// tagRows are those of events.
func tagRows(events []event.Event) (tags []tagRow) {
	for i := range events {
		for _, tag := range events[i].Tags {
			tags = append(tags, tagRow{tag, string(events[i].Position)})
		}
	}
	return tags
}
