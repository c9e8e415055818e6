package blackbox

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// options say what is run. They are flags of the test binary.
type options struct {
	length  time.Duration
	seed    uint64
	rounds  int
	rate    float64
	bound   bool
	dir     string
	program string // path of the accord binary
}

// settings are those of this run.
var settings options

func TestMain(m *testing.M) {
	flag.DurationVar(&settings.length, "length", 6*time.Second, "how long faults happen")
	flag.Uint64Var(&settings.seed, "seed", 0, "draws faults and workload; 0: a fresh one")
	flag.IntVar(&settings.rounds, "rounds", 2, "how many coordinators are killed to see how soon others finish their transactions")
	flag.Float64Var(&settings.rate, "rate", 20, "requests of one client in a second, at most")
	flag.BoolVar(&settings.bound, "bound", false, "demand that they are finished within 2 × the recovery timeout")
	flag.StringVar(&settings.dir, "dir", "", "where logs and SQLite files are kept; default: nowhere, they are removed")
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "accord-blackbox-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	settings.program = filepath.Join(dir, "accord")
	if out, err := exec.Command("go", "build", "-o", settings.program, "natsaccord/cmd/accord").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build accord: %v: %s\n", err, out)
		return 1
	}
	code = m.Run()
	if err := errors.Join(goleak.Find()); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// freshSeed returns the seed to use, and prints it.
func freshSeed(t *testing.T) uint64 {
	t.Helper()
	seed := settings.seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1e9
	}
	t.Logf("seed %d: repeat with -seed %d", seed, seed)
	return seed
}

// directory returns a directory of a test, which is kept if settings say where.
func directory(t *testing.T, name string) string {
	t.Helper()
	if settings.dir == "" {
		return t.TempDir()
	}
	dir := filepath.Join(settings.dir, t.Name(), name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	return dir
}
