package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestReadSelects(t *testing.T) {
	server := serverOf(t, startDev(t, "--memory"))
	for i := range 4 {
		code, out := run(t, "append", fmt.Sprintf("order.%d", i%2), fmt.Sprintf(`{"n":%d}`, i), "--type", []string{"Placed", "Paid"}[i/2], "--server", server)
		if code != exitDone {
			t.Fatal(out)
		}
	}
	for _, c := range []struct {
		args []string
		want []int
	}{
		{[]string{"read", "order", "--consistency", "linearizable"}, []int{0, 1, 2, 3}},
		{[]string{"read", "--consistency", "linearizable", "--backward", "--limit", "2"}, []int{3, 2}},
		{[]string{"read", "order.1"}, []int{1, 3}},
		{[]string{"read", "order.1", "--from-version", "2"}, []int{3}},
		{[]string{"read", "order", "--type", "Paid", "--consistency", "linearizable"}, []int{2, 3}},
		{[]string{"read", "order", "--tag", "none"}, nil},
		{[]string{"tail", "order", "-n", "3", "--consistency", "linearizable"}, []int{1, 2, 3}},
		{[]string{"tail", "order.0", "-n", "1"}, []int{2}},
		{[]string{"tail", "nothing"}, nil},
	} {
		code, out := run(t, append(c.args, "--server", server)...)
		var want strings.Builder
		for _, n := range c.want {
			fmt.Fprintf(&want, `{"n":%d} `, n)
		}
		var got strings.Builder
		for line := range strings.Lines(out) {
			fields := strings.Fields(line)
			got.WriteString(fields[len(fields)-1] + " ")
		}
		if code != exitDone || got.String() != want.String() {
			t.Errorf("accord %v: got %d, %q, want %q", c.args, code, out, want.String())
		}
	}
}

func TestTailFollows(t *testing.T) {
	server := serverOf(t, startDev(t, "--memory"))
	appendOne := func(n int) {
		if code, out := run(t, "append", "order.1", fmt.Sprintf(`{"n":%d}`, n), "--server", server); code != exitDone {
			t.Fatal(out)
		}
	}
	appendOne(1)
	ctx, stop := context.WithCancel(t.Context())
	out, ended := newScreen(), make(chan int, 1)
	go func() {
		ended <- Main{Stdin: strings.NewReader(""), Stdout: out, Stderr: io.Discard}.Run(ctx, []string{"tail", "order", "--follow", "--server", server})
	}()
	for n := 2; n < 5; n++ {
		for !strings.Contains(out.String(), fmt.Sprintf(`{"n":%d}`, n-1)) {
			select {
			case <-out.changed:
			case code := <-ended:
				t.Fatalf("tail ended with %d: %s", code, out)
			}
		}
		appendOne(n)
	}
	for !strings.Contains(out.String(), `{"n":4}`) {
		<-out.changed
	}
	stop()
	if code := <-ended; code != exitDone || strings.Count(out.String(), "\n") != 4 {
		t.Errorf("tail ended with %d: %s", code, out)
	}
}
