package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"natsaccord/embeddednats"
)

// TestFarServersAreFar: a request from one region to another takes the round trip between them, never less, which it
// would if servers had found another way to each other. How much more depends on the machine: the quickest of some
// says enough.
func TestFarServersAreFar(t *testing.T) {
	a := newArea(3)
	f, err := startFar(t.Context(), a, embeddednats.Config{Name: "far"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	}()
	var clients []*nats.Conn
	for i, url := range f.servers.URLs() {
		nc, err := nats.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := nc.Subscribe("echo."+a.regions[i], func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, nc)
	}
	for i, nc := range clients {
		for j, region := range a.regions {
			if quickest := quickestOf(t, nc, "echo."+region, a.rtt[i][j]); quickest > a.rtt[i][j]+a.rtt[0][1]/2 {
				t.Errorf("from %s to %s took %s at best, want about %s", a.regions[i], region, quickest, a.rtt[i][j])
			}
		}
	}
}

// quickestOf asks a few times.
func quickestOf(t *testing.T, nc *nats.Conn, subject string, least time.Duration) time.Duration {
	t.Helper()
	quickest := time.Hour
	for answers := 0; answers < 5; {
		start := time.Now()
		_, err := nc.RequestWithContext(t.Context(), subject, nil)
		if err == nats.ErrNoResponders {
			continue // the subscription is still on its way
		}
		if err != nil {
			t.Fatal(err)
		}
		answers++
		took := time.Since(start)
		if took < least {
			t.Errorf("a request on %s took %s, want at least %s", subject, took, least)
		}
		quickest = min(quickest, took)
	}
	return quickest
}

func TestModels(t *testing.T) {
	three, five := newArea(3), newArea(5)
	for _, c := range []struct {
		name string
		area area
		of   func(a area, region int) time.Duration
		want []int // milliseconds; zero: the region is cut off
	}{
		{"a leader in 3", three, led, []int{65, 130, 135}},
		{"a leader in 5", five, led, []int{70, 135, 140, 220, 285}},
		{"leaderless in 3", three, leaderless(three.all()), []int{70, 125, 125}},
		{"leaderless in 5", five, leaderless(five.all()), []int{140, 162, 205, 194, 215}},
		{"a smaller fast quorum in 5", five, leaderless(five.fewer()), []int{140, 125, 178, 150, 178}},
		{"one of 3 cut off", three.without("us-east-1"), leaderless(three.all()), []int{0, 250, 250}},
		{"one of 5 cut off", five.without("ap-southeast-1"), leaderless(five.fewer()), []int{140, 125, 205, 205, 0}},
		{"an electorate of 2 of 3", three, leaderless(voting{2, []int{0, 1}}), []int{65, 65, 125}},
		{"an electorate of 2 of 3, one of them cut off", three.without("us-west-2"), leaderless(voting{2, []int{0, 1}}), []int{140, 0, 140}},
	} {
		for _, region := range c.area.up() {
			if got, want := c.of(c.area, region), time.Duration(c.want[region])*time.Millisecond; got != want {
				t.Errorf("%s: from %s got %s, want %s", c.name, c.area.regions[region], got, want)
			}
		}
	}
}

func led(a area, region int) time.Duration { return a.led(region, farLeader) }

func leaderless(v voting) func(area, int) time.Duration {
	return func(a area, region int) time.Duration { return a.leaderless(region, v) }
}

// TestFarSystemsTakeAppends goes through both kinds of scenario as briefly as can be.
func TestFarSystemsTakeAppends(t *testing.T) {
	s, err := parseFar([]string{"-clients=1", "-warm=2", "-count=2", "-conflicts=50", "-down=eu-west-1", "-electorate=us-east-1,us-west-2"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.run(t.Context(), &out); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	for _, row := range []string{"| jetstream p50 |", "| accord p50 |", "| accord × model |", "| accord × jetstream |", "| accord-e p50 |"} {
		if n := strings.Count(out.String(), row); n != 2 {
			t.Errorf("%q stands there %d times, want once for each scenario:\n%s", row, n, &out)
		}
	}
	if all, fine := strings.Count(out.String(), "failed ["), strings.Count(out.String(), "failed []"); all != 6 || fine != all {
		t.Errorf("appends failed:\n%s", &out)
	}
}

// TestFarWriters: only the regions named have clients, of which the means are.
func TestFarWriters(t *testing.T) {
	s, err := parseFar([]string{"-clients=1", "-warm=1", "-count=2", "-conflicts=0", "-down=none", "-systems=accord", "-writers=eu-west-1,us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.run(t.Context(), &out); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if row := "| accord model | 70 | – | 125 | 98 | 125 |"; !strings.Contains(out.String(), row) {
		t.Errorf("%q is missing:\n%s", row, &out)
	}
}

func TestBadFarSettings(t *testing.T) {
	for _, args := range [][]string{{"-regions=4"}, {"-conflicts=101"}, {"-down=nowhere"}, {"-count=0"}, {"-clients=0"}, {"-electorate=us-east-1"}, {"-electorate=us-east-1,nowhere"},
		{"-writers=nowhere"}, {"-writers=us-east-1,us-east-1"}} {
		if _, err := parseFar(args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}
