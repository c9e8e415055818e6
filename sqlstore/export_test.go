package sqlstore

import "natsaccord/event"

// SelectText is how a page is asked for.
func SelectText(args event.ReadArgs) (text string, values []any) {
	q := newSelection(args)
	return q.page(args, max(args.Limit, 1)), q.args
}

// DeleteFences is the statement.
const DeleteFences = deleteFences
