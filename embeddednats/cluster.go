package embeddednats

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// Cluster is several routed servers in one process.
type Cluster []*Server

// StartCluster runs n servers, at least one, and returns when each has a route to every other. They are alike:
// of cfg, Name is the front of their names, StoreDir holds a folder for each, and their ports are free ones. The
// whole has n times cfg.StartTimeout.
func StartCluster(ctx context.Context, n int, cfg Config) (Cluster, error) {
	if n < 1 {
		return nil, fmt.Errorf("embeddednats: a cluster of %d servers, want at least 1", n)
	}
	cfg = cfg.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(n)*cfg.StartTimeout)
	defer cancel()
	var c Cluster
	for i := range n {
		s, err := Start(ctx, cfg.member(i, c))
		if err != nil {
			c.Shutdown()
			return nil, err
		}
		c = append(c, s)
	}
	if err := c.Meshed(ctx); err != nil {
		c.Shutdown()
		return nil, err
	}
	return c, nil
}

// member returns the Config of the i-th server, which finds the cluster through those that run already.
func (c Config) member(i int, running Cluster) Config {
	if c.Name == "" {
		c.Name = "nats"
	}
	if c.ClusterName == "" {
		c.ClusterName = c.Name
	}
	c.Name = fmt.Sprintf("%s-%d", c.Name, i+1)
	c.Port, c.ClusterPort = AnyPort, AnyPort
	if c.StoreDir != "" {
		c.StoreDir = filepath.Join(c.StoreDir, c.Name)
	}
	for _, s := range running {
		c.Routes = append(c.Routes, s.ClusterURL())
	}
	return c
}

// Meshed waits until every server has a route to every other. The servers can only be asked.
func (c Cluster) Meshed(ctx context.Context) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for _, s := range c {
		for s.ns.NumRoutes() < len(c)-1 {
			select {
			case <-look.C:
			case <-ctx.Done():
				return fmt.Errorf("embeddednats: server %s has %d routes of %d: %w", s.Name(), s.ns.NumRoutes(), len(c)-1, ctx.Err())
			}
		}
	}
	return nil
}

// URLs is where clients connect to, one for each server.
func (c Cluster) URLs() []string {
	urls := make([]string, len(c))
	for i, s := range c {
		urls[i] = s.URL()
	}
	return urls
}

// Shutdown stops all servers, and returns when nothing of them is left.
func (c Cluster) Shutdown() {
	var stopping sync.WaitGroup
	for _, s := range c {
		stopping.Go(s.Shutdown)
	}
	stopping.Wait()
}
