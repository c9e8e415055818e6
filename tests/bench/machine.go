package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// moment is what the clocks of the processors show.
type moment struct {
	cpu         time.Duration // of this process
	written     float64       // bytes that this process has had written to disks
	busy, total float64       // of all processors, in ticks
}

func now() (m moment, err error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return m, fmt.Errorf("ask for the CPU time: %w", err)
	}
	m.cpu = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	m.written = written()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return m, nil // not Linux: nothing is known of others
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	for i, field := range strings.Fields(line)[1:] {
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil || i > 7 { // behind steal come guests, which are counted already
			break
		}
		m.total += ticks
		if i != 3 && i != 4 { // idle, and waiting for the disk
			m.busy += ticks
		}
	}
	return m, nil
}

// written is what the kernel has been given to write to disks by this process; zero where nobody tells.
func written() float64 {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0 // not Linux, or not ours to read
	}
	for line := range strings.Lines(string(text)) {
		if n, found := strings.CutPrefix(line, "write_bytes: "); found {
			bytes, _ := strconv.ParseFloat(strings.TrimSpace(n), 64) // the kernel writes numbers
			return bytes
		}
	}
	return 0
}

func (m moment) busySince(before moment) float64 {
	if m.total == before.total {
		return 0
	}
	return (m.busy - before.busy) / (m.total - before.total)
}

// workplace makes the directory that all data go to and prints what it is like there. An empty one stands for one that leave
// removes, of a name that begins with prefix.
func workplace(out io.Writer, dir, prefix string) (made string, leave func(), err error) {
	leave = func() {}
	if dir != "" {
		err = os.MkdirAll(dir, 0o750)
	} else if dir, err = os.MkdirTemp("", prefix); err == nil {
		leave = func() { _ = os.RemoveAll(dir) } // nothing depends on it
	}
	if err != nil {
		return "", leave, err
	}
	where, err := describe(dir)
	if err != nil {
		leave()
		return "", func() {}, err
	}
	fmt.Fprintln(out, where)
	return dir, leave, nil
}

// describe says what the numbers were measured on.
func describe(dir string) (string, error) {
	median, worst, err := syncTime(dir)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d CPUs (%s), %s/%s, %s; fdatasync of 4 KiB appended in %s: median %s, p99 %s", runtime.NumCPU(), model(), runtime.GOOS, runtime.GOARCH,
		runtime.Version(), filepath.Dir(dir), median.Round(time.Microsecond), worst.Round(time.Microsecond)), nil
}

// model is the processor's name.
func model() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// syncTime measures how long it takes to make 4 KiB durable.
func syncTime(dir string) (median, p99 time.Duration, err error) {
	const tries = 200
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page, took := make([]byte, 4096), make([]time.Duration, tries)
	for i := range took {
		start := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, 0, err
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[tries/2], took[tries*99/100], nil
}
