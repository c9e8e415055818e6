package journal

import (
	"os"
	"syscall"
)

// allocate has the disk keep room for n bytes of a file from an offset on, and the file reach that far.
func allocate(f *os.File, from, n int64) error {
	return onDescriptor(f, func(fd int) error { return syscall.Fallocate(fd, 0, from, n) })
}

// syncData makes a file's content and size durable, but not its times.
func syncData(f *os.File) error { return onDescriptor(f, syscall.Fdatasync) }

// onDescriptor makes a system call, again if a signal has interrupted it.
func onDescriptor(f *os.File, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		for {
			if failed = call(int(fd)); failed != syscall.EINTR {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return failed
}
