package blackbox

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"natsaccord/embeddednats"
	"natsaccord/tests/nemesis"
)

// network is a NATS server for each node, with a route between any two of them that can be cut.
type network struct {
	servers []*embeddednats.Server
	configs []embeddednats.Config
	links   map[pair]*nemesis.Link // the one with the higher number connects
}

// pair is two servers' numbers, the lower one first.
type pair [2]int

// nowhere is where servers tell others to connect to: only the routes that are configured are to exist.
const nowhere = "127.0.0.1:1"

func startNetwork(ctx context.Context, n int) (*network, error) {
	w := &network{links: make(map[pair]*nemesis.Link)}
	for i := range n {
		if err := w.add(ctx, i); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

// add starts the i-th server, with links to those before.
func (w *network) add(ctx context.Context, i int) error {
	cfg := embeddednats.Config{
		Name: fmt.Sprintf("nats-%d", i+1), Port: embeddednats.AnyPort, ClusterName: "blackbox", ClusterPort: embeddednats.AnyPort,
		Options: func(o *server.Options) {
			o.Cluster.Advertise, o.Cluster.NoAdvertise = nowhere, true
		},
	}
	for j := range i {
		to, err := url.Parse(w.servers[j].ClusterURL())
		if err != nil {
			return err
		}
		link, err := nemesis.NewLink(to.Host)
		if err != nil {
			return err
		}
		w.links[pair{j, i}] = link
		cfg.Routes = append(cfg.Routes, "nats://"+link.Addr())
	}
	s, err := embeddednats.Start(ctx, cfg)
	if err != nil {
		return err
	}
	w.servers = append(w.servers, s)
	cluster, err := url.Parse(s.ClusterURL())
	if err != nil {
		return err
	}
	cfg.Port = s.Port()
	if cfg.ClusterPort, err = strconv.Atoi(cluster.Port()); err != nil {
		return err
	}
	w.configs = append(w.configs, cfg)
	return nil
}

// stop stops the i-th server.
func (w *network) stop(i int) error {
	w.servers[i].Shutdown()
	return nil
}

// resume starts it again on its ports, as soon as nobody else holds them.
func (w *network) resume(i int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		s, err := embeddednats.Start(ctx, w.configs[i])
		if err == nil {
			w.servers[i] = s
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
	}
}

// cut holds back what goes from one server to another.
func (w *network) cut(from, to int) {
	if from < to {
		w.links[pair{from, to}].Cut(nemesis.Backward)
	} else {
		w.links[pair{to, from}].Cut(nemesis.Forward)
	}
}

// separate cuts both ways.
func (w *network) separate(i, j int) {
	w.cut(i, j)
	w.cut(j, i)
}

// join mends both ways; lose has what was held back be lost, and the servers connect again.
func (w *network) join(i, j int, lose bool) {
	link := w.links[pair{min(i, j), max(i, j)}]
	if lose {
		link.Reset()
	}
	link.Mend()
}

func (w *network) close() error {
	var errs []error
	for _, link := range w.links {
		errs = append(errs, link.Close())
	}
	for _, s := range w.servers {
		s.Shutdown()
	}
	return errors.Join(errs...)
}
