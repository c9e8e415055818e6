package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/event"
)

// remote is how a client command reaches a cluster, and how it prints.
type remote struct {
	nats    bus.Config
	prefix  string
	node    string
	near    string
	output  string
	timeout time.Duration
}

// clientCommand makes a command that talks to a cluster.
func (m Main) clientCommand(use, short string, args cobra.PositionalArgs, run func(ctx context.Context, r *remote, c *client.Client, args []string) error) *cobra.Command {
	r := &remote{}
	c := &cobra.Command{
		Use: use, Short: short,
		Args: func(c *cobra.Command, given []string) error {
			if err := args(c, given); err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := r.validate(); err != nil {
				return err
			}
			nc, err := bus.DialClient(r.nats, "accord-cli")
			if err != nil {
				return err
			}
			defer nc.Close()
			remote, err := client.New(nc, client.Options{Prefix: r.prefix, Node: r.node, Near: r.near, Timeout: r.timeout})
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			return run(c.Context(), r, remote, args)
		},
	}
	m.remoteFlags(c, r)
	return c
}

// remoteFlags adds what all client commands have.
func (m Main) remoteFlags(c *cobra.Command, r *remote) {
	f := c.Flags()
	m.configured(c, f, func(f *pflag.FlagSet) {
		natsFlags(f, &r.nats)
		prefixFlag(f, &r.prefix)
	})
	f.StringVar(&r.node, "node", "", "ask this node and no other")
	f.StringVar(&r.near, "near", "", "ask this node first, and others while it does not answer (default: NATS chooses)")
	f.StringVarP(&r.output, "output", "o", "table", "table or json")
	f.DurationVar(&r.timeout, "timeout", 10*time.Second, "how long to wait for an answer")
}

func (r *remote) validate() error {
	if r.output != "table" && r.output != "json" {
		return fmt.Errorf("%w: --output is %q, want table or json", errUsage, r.output)
	}
	return nil
}

func (m Main) clientCommands() []*cobra.Command {
	return []*cobra.Command{
		m.appendCommand(), m.readCommand(), m.tailCommand(), m.headCommand(), m.txnCommand(), m.importCommand(), m.statusCommand(),
		m.verifyCommand(), m.subscriberCommand(), m.benchCommand(),
	}
}

// printJSON prints a value on one line.
func (m Main) printJSON(v any) error { return json.NewEncoder(m.Stdout).Encode(v) }

// table prints aligned columns.
func (m Main) table(print func(w io.Writer)) error {
	w := tabwriter.NewWriter(m.Stdout, 0, 8, 2, ' ', 0)
	print(w)
	return w.Flush()
}

func (m Main) appendCommand() *cobra.Command {
	var eventType, expect, requestID string
	c := m.clientCommand("append STREAM DATA", "Append one event: DATA is JSON, - reads it from standard input", cobra.ExactArgs(2),
		func(ctx context.Context, r *remote, c *client.Client, args []string) error {
			data := []byte(args[1])
			if args[1] == "-" {
				var err error
				if data, err = io.ReadAll(m.Stdin); err != nil {
					return fmt.Errorf("read standard input: %w", err)
				}
			}
			stream := event.Stream(args[0])
			a := event.Append{RequestID: requestID, Events: []event.Event{{Stream: stream, Type: eventType, Data: data}}}
			if expect != "" {
				want, err := event.ParseExpect(expect)
				if err != nil {
					return fmt.Errorf("%w: %w", errUsage, err)
				}
				a.Conditions = []event.Condition{{Stream: stream, Expect: want}}
			}
			receipt, err := c.Append(ctx, a)
			if err != nil {
				return err
			}
			return m.printReceipt(r, receipt)
		})
	c.Flags().StringVar(&eventType, "type", "Event", "type of the event")
	c.Flags().StringVar(&expect, "expect", "", "version the stream must have: a number, none, exists or any")
	c.Flags().StringVar(&requestID, "request-id", "", "commit at most once under this id (default: one is made)")
	return c
}

func (m Main) printReceipt(r *remote, receipt event.Receipt) error {
	if r.output == "json" {
		return m.printJSON(bus.NewAppendReply(receipt))
	}
	return m.table(func(w io.Writer) {
		fmt.Fprintf(w, "committed\t%s\n", receipt.Position)
		for _, s := range receipt.Streams {
			fmt.Fprintf(w, "%s\tversion %d\n", s.Stream, s.Version)
		}
		fmt.Fprintf(w, "request\t%s\n", receipt.RequestID)
		if receipt.Duplicate {
			fmt.Fprintf(w, "duplicate\tyes\n")
		}
		if receipt.Path != "" {
			fmt.Fprintf(w, "path\t%s\n", receipt.Path)
		}
	})
}

func (m Main) headCommand() *cobra.Command {
	return m.clientCommand("head STREAM", "Print how many events a stream has, and where the last stands", cobra.ExactArgs(1),
		func(ctx context.Context, r *remote, c *client.Client, args []string) error {
			head, err := c.Head(ctx, event.Stream(args[0]))
			if err != nil {
				return err
			}
			if r.output == "json" {
				return m.printJSON(bus.HeadReply{Type: bus.TypeHeadReply, Version: head.Version, Position: string(head.Position)})
			}
			fmt.Fprintf(m.Stdout, "version %d  %s\n", head.Version, head.Position)
			return nil
		})
}

func (m Main) txnCommand() *cobra.Command {
	return m.clientCommand("txn ID", "Print what became of a request, by its request id or its transaction's id", cobra.ExactArgs(1),
		func(ctx context.Context, r *remote, c *client.Client, args []string) error {
			receipt, err := c.Outcome(ctx, args[0])
			if err != nil {
				return err
			}
			return m.printReceipt(r, receipt)
		})
}

func (m Main) statusCommand() *cobra.Command {
	return m.clientCommand("status", "Print how the nodes are", cobra.NoArgs,
		func(ctx context.Context, r *remote, c *client.Client, _ []string) error {
			seen, err := c.Status(ctx, r.node)
			if err != nil {
				return err
			}
			var statuses []event.NodeStatus
			for _, name := range seen.Nodes {
				short, cancel := context.WithTimeout(ctx, 2*time.Second)
				status, err := c.Status(short, name)
				cancel()
				if err != nil {
					status = event.NodeStatus{Name: name, State: "unreachable", Reason: err.Error()}
				}
				statuses = append(statuses, status)
			}
			return m.printStatuses(r, statuses)
		})
}

func (m Main) printStatuses(r *remote, statuses []event.NodeStatus) error {
	if r.output == "json" {
		replies := []bus.NodeReply{}
		for _, s := range statuses {
			replies = append(replies, bus.NewNodeReply(s))
		}
		return m.printJSON(replies)
	}
	return m.table(func(w io.Writer) {
		fmt.Fprintln(w, "NODE\tSTATE\tEVENTS\tLAST\tIN FLIGHT\tFAST\tSLOW\tRECOVERED\tSTORE\tREASON")
		for _, s := range statuses {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", s.Name, s.State, s.Events, s.Last, s.InFlight,
				s.Counters["fast"], s.Counters["slow"], s.Counters["recovered"], s.Store, strings.Join(nonEmpty(s.Reason, s.Alarm), "; "))
		}
		if i := slices.IndexFunc(statuses, someDecide); i >= 0 {
			fmt.Fprintf(w, "One round takes %d of %s.\n", statuses[i].FastQuorum, strings.Join(statuses[i].Electorate, ", "))
		}
	})
}

// someDecide tells whether it is known that fewer than all nodes decide in one round.
func someDecide(s event.NodeStatus) bool { return s.FastQuorum > 0 && s.FastQuorum < len(s.Nodes) }

func nonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}
