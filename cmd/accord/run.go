package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"natsaccord/event"
)

// Main is the program without its process: what end-to-end tests run.
type Main struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string // as os.Environ has it
}

// Exit codes.
const (
	exitDone        = 0
	exitRefused     = 1
	exitUsage       = 2
	exitUnknown     = 3
	exitUnreachable = 4
)

// errUsage marks what is wrong with the command line.
var errUsage = errors.New("usage")

// Run runs one command until it is done or ctx ends, and returns its exit code.
func (m Main) Run(ctx context.Context, args []string) int {
	root := m.root()
	root.SetArgs(args)
	root.SetIn(m.Stdin)
	root.SetOut(m.Stdout)
	root.SetErr(m.Stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(m.Stderr, "accord:", err)
	}
	return exitCode(err)
}

// exitCode says in one number what state an error leaves things in.
func exitCode(err error) int {
	if _, unknown := errors.AsType[*event.UnknownError](err); unknown {
		return exitUnknown
	}
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errUsage), strings.HasPrefix(err.Error(), "unknown command"), strings.HasPrefix(err.Error(), "unknown flag"):
		return exitUsage
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrTimeout):
		return exitUnreachable
	}
	return exitRefused
}

func (m Main) root() *cobra.Command {
	root := &cobra.Command{
		Use: "accord", Short: "An event store without a leader, on NATS and Postgres or SQLite",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	root.AddCommand(m.devCommand(), m.nodeCommand(), m.migrateCommand(), m.configCommand(), m.versionCommand())
	root.AddCommand(m.clientCommands()...)
	return root
}

// logger writes text to a terminal and JSON elsewhere.
func (m Main) logger(verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	if f, ok := m.Stderr.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		return slog.New(tint.NewTextHandler(m.Stderr, &tint.Options{Level: level}))
	}
	return slog.New(slog.NewJSONHandler(m.Stderr, &slog.HandlerOptions{Level: level}))
}

// version is the program's, as semver.
const version = "0.1.0"

func (m Main) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, Run: func(*cobra.Command, []string) {
		fmt.Fprintln(m.Stdout, "accord", version)
	}}
}
