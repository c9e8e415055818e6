package bus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// Config describes a node's connections to NATS. Node is required, and Servers unless InProcess is set.
type Config struct {
	Node      string   // name of the node, and so of its connections
	Servers   []string // URLs; nats:// beyond loopback needs Insecure or TLS
	InProcess nats.InProcessConnProvider

	Creds    string // path of a credentials file
	NKey     string // path of an nkey seed file
	User     string
	Password string
	Token    string

	TLSCert, TLSKey string // paths of a client certificate and its key, both or neither
	TLSCA           string // path of the certificates to trust; empty: the system's
	InboxPrefix     string // default nats.go's

	Insecure       bool          // allow plain nats:// to other machines
	ConnectTimeout time.Duration // default 2 s
	Logger         *slog.Logger
}

// Conn is a node's two connections, so that a flood of client requests does not stand before the protocol.
type Conn struct {
	Peers, Clients *nats.Conn

	counters *connCounters
	closed   [2]chan struct{} // closed when the connection is
}

// connCounters are what the handlers of both connections count.
type connCounters struct {
	disconnects, reconnects, errors, slowConsumers, lameDucks atomic.Uint64
}

// Dial connects, and fails if no server answers. From then on the connections come back by themselves for
// ever.
func Dial(cfg Config) (*Conn, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Conn{counters: &connCounters{}, closed: [2]chan struct{}{make(chan struct{}), make(chan struct{})}}
	var err error
	// What could not be sent to a peer is stale once the connection is back: the protocol sends it again.
	if c.Peers, err = c.dial(cfg, "accord-"+cfg.Node+"-peers", 0, nats.ReconnectBufSize(-1)); err != nil {
		return nil, err
	}
	if c.Clients, err = c.dial(cfg, "accord-"+cfg.Node, 1); err != nil {
		c.Peers.Close()
		<-c.closed[0]
		return nil, err
	}
	return c, nil
}

// DialClient makes one connection for a program that is no node. Config.Node is not used.
func DialClient(cfg Config, name string) (*nats.Conn, error) {
	if err := cfg.validateLinks(); err != nil {
		return nil, err
	}
	options, err := cfg.options(name)
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(strings.Join(cfg.Servers, ","), options...)
	if err != nil {
		return nil, fmt.Errorf("bus: connect %s to %s: %w", name, redact(cfg.Servers), err)
	}
	return nc, nil
}

func (c *Conn) dial(cfg Config, name string, i int, more ...nats.Option) (*nats.Conn, error) {
	options, err := cfg.options(name)
	if err != nil {
		return nil, err
	}
	options = append(options, c.handlers(cfg.Logger.With("connection", name), c.closed[i])...)
	nc, err := nats.Connect(strings.Join(cfg.Servers, ","), append(options, more...)...)
	if err != nil {
		return nil, fmt.Errorf("bus: connect %s to %s: %w", name, redact(cfg.Servers), err)
	}
	return nc, nil
}

// Close closes both connections and returns when their goroutines are done with the handlers.
func (c *Conn) Close() {
	c.Clients.Close()
	c.Peers.Close()
	<-c.closed[0]
	<-c.closed[1]
}

// drainWait is how long a connection may take to be drained: a server that does not answer any more has nothing for it.
const drainWait = 2 * time.Second

// Drain closes both connections once what they hold is handled and sent: clients' first, because their
// requests need peers. One that does not stand holds nothing that could be sent, and is closed. It takes twice drainWait at most.
func (c *Conn) Drain() error {
	return errors.Join(drain(c.Clients, c.closed[1]), drain(c.Peers, c.closed[0]))
}

func drain(nc *nats.Conn, closed <-chan struct{}) error {
	err := nc.Drain()
	if err == nil {
		select {
		case <-closed:
			return nil
		case <-time.After(drainWait):
		}
	}
	nc.Close()
	<-closed
	if err == nil || errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrConnectionReconnecting) {
		return nil
	}
	return fmt.Errorf("bus: drain %s: %w", nc.Opts.Name, err)
}

// Failing returns which connection does not stand at the moment; nil if both do.
func (c *Conn) Failing() error {
	for _, nc := range []*nats.Conn{c.Peers, c.Clients} {
		if !nc.IsConnected() {
			return fmt.Errorf("bus: connection %s is %s", nc.Opts.Name, strings.ToLower(nc.Status().String()))
		}
	}
	return nil
}

// Counters returns how often the connections were lost, came back and had trouble.
func (c *Conn) Counters() map[string]uint64 {
	return map[string]uint64{
		"disconnects": c.counters.disconnects.Load(), "reconnects": c.counters.reconnects.Load(),
		"errors": c.counters.errors.Load(), "slow_consumers": c.counters.slowConsumers.Load(),
		"lame_ducks": c.counters.lameDucks.Load(),
	}
}

func (c *Conn) handlers(log *slog.Logger, closed chan struct{}) []nats.Option {
	return []nats.Option{
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err == nil {
				return // it was we who closed it
			}
			c.counters.disconnects.Add(1)
			log.Warn("disconnected from NATS", "error", err)
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			c.counters.reconnects.Add(1)
			log.Info("reconnected to NATS", "server", nc.ConnectedUrlRedacted())
		}),
		nats.LameDuckModeHandler(func(nc *nats.Conn) {
			c.counters.lameDucks.Add(1)
			log.Warn("NATS server is going away", "server", nc.ConnectedUrlRedacted())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			c.counters.errors.Add(1)
			if errors.Is(err, nats.ErrSlowConsumer) {
				c.counters.slowConsumers.Add(1)
			}
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			log.Error("NATS reports an error", "subject", subject, "error", err)
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }),
	}
}

// options are those of both connections, docs/operations.md says why.
func (cfg Config) options(name string) ([]nats.Option, error) {
	timeout := cfg.ConnectTimeout
	if timeout == 0 {
		timeout = 2 * time.Second
	}
	options := []nats.Option{
		nats.Name(name),
		nats.Timeout(timeout),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 250*time.Millisecond),
		nats.PingInterval(5 * time.Second),
		nats.MaxPingsOutstanding(2),
	}
	if !cfg.Insecure && !cfg.usesTLS() {
		// What a server on this machine says of others would be followed unencrypted.
		options = append(options, nats.IgnoreDiscoveredServers())
	}
	if cfg.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(cfg.InboxPrefix))
	}
	if cfg.InProcess != nil {
		options = append(options, nats.InProcessServer(cfg.InProcess))
	}
	options, err := cfg.credentials(options)
	if err != nil {
		return nil, err
	}
	return cfg.tls(options)
}

func (cfg Config) credentials(options []nats.Option) ([]nats.Option, error) {
	if cfg.Creds != "" {
		if err := checkCredentials(cfg.Creds); err != nil {
			return nil, fmt.Errorf("bus: read credentials %s: %w", cfg.Creds, err)
		}
		options = append(options, nats.UserCredentials(cfg.Creds))
	}
	if cfg.NKey != "" {
		option, err := nats.NkeyOptionFromSeed(cfg.NKey)
		if err != nil {
			return nil, fmt.Errorf("bus: read nkey seed %s: %w", cfg.NKey, err)
		}
		options = append(options, option)
	}
	if cfg.User != "" {
		options = append(options, nats.UserInfo(cfg.User, cfg.Password))
	}
	if cfg.Token != "" {
		options = append(options, nats.Token(cfg.Token))
	}
	return options, nil
}

// checkCredentials reads a file as it is read again whenever a connection is made.
func checkCredentials(path string) error {
	var o nats.Options
	if err := nats.UserCredentials(path)(&o); err != nil {
		return err
	}
	if _, err := o.UserJWT(); err != nil {
		return err
	}
	_, err := o.SignatureCB([]byte("nonce"))
	return err
}

func (cfg Config) tls(options []nats.Option) ([]nats.Option, error) {
	if !cfg.usesTLS() {
		return options, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("bus: load TLS certificate %s: %w", cfg.TLSCert, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if cfg.TLSCA != "" {
		pem, err := os.ReadFile(cfg.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("bus: read TLS authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("bus: %s holds no certificate", cfg.TLSCA)
		}
	}
	return append(options, nats.Secure(config)), nil
}

func (cfg Config) usesTLS() bool { return cfg.TLSCert != "" || cfg.TLSCA != "" }

// Validate refuses what Dial would refuse without trying.
func (cfg Config) Validate() error {
	if err := ValidateName("Config.Node", cfg.Node); err != nil {
		return err
	}
	return cfg.validateLinks()
}

// validateLinks checks how servers are reached, and reads the files that takes.
func (cfg Config) validateLinks() error {
	_, errCredentials := cfg.credentials(nil)
	_, errTLS := cfg.tls(nil)
	if (cfg.TLSCert == "") != (cfg.TLSKey == "") {
		errTLS = errors.New("bus: Config.TLSCert and Config.TLSKey go together")
	}
	errs := []error{errCredentials, errTLS, checkInboxPrefix(cfg.InboxPrefix)}
	if cfg.InProcess == nil && len(cfg.Servers) == 0 {
		errs = append(errs, errors.New("bus: Config.Servers is empty, want at least one URL"))
	}
	for _, server := range cfg.Servers {
		if cfg.InProcess == nil {
			errs = append(errs, cfg.checkServer(server))
		}
	}
	return errors.Join(errs...)
}

// checkInboxPrefix refuses what makes no subject: the server would, or nobody would get an answer.
func checkInboxPrefix(prefix string) error {
	isBad := func(r rune) bool { return r <= ' ' || r == '*' || r == '>' || r == 0x7f }
	if prefix != "" && (strings.ContainsFunc(prefix, isBad) || slices.Contains(strings.Split(prefix, "."), "")) {
		return fmt.Errorf("bus: Config.InboxPrefix is %q, want a subject without wildcards", prefix)
	}
	return nil
}

// checkServer refuses to send secrets and events in the clear to another machine.
func (cfg Config) checkServer(server string) error {
	if !strings.Contains(server, "://") {
		server = "nats://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("bus: server %q is no URL", redact([]string{server}))
	}
	switch u.Scheme {
	case "tls", "wss":
		return nil
	case "nats", "ws":
	default:
		return fmt.Errorf("bus: server %s has scheme %q, want nats, tls, ws or wss", redact([]string{server}), u.Scheme)
	}
	if cfg.Insecure || cfg.usesTLS() || isLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("bus: server %s is not encrypted and not on this machine: use tls://, or say insecure", redact([]string{server}))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// redact hides what stands before the @ in URLs: a password, or all of it if it is a token.
func redact(servers []string) string {
	hidden := make([]string, len(servers))
	for i, server := range servers {
		scheme, rest, found := strings.Cut(server, "://")
		if !found {
			scheme, rest = "nats", server
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = "***@" + rest[at+1:]
		}
		hidden[i] = scheme + "://" + rest
	}
	return strings.Join(hidden, ",")
}
