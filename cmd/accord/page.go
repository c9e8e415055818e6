package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"natsaccord/dashboard"
)

// pages are what a process serves over HTTP.
type pages struct {
	nodes []*dashboard.Node // none: nothing
	url   string
}

// of returns where a node is to be shown; nil: nowhere.
func (p pages) of(i int) *dashboard.Node {
	if p.nodes == nil {
		return nil
	}
	return p.nodes[i]
}

// servePage serves the page of nodes, if there is an address, before there is anything to show: whoever wants to know how they are must not
// have to wait for them. It is hidden last.
func servePage(ctx context.Context, addr string, logger *slog.Logger, names ...string) (p pages, hide func(), err error) {
	if addr == "" {
		return pages{}, func() {}, nil
	}
	if err := checkPage(addr); err != nil {
		return pages{}, nil, err
	}
	for _, name := range names {
		p.nodes = append(p.nodes, dashboard.NewNode(name))
	}
	server, err := dashboard.Start(ctx, addr, logger, p.nodes...)
	if err != nil {
		return pages{}, nil, err
	}
	p.url = server.URL()
	logger.Info("HTTP is served", "url", p.url)
	if server.Open() {
		logger.Warn("HTTP is open to other machines, and asks nobody who they are", "addr", addr)
	}
	return p, server.Shutdown, nil
}

// devPage serves the page of a whole cluster: where it is told to, or else where a page is expected, or if that is taken anywhere.
func (m Main) devPage(ctx context.Context, d dev, logger *slog.Logger) (pages, func(), error) {
	p, hide, err := servePage(ctx, d.http, logger, d.names()...)
	if err == nil || d.httpGiven {
		return p, hide, err
	}
	p, hide, err = servePage(ctx, dashboard.AnyPort, logger, d.names()...)
	if err == nil {
		fmt.Fprintf(m.Stdout, "%s is taken; the page is elsewhere.\n", d.http)
	}
	return p, hide, err
}

// checkPage checks an address to serve a page at, if there is one.
func checkPage(addr string) error {
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%w: --http is %q, want host:port", errUsage, addr)
	}
	return nil
}
