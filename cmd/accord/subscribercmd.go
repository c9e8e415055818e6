package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/event"
)

func (m Main) subscriberCommand() *cobra.Command {
	c := &cobra.Command{Use: "subscriber", Short: "Look at subscribers, or put one back", Args: cobra.NoArgs}
	c.AddCommand(m.subscriberListCommand(), m.subscriberGetCommand(), m.subscriberResetCommand())
	return c
}

func (m Main) subscriberListCommand() *cobra.Command {
	return m.clientCommand("list", "Print all subscribers, as one node knows them", cobra.NoArgs,
		func(ctx context.Context, r *remote, c *client.Client, _ []string) error {
			var all []event.Subscriber
			for after := ""; ; after = all[len(all)-1].Key {
				found, err := c.Subscribers(ctx, after, 0)
				if err != nil {
					return err
				}
				all = append(all, found...)
				if len(found) < event.MaxSubscribers {
					return m.printSubscribers(r, all)
				}
			}
		})
}

func (m Main) subscriberGetCommand() *cobra.Command {
	return m.clientCommand("get KEY", "Print where a subscriber is", cobra.ExactArgs(1),
		func(ctx context.Context, r *remote, c *client.Client, args []string) error {
			found, err := c.Subscriber(ctx, args[0])
			if err == nil && found.Seen.IsZero() {
				err = fmt.Errorf("subscriber %q: %w", args[0], event.ErrNotFound)
			}
			if err != nil {
				return err
			}
			return m.printSubscribers(r, []event.Subscriber{found})
		})
}

func (m Main) subscriberResetCommand() *cobra.Command {
	var to string
	c := m.clientCommand("reset KEY", "Put a subscriber back to a position, or before every event; its worker starts over from there", cobra.ExactArgs(1),
		func(ctx context.Context, r *remote, c *client.Client, args []string) error {
			if err := c.ResetSubscriber(ctx, args[0], event.Position(to)); err != nil {
				return err
			}
			found, err := c.Subscriber(ctx, args[0])
			if err != nil {
				return err
			}
			return m.printSubscribers(r, []event.Subscriber{found})
		})
	c.Flags().StringVar(&to, "to", "", "position after which it is to go on (default: before every event)")
	return c
}

func (m Main) printSubscribers(r *remote, subscribers []event.Subscriber) error {
	if r.output == "json" {
		for _, s := range subscribers {
			if err := m.printJSON(bus.NewSubscriberReply(s)); err != nil {
				return err
			}
		}
		return nil
	}
	return m.table(func(w io.Writer) {
		fmt.Fprintln(w, "KEY\tWORKER\tCURSOR\tLAG\tSEEN")
		for _, s := range subscribers {
			worker := "none"
			if s.Worker != (ulid.ULID{}) {
				worker = s.Worker.String()
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", s.Key, worker, s.Cursor, s.Lag, s.Seen.Format(time.RFC3339))
		}
	})
}
