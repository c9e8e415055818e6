// Package pgtest gives tests a Postgres: a private server, started once for each test binary from the binaries on
// this machine, with a fresh database for each test.
//
// ACCORD_TEST_POSTGRES names a running server to use instead. Where there is neither, tests are skipped, unless
// ACCORD_REQUIRE_POSTGRES=1 says that they must run.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Server is a Postgres for one test binary. Its zero value is ready to use; Stop it in TestMain.
type Server struct {
	once  sync.Once
	dir   string
	admin string // URL of the database "postgres"
	err   error
	count atomic.Int64
	bin   string
	owner *syscall.Credential

	options string // of the server's process
	crashed bool
}

// ErrNone is why there is no server: nobody installed one.
var ErrNone = errors.New("no Postgres binaries in PATH or /usr/lib/postgresql, and ACCORD_TEST_POSTGRES is not set")

// Database returns the URL of a new database, dropped at the end of the test.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	made, drop, err := s.Create(context.Background())
	if errors.Is(err, ErrNone) && os.Getenv("ACCORD_REQUIRE_POSTGRES") != "1" {
		t.Skip("skipped without Postgres: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return made
}

// Create returns the URL of a new database, and how to drop it: for programs that are no tests.
func (s *Server) Create(ctx context.Context) (made string, drop func(context.Context) error, err error) {
	s.once.Do(s.start)
	if s.err != nil {
		return "", nil, fmt.Errorf("start Postgres: %w", s.err)
	}
	name := fmt.Sprintf("accord_%d_%d", os.Getpid(), s.count.Add(1))
	if err := s.exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	u, err := url.Parse(s.admin)
	if err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	return u.String(), func(ctx context.Context) error { return s.exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)") }, nil
}

func (s *Server) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	_, err = conn.Exec(ctx, sql)
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

func (s *Server) start() {
	if s.admin = os.Getenv("ACCORD_TEST_POSTGRES"); s.admin != "" {
		return
	}
	if s.bin, s.err = findBinaries(); s.err != nil {
		return
	}
	if s.dir, s.err = os.MkdirTemp("", "accord-postgres-"); s.err != nil {
		return
	}
	s.err = s.initialise()
}

func findBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrNone
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// initialise makes and starts a server on a free port. Postgres refuses to run as root, so root becomes another
// user.
func (s *Server) initialise() error {
	if os.Getuid() == 0 {
		if err := s.chooseOwner(); err != nil {
			return err
		}
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if err := s.run("initdb", "-D", data, "-U", "accord", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"); err != nil {
		return err
	}
	s.options = fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories='' -c max_connections=200", port)
	if err := s.launch(); err != nil {
		return err
	}
	s.admin = fmt.Sprintf("postgres://accord@127.0.0.1:%d/postgres?sslmode=disable", port)
	return nil
}

func (s *Server) chooseOwner() error {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return err
		}
		s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return os.Chown(s.dir, int(uid), int(gid))
	}
	return errors.New("neither user postgres nor nobody exists to run Postgres as")
}

func (s *Server) run(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir)
	if s.owner != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner}
	}
	// To a file, not a pipe: the server that pg_ctl leaves behind would keep a pipe open.
	out, err := os.CreateTemp("", "accord-postgres-out-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name()) // what it said is extra
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(bytes.TrimSpace(said))))
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *Server) launch() error {
	return s.run("pg_ctl", "-D", filepath.Join(s.dir, "data"), "-l", filepath.Join(s.dir, "log"), "-o", s.options, "-w", "start")
}

// Crash stops the server as a crash would: at once, in the midst of whatever it is doing. It is one that this package has started.
func (s *Server) Crash() error {
	s.crashed = true
	return s.run("pg_ctl", "-D", filepath.Join(s.dir, "data"), "-m", "immediate", "-w", "stop")
}

// Resume starts the server again behind a Crash, where it was.
func (s *Server) Resume() error {
	s.crashed = false
	return s.launch()
}

// Restart stops the server as a crash would and starts it again.
func (s *Server) Restart() error {
	return s.run("pg_ctl", "-D", filepath.Join(s.dir, "data"), "-l", filepath.Join(s.dir, "log"), "-m", "immediate", "-w", "restart")
}

// Stop ends the server, if one was started, and removes what it wrote.
func (s *Server) Stop() error {
	if s.dir == "" {
		return nil
	}
	var err error
	if !s.crashed {
		err = s.Crash()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
