package main

import (
	"context"
	"net/url"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"

	"natsaccord/embeddednats"
	"natsaccord/tests/nemesis"
)

// nowhere is what servers tell others of their cluster ports: nobody shall find a way past the links.
const nowhere = "127.0.0.1:1"

// farServers are NATS servers, one in each region of an area, whose routes go over links with the area's delays.
type farServers struct {
	area    area
	servers embeddednats.Cluster
	links   map[[2]int]*nemesis.Link // by the region that connects and the one it connects to
	ended   closers
}

// startFar starts the servers, and returns when each has a route to every other.
func startFar(ctx context.Context, a area, cfg embeddednats.Config) (_ *farServers, err error) {
	f := &farServers{area: a, links: make(map[[2]int]*nemesis.Link)}
	defer func() {
		if err != nil {
			_ = f.close() // the reason why it did not start says more
		}
	}()
	ports, err := freeURLs("nats", len(a.regions))
	if err != nil {
		return nil, err
	}
	f.ended.add(func() error { f.servers.Shutdown(); return nil })
	for i := range a.regions {
		for j := i + 1; j < len(a.regions); j++ {
			if err := f.connect(i, j, ports[j].Host); err != nil {
				return nil, err
			}
		}
	}
	for i := range a.regions {
		s, err := embeddednats.Start(ctx, f.member(cfg, i, ports))
		if err != nil {
			return nil, err
		}
		f.servers = append(f.servers, s)
	}
	return f, f.servers.Meshed(ctx)
}

// connect makes the link between two regions: half a round trip each way.
func (f *farServers) connect(from, to int, target string) error {
	link, err := nemesis.NewSlowLink(target, f.area.rtt[from][to]/2)
	if err != nil {
		return err
	}
	f.ended.add(link.Close)
	f.links[[2]int{from, to}] = link
	return nil
}

// member is the configuration of a region's server: it connects to those of the regions behind it, which connect to
// it. Its own address is among its routes, since a JetStream server has to have one.
func (f *farServers) member(cfg embeddednats.Config, i int, ports []url.URL) embeddednats.Config {
	cfg.ClusterName, cfg.Name = cfg.Name, f.area.regions[i]
	cfg.Port, cfg.ClusterPort = embeddednats.AnyPort, port(ports[i])
	if cfg.StoreDir != "" {
		cfg.StoreDir = filepath.Join(cfg.StoreDir, cfg.Name)
	}
	cfg.Routes = []string{ports[i].String()}
	for j := i + 1; j < len(ports); j++ {
		cfg.Routes = append(cfg.Routes, "nats://"+f.links[[2]int{i, j}].Addr())
	}
	inner := cfg.Options
	cfg.Options = func(o *server.Options) {
		o.Cluster.Advertise, o.Cluster.NoAdvertise = nowhere, true
		if inner != nil {
			inner(o)
		}
	}
	return cfg
}

// cut has a region neither hear nor be heard any more: its connections stay, and nothing comes over them.
func (f *farServers) cut(region int) {
	for ends, link := range f.links {
		if ends[0] == region || ends[1] == region {
			link.Cut(nemesis.Forward)
			link.Cut(nemesis.Backward)
		}
	}
}

func (f *farServers) mend() {
	for _, link := range f.links {
		link.Mend()
	}
}

func (f *farServers) close() error {
	f.mend()
	return f.ended.close()
}
