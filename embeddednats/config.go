package embeddednats

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// AnyPort asks for a free port.
const AnyPort = -1

// Config describes a Server. The zero Config is a server that listens nowhere, for connections made with
// Server.InProcessConn.
type Config struct {
	Name string // default: one is made
	Host string // to listen on; default 127.0.0.1
	Port int    // for clients; zero: none, AnyPort: a free one

	ClusterName string   // default: one is made from the servers' names
	ClusterPort int      // for other servers; zero: none, AnyPort: a free one; needs a Port
	Routes      []string // URLs of other servers' cluster ports

	JetStream bool
	StoreDir  string // where JetStream keeps its files; required with JetStream

	MaxPayload   int           // in bytes; default 1 MiB
	StartTimeout time.Duration // how long the server may take to be ready; default 10 s
	Logger       *slog.Logger  // default: nothing is logged

	// Options may change what Config has no field for, such as users and their permissions.
	Options func(*server.Options)
}

func (c Config) withDefaults() Config {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = server.MAX_PAYLOAD_SIZE
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Port < AnyPort || c.Port > 65535:
		return fmt.Errorf("embeddednats: Config.Port is %d, want -1 to 65535", c.Port)
	case c.ClusterPort < AnyPort || c.ClusterPort > 65535:
		return fmt.Errorf("embeddednats: Config.ClusterPort is %d, want -1 to 65535", c.ClusterPort)
	case len(c.Routes) > 0 && c.ClusterPort == 0:
		return errors.New("embeddednats: Config.Routes need a Config.ClusterPort")
	case c.ClusterPort != 0 && c.Port == 0: // a nats-server opens its cluster port only after that for clients
		return errors.New("embeddednats: Config.ClusterPort needs a Config.Port")
	case c.JetStream && c.StoreDir == "":
		return errors.New("embeddednats: Config.JetStream needs a Config.StoreDir")
	case c.MaxPayload < 0 || c.MaxPayload > server.MAX_PAYLOAD_MAX_SIZE:
		return fmt.Errorf("embeddednats: Config.MaxPayload is %d, want 1 to %d", c.MaxPayload, server.MAX_PAYLOAD_MAX_SIZE)
	}
	return nil
}

// options translates a Config for the server.
func (c Config) options() (*server.Options, error) {
	options := &server.Options{
		ServerName: c.Name,
		Host:       c.Host,
		Port:       c.Port,
		DontListen: c.Port == 0,
		NoSigs:     true, // signals are the program's
		MaxPayload: int32(c.MaxPayload),
		JetStream:  c.JetStream,
		StoreDir:   c.StoreDir,
	}
	if c.ClusterPort != 0 {
		options.Cluster = server.ClusterOpts{Name: c.ClusterName, Host: c.Host, Port: c.ClusterPort, PoolSize: -1}
	}
	for _, route := range c.Routes {
		u, err := url.Parse(route)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("embeddednats: Config.Routes has %q, want a URL", route)
		}
		options.Routes = append(options.Routes, u)
	}
	if c.Options != nil {
		c.Options(options)
	}
	return options, nil
}
