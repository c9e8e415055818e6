package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// DefaultAddr is where a page is expected.
const DefaultAddr = "127.0.0.1:8280"

// AnyPort is where a page finds a free port.
const AnyPort = "127.0.0.1:0"

// How long a client may take. A scrape takes patience at most.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 10 * time.Second
	replyTimeout   = 30 * time.Second
	idleTimeout    = time.Minute
	stopTimeout    = time.Second // for requests under way when the server is shut down
	headerBytesMax = 16 << 10
)

// Server serves the page of a process's nodes. Its methods may be called concurrently.
type Server struct {
	addr net.Addr
	stop func()
}

// Start listens on addr, host:port, and returns when requests are served; without a host it listens on loopback. If serving fails
// later, that is logged, and the nodes go on without a page: it must not cost anybody an append.
func Start(ctx context.Context, addr string, logger *slog.Logger, nodes ...*Node) (*Server, error) {
	listener, err := listen(ctx, addr)
	if err != nil {
		return nil, err
	}
	h := &http.Server{
		Handler:           NewHandler(isLoopback(listener.Addr()), logger, nodes...),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: replyTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytesMax,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := h.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("HTTP is not served any more; the nodes go on", "addr", listener.Addr().String(), "error", err)
		}
	}()
	return &Server{addr: listener.Addr(), stop: sync.OnceFunc(func() {
		shutdown(h)
		<-served
	})}, nil
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dashboard: address %q, want host:port: %w", addr, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	return listener, nil
}

// shutdown lets requests under way end, for a while.
func shutdown(h *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if h.Shutdown(ctx) != nil {
		_ = h.Close() // what it returns is that the listener is closed already
	}
}

// Shutdown stops the server, and returns when it serves nobody any more. Calling it again does nothing.
func (s *Server) Shutdown() { s.stop() }

// URL is where the server is reached from this machine. It stays when the server is shut down.
func (s *Server) URL() string {
	addr := s.addr.String()
	if tcp, ok := s.addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		addr = net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
	}
	return "http://" + addr
}

// Open tells whether other machines may reach the server.
func (s *Server) Open() bool { return !isLoopback(s.addr) }

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
