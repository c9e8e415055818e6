package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/event"
)

// selection is what the flags of read and tail select.
type selection struct {
	args                   event.ReadArgs
	after, before, atLeast string
	consistency            string
	types, tags            []string
}

func (s *selection) flags(f *pflag.FlagSet) {
	f.StringVar(&s.after, "after", "", "only events behind this position")
	f.StringSliceVar(&s.types, "type", nil, "only events of one of these types")
	f.StringSliceVar(&s.tags, "tag", nil, "only events with all of these tags")
	f.StringVar(&s.args.RoutingKey, "routing-key", "", "only events with this routing key")
	f.StringVar(&s.consistency, "consistency", "", "local, at_least, linearizable or frontier (default: linearizable for a stream, else frontier)")
	f.StringVar(&s.atLeast, "min-position", "", "with at_least: wait until the node has this position")
}

// of returns what to read: a stream has a dot in its name, a category has none, and nothing is the whole log.
func (s *selection) of(given []string) event.ReadArgs {
	args := s.args
	switch {
	case len(given) == 1 && strings.Contains(given[0], "."):
		args.Stream = event.Stream(given[0])
	case len(given) == 1:
		args.Category = given[0]
	}
	args.After, args.Before, args.MinPosition = event.Position(s.after), event.Position(s.before), event.Position(s.atLeast)
	args.Types, args.Tags, args.Consistency = s.types, s.tags, event.Consistency(s.consistency)
	if s.atLeast != "" && s.consistency == "" {
		args.Consistency = event.AtLeast
	}
	return args
}

func (m Main) readCommand() *cobra.Command {
	var s selection
	limit := 0
	c := m.clientCommand("read [STREAM|CATEGORY]", "Print events of a stream, of a category, or of the whole log", cobra.MaximumNArgs(1),
		func(ctx context.Context, r *remote, c *client.Client, given []string) error {
			printed := 0
			for e, err := range c.Events(ctx, s.of(given)) {
				if err != nil {
					return err
				}
				if err := m.printEvent(r, e); err != nil {
					return err
				}
				if printed++; printed == limit {
					break
				}
			}
			return nil
		})
	s.flags(c.Flags())
	c.Flags().Uint64Var(&s.args.FromVersion, "from-version", 0, "only events of a stream from this version on")
	c.Flags().StringVar(&s.before, "before", "", "only events before this position")
	c.Flags().BoolVar(&s.args.Backward, "backward", false, "newest first")
	c.Flags().IntVar(&limit, "limit", 0, "at most so many events (default: all)")
	return c
}

func (m Main) tailCommand() *cobra.Command {
	var s selection
	var follow bool
	count := 10
	c := m.clientCommand("tail [STREAM|CATEGORY]", "Print the last events, and with --follow those to come", cobra.MaximumNArgs(1),
		func(ctx context.Context, r *remote, c *client.Client, given []string) error {
			args := s.of(given)
			last, err := lastEvents(ctx, c, args, count)
			if err != nil {
				return err
			}
			for _, e := range last {
				if err := m.printEvent(r, e); err != nil {
					return err
				}
				args.After = e.Position
			}
			if !follow {
				return nil
			}
			return m.follow(ctx, r, c, args)
		})
	s.flags(c.Flags())
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is written from now on, until interrupted")
	c.Flags().IntVarP(&count, "lines", "n", count, "how many of the last events; 0 with --after: all behind it")
	return c
}

// lastEvents returns the last events there are, oldest first.
func lastEvents(ctx context.Context, c *client.Client, args event.ReadArgs, count int) (last []event.Event, err error) {
	if count <= 0 {
		return nil, nil
	}
	args.Backward, args.Limit = true, count
	for e, err := range c.Events(ctx, args) {
		if err != nil {
			return nil, err
		}
		if last = append(last, e); len(last) == count {
			break
		}
	}
	slices.Reverse(last)
	return last, nil
}

// follow prints what is written until ctx ends. What may pass is told and waited out.
func (m Main) follow(ctx context.Context, r *remote, c *client.Client, args event.ReadArgs) error {
	var failure error
	for e, err := range c.Follow(ctx, args) {
		if failure = err; err != nil {
			fmt.Fprintln(m.Stderr, "accord: follow:", err)
			continue
		}
		if err := m.printEvent(r, e); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return failure
}

func (m Main) printEvent(r *remote, e event.Event) error {
	if r.output == "json" {
		return m.printJSON(bus.NewReadReply(event.Page{Events: []event.Event{e}}, false).Events[0])
	}
	_, err := fmt.Fprintf(m.Stdout, "%s  %s  %d  %s  %s\n", e.Position, e.Stream, e.Version, e.Type, e.Data)
	return err
}
