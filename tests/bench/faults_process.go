package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/client"
	"natsaccord/embeddednats"
	"natsaccord/event"
)

// processes are three nodes, each a process of the accord program with a SQLite file at a NATS server of its own, and
// a client at each server.
type processes struct {
	ended   closers
	nodes   []*process
	clients []*client.Client
}

// process is a node that can be killed and started again.
type process struct {
	name string
	cmd  []string
	file string // its database
	log  *os.File
	now  *exec.Cmd     // nil while there is none
	gone chan struct{} // closed when it has ended
}

// patience is how long anything may take that only has to happen at some time.
const patience = 3 * time.Minute

// processSettings say how nodes are started, and how they are asked.
type processSettings struct {
	program string   // path of the accord binary; empty: it is built
	flags   []string // of each node, besides those that say who it is
	near    bool     // ask the node at one's own server first; else NATS chooses
}

func startProcesses(ctx context.Context, dir string, s processSettings) (_ *processes, err error) {
	c := &processes{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if s.program == "" {
		if s.program, err = build(ctx, dir); err != nil {
			return nil, err
		}
	}
	servers, err := embeddednats.StartCluster(ctx, clusterSize, embeddednats.Config{Name: "faults"})
	if err != nil {
		return nil, err
	}
	c.ended.add(func() error { servers.Shutdown(); return nil })
	names := nodeNames(clusterSize)
	for i, url := range servers.URLs() {
		if err := c.add(s, dir, names, i, url); err != nil {
			return nil, err
		}
	}
	for i := range c.nodes {
		if err := c.await(ctx, i, func(event.NodeStatus) error { return nil }); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// build makes the program of the natsaccord that this one is built with.
func build(ctx context.Context, dir string) (string, error) {
	where, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "natsaccord").Output()
	if err != nil {
		return "", fmt.Errorf("find natsaccord's source, for want of -program: %w", err)
	}
	program := filepath.Join(dir, "accord")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/accord")
	cmd.Dir = strings.TrimSpace(string(where))
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build accord: %w: %s", err, said)
	}
	return program, nil
}

// add starts a node, and connects a client to its server that asks it first, or nobody in particular.
func (c *processes) add(s processSettings, dir string, names []string, i int, url string) error {
	log, err := os.Create(filepath.Join(dir, names[i]+".log"))
	if err != nil {
		return err
	}
	c.ended.add(log.Close)
	n := &process{name: names[i], log: log, file: filepath.Join(dir, names[i]+".db")}
	n.cmd = append([]string{s.program, "node", "--node", n.name, "--cluster", strings.Join(names, ","), "--server", url, "--store", "sqlite:" + n.file}, s.flags...)
	if err := n.start(); err != nil {
		return err
	}
	c.ended.add(n.kill)
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	c.ended.add(func() error { nc.Close(); return nil })
	options := client.Options{}
	if s.near {
		options.Near = names[i]
	}
	made, err := client.New(nc, options)
	c.nodes, c.clients = append(c.nodes, n), append(c.clients, made)
	return err
}

// await asks a node how it is until it is ready and as it is wanted. Nodes can only be asked.
func (c *processes) await(ctx context.Context, i int, wanted func(event.NodeStatus) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		s, err := c.status(ctx, i)
		if err == nil && s.State != "ready" {
			err = fmt.Errorf("it is %s: %s", s.State, s.Reason)
		}
		if err == nil {
			err = wanted(s)
		}
		if err == nil {
			return nil
		}
		select {
		case <-look.C:
		case <-c.nodes[i].gone:
			return fmt.Errorf("%s has ended by itself; its log is %s", c.nodes[i].name, c.nodes[i].log.Name())
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %w", c.nodes[i].name, ctx.Err(), err)
		}
	}
}

func (c *processes) status(ctx context.Context, i int) (event.NodeStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return c.clients[i].Status(ctx, c.nodes[i].name)
}

func (c *processes) close() error { return c.ended.close() }

// start starts a process for the node.
func (n *process) start() error {
	cmd, gone := exec.Command(n.cmd[0], n.cmd[1:]...), make(chan struct{})
	cmd.Stderr = n.log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.name, err)
	}
	n.now, n.gone = cmd, gone
	go func() {
		_ = cmd.Wait() // it ends by being killed, or the log tells why
		close(gone)
	}()
	return nil
}

// kill ends the process without a warning, even one that is stopped, and returns when it is gone.
func (n *process) kill() error {
	if n.now == nil {
		return nil
	}
	err := n.signal(syscall.SIGKILL)
	<-n.gone
	n.now = nil
	return err
}

func (n *process) signal(s syscall.Signal) error {
	if err := n.now.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", n.name, err)
	}
	return nil
}
