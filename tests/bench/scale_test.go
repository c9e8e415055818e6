package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"natsaccord/event"
	"natsaccord/sqlstore"
	"natsaccord/sqlstore/pgtest"
)

// TestScaleMeasuresEveryLine goes along every line as briefly as can be.
func TestScaleMeasuresEveryLine(t *testing.T) {
	dir := t.TempDir()
	s, err := parseScale([]string{
		"-rounds=1", "-count=20", "-warm=5", "-touch=0", "-concurrency=4", "-per-stream=3", "-out=" + dir,
		"-nodes=3,5", "-keys=10,10M", "-span=1,100", "-conflicts=0,50", "-history=0,2k", "-size=256,65536",
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.run(t.Context(), &out); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if all, fine := strings.Count(out.String(), "failed map["), strings.Count(out.String(), "failed map[]"); all != 12 || fine != all {
		t.Errorf("got %d rounds, %d without failures, want 12:\n%s", all, fine, &out)
	}
	for _, l := range scaleLines() {
		if !strings.Contains(out.String(), "\n| "+l.title+" | appends/s |") {
			t.Errorf("there is no table of %s:\n%s", l.title, &out)
		}
		svg, err := os.ReadFile(filepath.Join(dir, "scale-"+l.name+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(elements(t, svg, "circle")); n != 8 {
			t.Errorf("the picture of %s has %d points, want two in each of four lines", l.name, n)
		}
	}
	for _, row := range []string{"| 10,000,000 |", "| 100 |", "| 65,536 |", "filled 3 databases with 2,000 events"} {
		if !strings.Contains(out.String(), "\n"+row) {
			t.Errorf("%q is not there:\n%s", row, &out)
		}
	}
}

func TestScaleOnPostgres(t *testing.T) {
	s, err := parseScale([]string{"-store=postgres", "-lines=history", "-history=1k", "-rounds=2", "-count=20", "-warm=5", "-touch=1", "-concurrency=4"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = s.run(t.Context(), &out)
	if errors.Is(err, pgtest.ErrNone) {
		t.Skip(err)
	}
	if err != nil || !strings.Contains(out.String(), "\n| 1,000 |") || strings.Count(out.String(), "failed map[]") != 2 {
		t.Fatalf("%v: %s", err, &out)
	}
}

// TestHistoryIsALog: three nodes take a history for their log, go on from it, and all have the same.
func TestHistoryIsALog(t *testing.T) {
	dir := t.TempDir()
	var stores []sqlstore.Config
	for i := range clusterSize {
		stores = append(stores, sqlstore.Config{URL: "sqlite:" + filepath.Join(dir, fmt.Sprintf("n%d.db", i+1))})
	}
	h := history{events: 2500, perStream: 10, bytes: 64}
	if err := h.fill(t.Context(), stores); err != nil {
		t.Fatal(err)
	}
	a := &accordCluster{}
	if err := a.start(t.Context(), stores); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}()
	for i, c := range a.clients {
		stream := historyStream(249 - i)
		receipt, err := c.Append(t.Context(), event.Append{
			Conditions: []event.Condition{{Stream: stream, Expect: 10}}, Events: []event.Event{{Stream: stream, Type: "Added", Data: []byte(`{}`)}},
		})
		if err != nil || receipt.Events[0].Version != 11 {
			t.Errorf("append behind 10 events of %s: got %+v, %v", stream, receipt, err)
		}
	}
	first := wholeLog(t, a.members[0])
	if len(first) != h.events+clusterSize {
		t.Errorf("the log has %d events, want %d and one for each node", len(first), h.events)
	}
	if !slices.IsSorted(first) {
		t.Error("the log is out of order")
	}
	for _, m := range a.members[1:] {
		if !slices.Equal(wholeLog(t, m), first) {
			t.Error("nodes have different logs")
		}
	}
}

// TestHistoryIsInterleaved: a history has all versions of each stream, one after another, and seldom together.
func TestHistoryIsInterleaved(t *testing.T) {
	h := history{events: 1995, perStream: 10}
	heads, last, together := make(map[int]uint64), -1, 0
	for stream, version := range h.order(rand.New(rand.NewPCG(1, 1))) {
		if version != heads[stream]+1 {
			t.Fatalf("version %d of stream %d comes after version %d", version, stream, heads[stream])
		}
		if heads[stream] = version; stream == last {
			together++
		}
		last = stream
	}
	for stream := range h.streams() {
		if want := min(10, h.events-10*stream); heads[stream] != uint64(want) {
			t.Errorf("stream %d has %d events, want %d", stream, heads[stream], want)
		}
	}
	if together > h.events/2 {
		t.Errorf("%d of %d events stand behind one of the same stream", together, h.events)
	}
}

// TestAmongAllOfAHistory: the streams that appends go to are as many as asked for, if there are as many, from one end of a history to the
// other.
func TestAmongAllOfAHistory(t *testing.T) {
	for _, c := range []struct{ streams, among, keys, apart int }{
		{1000, 10_000, 1000, 1}, {10_000, 10_000, 10_000, 1}, {1_000_000, 10_000, 10_000, 100}, {1_000_000, 0, 1_000_000, 1}, {1, 0, 1, 1},
	} {
		var w scaleWorkload
		if w.drawnFrom(c.streams, c.among); w.keys != c.keys || w.apart != c.apart {
			t.Errorf("of %d streams, %d asked for: got %d, every %d., want %d, every %d.", c.streams, c.among, w.keys, w.apart, c.keys, c.apart)
		}
	}
}

// wholeLog reads the log at a node up to all that is acknowledged, an event a line.
func wholeLog(t *testing.T, m *accordMember) (lines []string) {
	t.Helper()
	args := event.ReadArgs{Limit: 1000, Consistency: event.Linearizable}
	for {
		page, err := m.Read(t.Context(), args)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			lines = append(lines, fmt.Sprint(e.Position, e.ID, e.Stream, e.Version, e.TxnID, e.Type, string(e.Data), e.RecordedAt))
			args.After = e.Position
		}
		if page.End {
			return lines
		}
	}
}

func TestLargeAppendsAreFewer(t *testing.T) {
	s := scaleSettings{count: 10_000, inFlight: 64, mostBytes: 64 << 20}
	for w, want := range map[scaleWorkload]int{{bytes: 256, span: 1}: 10_000, {bytes: 64 << 10, span: 1}: 1024, {bytes: 256 << 10, span: 100}: 64} {
		if got := s.appends(w); got != want {
			t.Errorf("%+v: got %d appends, want %d", w, got, want)
		}
	}
}

// TestDrawnStreamsDiffer: no stream stands twice in an append, and hot ones come as often as they are to.
func TestDrawnStreamsDiffer(t *testing.T) {
	w := &scaleWork{scaleWorkload: scaleWorkload{keys: 30, apart: 1, span: 30}}
	streams := w.draw()
	slices.Sort(streams)
	if n := len(slices.Compact(streams)); n != 30 {
		t.Errorf("drew %d different streams of 30, want all", n)
	}
	w = &scaleWork{scaleWorkload: scaleWorkload{keys: 1000, apart: 1, span: 1, conflicts: 20}}
	hot := 0
	for range 10_000 {
		if strings.HasPrefix(string(w.draw()[0]), "bench.hot-") {
			hot++
		}
	}
	if hot < 1500 || hot > 2500 {
		t.Errorf("%d of 10,000 appends went to hot streams, want about a fifth", hot)
	}
}

func TestBadScaleSettings(t *testing.T) {
	for _, args := range [][]string{
		{"-lines=nonsense"}, {"-nodes=0"}, {"-keys=10x"}, {"-keys="}, {"-span=101"}, {"-conflicts=101"}, {"-history=-1"}, {"-size=3"}, {"-rounds=0"}, {"-among=-1"}, {"-touch=-1"}, {"-store=mysql"},
	} {
		if _, err := parseScale(args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}

// TestScaleTouchesStreams: before a history's appends count, there are some to each of its streams, within bounds.
func TestScaleTouchesStreams(t *testing.T) {
	for _, c := range []struct {
		history, keys int
		args          []string
		want          int
	}{
		{0, 10_000, nil, 2001},
		{10_000, 1000, nil, 4000},
		{10_000_000, 10_000, nil, 40_000},
		{10_000_000, 1_000_000, nil, 40_000},
		{10_000_000, 10_000, []string{"-touch=0"}, 2001},
		{10_000, 100, nil, 2001},
	} {
		s, err := parseScale(c.args)
		if err != nil {
			t.Fatal(err)
		}
		w := baseWorkload()
		w.history, w.keys = c.history, c.keys
		if got := s.before(w); got != c.want {
			t.Errorf("%+v: got %d appends before those that count", c, got)
		}
	}
}
