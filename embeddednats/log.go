package embeddednats

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// bridge carries what a server logs to slog. A server's notices are about itself, a dozen of them at every
// start: they are this program's debugging.
type bridge struct {
	log   *slog.Logger
	fatal chan error // the first thing that kept the server from running
}

func newBridge(log *slog.Logger) *bridge { return &bridge{log: log, fatal: make(chan error, 1)} }

// debugs tells whether it is worth the server's while to say more.
func (b *bridge) debugs() bool { return b.log.Enabled(context.Background(), slog.LevelDebug) }

func (b *bridge) say(level slog.Level, format string, args []any) {
	if ctx := context.Background(); b.log.Enabled(ctx, level) {
		b.log.Log(ctx, level, "NATS server", "says", strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}

func (b *bridge) Noticef(format string, args ...any) { b.say(slog.LevelDebug, format, args) }
func (b *bridge) Warnf(format string, args ...any)   { b.say(slog.LevelWarn, format, args) }
func (b *bridge) Errorf(format string, args ...any)  { b.say(slog.LevelError, format, args) }
func (b *bridge) Debugf(format string, args ...any)  { b.say(slog.LevelDebug, format, args) }
func (b *bridge) Tracef(format string, args ...any)  { b.say(slog.LevelDebug, format, args) }

// Fatalf does not end the process, as the server's own logger would: it makes Start fail.
func (b *bridge) Fatalf(format string, args ...any) {
	b.say(slog.LevelError, format, args)
	select {
	case b.fatal <- fmt.Errorf(format, args...):
	default:
	}
}
