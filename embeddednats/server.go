package embeddednats

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Server is a running nats-server. Its methods may be called concurrently.
type Server struct {
	ns         *server.Server
	shutdown   func()
	addr       *net.TCPAddr // for clients; nil: none
	clusterURL string
}

// Start runs a server and returns when it takes connections. It fails when the server does, when ctx ends, or
// when it takes longer than cfg.StartTimeout; nothing is left of the server then.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	options, err := cfg.options()
	if err != nil {
		return nil, err
	}
	ns, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("embeddednats: configure server %s: %w", cfg.Name, err)
	}
	log := newBridge(cfg.Logger.With("nats_server", ns.Name()))
	ns.SetLoggerV2(log, log.debugs(), false, false)
	s := &Server{ns: ns, shutdown: sync.OnceFunc(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})}
	ns.Start()
	ctx, cancel := context.WithTimeout(ctx, cfg.StartTimeout)
	defer cancel()
	if err := s.ready(ctx, log.fatal); err != nil {
		s.Shutdown()
		return nil, fmt.Errorf("embeddednats: start server %s: %w", ns.Name(), err)
	}
	s.addr, _ = ns.Addr().(*net.TCPAddr)
	if addr := ns.ClusterAddr(); addr != nil {
		s.clusterURL = urlOf(addr)
	}
	return s, nil
}

// ready waits until the server takes connections. The server can only be asked, and looks itself every 25 ms.
func (s *Server) ready(ctx context.Context, fatal <-chan error) error {
	const look = 50 * time.Millisecond
	for {
		ready := s.ns.ReadyForConnections(look)
		select {
		case err := <-fatal:
			return err
		default:
		}
		if err := ctx.Err(); err != nil || ready {
			return err
		}
	}
}

// Shutdown stops the server, and returns when nothing of it is left. Calling it again does nothing.
func (s *Server) Shutdown() { s.shutdown() }

// Name is the server's name.
func (s *Server) Name() string { return s.ns.Name() }

// URL is where clients connect to, empty if the server listens nowhere. It stays when the server is shut down.
func (s *Server) URL() string {
	if s.addr == nil {
		return ""
	}
	return urlOf(s.addr)
}

// Port is where the server listens for clients, zero if it does not. It stays when the server is shut down, so
// that another can take its place.
func (s *Server) Port() int {
	if s.addr == nil {
		return 0
	}
	return s.addr.Port
}

// ClusterURL is where other servers connect to, empty if the server has no cluster port.
func (s *Server) ClusterURL() string { return s.clusterURL }

// urlOf is where to reach a listener from this machine.
func urlOf(addr *net.TCPAddr) string {
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "nats://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// InProcessConn makes a connection that never leaves the process. It makes a Server what nats.InProcessServer
// takes.
func (s *Server) InProcessConn() (net.Conn, error) { return s.ns.InProcessConn() }
