package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"natsaccord/client/load"
)

// TestAllSystemsTakeAppends runs every system, by both workloads, as briefly as can be.
func TestAllSystemsTakeAppends(t *testing.T) {
	for _, hot := range []string{"-hot=false", "-hot=true"} {
		s, err := parse([]string{hot, "-rounds=1", "-round=200ms", "-pause=0s", "-concurrency=8", "-streams=100"})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := s.run(t.Context(), &out); err != nil {
			t.Fatalf("%v: %s", err, &out)
		}
		for _, c := range candidates() {
			if !strings.Contains(out.String(), "\n"+c.name+" ") {
				t.Errorf("%s is not in the table:\n%s", c.name, &out)
			}
		}
		if all, fine := strings.Count(out.String(), "failed map["), strings.Count(out.String(), "failed map[]"); all != len(candidates()) || fine != all {
			t.Errorf("requests failed:\n%s", &out)
		}
	}
}

// TestConditionsHold: a system that let an append through at another version would be measured doing less.
func TestConditionsHold(t *testing.T) {
	for _, c := range candidates() {
		t.Run(c.name, func(t *testing.T) {
			s, err := c.start(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.close(); err != nil {
					t.Error(err)
				}
			}()
			data := []byte(`{"fill":"x"}`)
			for worker, version := range []uint64{0, 1, 2} {
				if err := s.append(t.Context(), worker, "a", version, data); err != nil {
					t.Fatalf("append at version %d: %v", version, err)
				}
			}
			err = s.append(t.Context(), 0, "a", 1, data)
			if conflict, lost := errors.AsType[*conflictError](err); !lost || conflict.told && (conflict.have < 2 || conflict.have > 3) {
				t.Errorf("append at version 1 of 3: got %+v, %v, want a conflict with what the node knows", conflict, err)
			}
			if version, err := s.version(t.Context(), 1, "a"); err != nil || version != 3 {
				t.Errorf("got version %d, %v, want 3", version, err)
			}
		})
	}
}

func TestMedian(t *testing.T) {
	rounds := []round{{Result: load.Result{Rate: 5}}, {Result: load.Result{Rate: 1}}, {Result: load.Result{Rate: 3}}}
	if middle, least, most := median(rounds, rate); middle != 3 || least != 1 || most != 5 {
		t.Errorf("got %g, %g, %g", middle, least, most)
	}
}

func TestBusy(t *testing.T) {
	before, after := moment{busy: 10, total: 100}, moment{busy: 40, total: 160}
	if got := after.busySince(before); got != 0.5 {
		t.Errorf("got %g, want a half", got)
	}
	if m, err := now(); err != nil || m.cpu <= 0 || m.cpu > time.Hour {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestBadSettings(t *testing.T) {
	for _, args := range [][]string{{"-systems=nonsense"}, {"-rounds=0"}, {"-concurrency=100", "-streams=50"}, {"-size=3"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}
