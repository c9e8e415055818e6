package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"natsaccord/bus"
	"natsaccord/client"
	"natsaccord/event"
)

// longestLine is how long a line of an import may be, in bytes: more than any request that fits.
const longestLine = 16 << 20

// tally counts what became of an import's requests.
type tally struct {
	mu         sync.Mutex
	Committed  int   `json:"committed"`
	Duplicates int   `json:"duplicates"`
	Refused    int   `json:"refused"`
	Unknown    int   `json:"unknown"`
	Events     int   `json:"events"`
	ElapsedMS  int64 `json:"elapsed_ms"`
	firstError error // the first unknown outcome, or else the first failure
	unsure     bool  // firstError is an unknown outcome
}

func (m Main) importCommand() *cobra.Command {
	concurrency := 0
	c := m.clientCommand("import FILE", "Send the requests in a file, one JSON object a line; - reads standard input", cobra.ExactArgs(1),
		func(ctx context.Context, r *remote, c *client.Client, args []string) error {
			if concurrency < 1 {
				return fmt.Errorf("%w: --concurrency is %d, want at least 1", errUsage, concurrency)
			}
			in, size, err := m.open(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			clients, err := spread(ctx, r, c)
			if err != nil {
				return err
			}
			return m.importAll(ctx, r, clients, in, size, concurrency)
		})
	c.Flags().IntVar(&concurrency, "concurrency", 32, "requests in flight, spread over all nodes")
	return c
}

// open returns a file and its size, or standard input and -1.
func (m Main) open(name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(m.Stdin), -1, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("open the import: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// spread returns a client for each node, or the one that --node or --near tells whom to ask.
func spread(ctx context.Context, r *remote, c *client.Client) ([]*client.Client, error) {
	if r.node != "" || r.near != "" {
		return []*client.Client{c}, nil
	}
	seen, err := c.Status(ctx, "")
	if err != nil {
		return nil, err
	}
	clients := make([]*client.Client, len(seen.Nodes))
	for i, name := range seen.Nodes {
		if clients[i], err = c.At(name); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

// job is one line of an import.
type job struct {
	line int
	body []byte
}

// importAll sends every line and prints the sum. Lines may be taken in any order.
func (m Main) importAll(ctx context.Context, r *remote, clients []*client.Client, in io.Reader, size int64, concurrency int) error {
	start := time.Now()
	var t tally
	jobs := make(chan job)
	bar := m.progress(size)
	var workers sync.WaitGroup
	for w := range concurrency {
		workers.Go(func() {
			for j := range jobs {
				t.add(j.line, importLine(ctx, clients[w%len(clients)], j.body))
				_ = bar.Add(len(j.body) + 1) // a progress bar that cannot be drawn is no reason to stop
			}
		})
	}
	err := feed(ctx, in, jobs)
	close(jobs)
	workers.Wait()
	_ = bar.Finish()
	t.ElapsedMS = time.Since(start).Milliseconds()
	return errors.Join(err, m.printTally(r, &t), t.firstError)
}

// feed hands out the lines.
func feed(ctx context.Context, in io.Reader, jobs chan<- job) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), longestLine)
	for n := 1; lines.Scan(); n++ {
		body := bytes.TrimSpace(bytes.Clone(lines.Bytes()))
		if len(body) == 0 {
			continue
		}
		select {
		case jobs <- job{n, body}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return lines.Err()
}

// result is what became of one line.
type result struct {
	receipt event.Receipt
	err     error
}

func importLine(ctx context.Context, c *client.Client, body []byte) result {
	var request bus.TransactionRequest
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err != nil {
		return result{err: fmt.Errorf("not a request: %w", err)}
	}
	a, err := request.Append()
	if err != nil {
		return result{err: err}
	}
	receipt, err := c.Append(ctx, a)
	return result{receipt, err}
}

func (t *tally) add(line int, r result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, unknown := errors.AsType[*event.UnknownError](r.err)
	switch {
	case r.err == nil && r.receipt.Duplicate:
		t.Duplicates++
	case r.err == nil:
		t.Committed++
		t.Events += len(r.receipt.Events)
	case unknown:
		t.Unknown++
	default:
		t.Refused++
	}
	// An unknown outcome outweighs a refusal: the exit code must not say that nothing happened.
	if r.err != nil && (t.firstError == nil || unknown && !t.unsure) {
		t.firstError, t.unsure = fmt.Errorf("line %d: %w", line, r.err), unknown
	}
}

func (m Main) printTally(r *remote, t *tally) error {
	if r.output == "json" {
		return m.printJSON(t)
	}
	total := t.Committed + t.Duplicates + t.Refused + t.Unknown
	_, err := fmt.Fprintf(m.Stdout, "%d committed (%d events), %d duplicates, %d refused, %d unknown; %.0f a second\n",
		t.Committed, t.Events, t.Duplicates, t.Refused, t.Unknown, float64(total)/max(float64(t.ElapsedMS)/1000, 0.001))
	return err
}

// progress draws a bar on a terminal, and nothing elsewhere.
func (m Main) progress(size int64) *progressbar.ProgressBar {
	if f, ok := m.Stderr.(*os.File); ok && isatty.IsTerminal(f.Fd()) && size > 0 {
		return progressbar.DefaultBytes(size, "import")
	}
	return progressbar.DefaultBytesSilent(size)
}
