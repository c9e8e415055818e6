//go:build !linux

package journal

import (
	"errors"
	"os"
)

// allocate is done on Linux only.
func allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }

// syncData makes a file durable.
func syncData(f *os.File) error { return f.Sync() }
