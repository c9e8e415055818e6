package blackbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"natsaccord/sqlstore/pgtest"
)

// storage is the databases of a cluster.
type storage struct {
	urls     []string
	servers  []*pgtest.Server // of each node with Postgres; else none
	disk     string           // where the last node's database is, if that can be filled
	diskFull error            // why not
}

// sqliteStorage puts the last node's database on a file system of its own that is small enough to be filled. That takes the right to mount.
func sqliteStorage(t *testing.T, n int) *storage {
	t.Helper()
	s := &storage{}
	for i := range n {
		dir := directory(t, fmt.Sprintf("n%d", i+1))
		if i == n-1 {
			s.mount(t, dir)
		}
		s.urls = append(s.urls, "sqlite:"+filepath.Join(dir, "node.db"))
	}
	return s
}

// diskBytes is how large the last node's disk is when it is not full.
const diskBytes = 4 << 30

func (s *storage) mount(t *testing.T, dir string) {
	t.Helper()
	if s.diskFull = syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", int64(diskBytes))); s.diskFull != nil {
		t.Logf("no disk gets full, for lack of the right to mount one: %v", s.diskFull)
		return
	}
	s.disk = dir
	t.Cleanup(func() {
		if settings.dir != "" {
			if err := os.CopyFS(dir+"-disk", os.DirFS(dir)); err != nil {
				t.Error("keep what is on the disk: ", err)
			}
		}
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error("unmount: ", err)
		}
	})
}

// fill leaves no room on the disk, by making it as small as what stands there.
func (s *storage) fill() error {
	const tries = 1000 // what stands there may grow meanwhile
	var err error
	for range tries {
		var disk syscall.Statfs_t
		if err := syscall.Statfs(s.disk, &disk); err != nil {
			return err
		}
		used := (int64(disk.Blocks) - int64(disk.Bfree)) * disk.Bsize
		if err = s.resize(used); !errors.Is(err, syscall.EINVAL) {
			return err
		}
	}
	return err
}

// empty makes room again.
func (s *storage) empty() error { return s.resize(diskBytes) }

func (s *storage) resize(bytes int64) error {
	return syscall.Mount("tmpfs", s.disk, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", bytes))
}

// postgresStorage starts a server for each node.
func postgresStorage(t *testing.T, n int) *storage {
	t.Helper()
	s := &storage{}
	for range n {
		server := &pgtest.Server{}
		t.Cleanup(func() {
			if err := server.Stop(); err != nil {
				t.Error("stop Postgres: ", err)
			}
		})
		s.urls = append(s.urls, server.Database(t))
		s.servers = append(s.servers, server)
	}
	return s
}
