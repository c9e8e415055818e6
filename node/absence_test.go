package node_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/node/nodetest"
)

var registrations = flag.Int("registrations", 1000/slower, "how often two nodes are asked to register one e-mail address at once")

// TestOneRegistrationWins has two nodes register one e-mail address at once, in streams of their own: exactly one does,
// each time, and the other is told by whom it was beaten.
func TestOneRegistrationWins(t *testing.T) {
	dir := t.TempDir()
	var urls []string
	for i := range 3 {
		urls = append(urls, "sqlite:"+filepath.Join(dir, fmt.Sprintf("n%d.db", i+1)))
	}
	c := nodetest.NewOn(t, urls, accord.Config{})
	c.Vary(time.Millisecond) // or the same one mostly wins
	won := make(map[int]int)
	for i := range *registrations {
		email := fmt.Sprintf("email:user-%d@example.com", i)
		var receipts [2]event.Receipt
		var errs [2]error
		var asking sync.WaitGroup
		for j := range errs {
			asking.Go(func() {
				receipts[j], errs[j] = c.Member((i+j)%3).Node.Append(t.Context(), event.Append{
					Events: []event.Event{{Stream: event.StreamOf("user", fmt.Sprintf("%d-%d", i, j)), Type: "Registered", Data: []byte("{}"), Tags: []string{email}}},
					Absent: &event.Absence{Items: []event.Match{{Types: []string{"Registered"}, Tags: []string{email}}}},
				})
			})
		}
		asking.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		won[winner]++
		exists, refused := errors.AsType[*event.ExistsError](errs[1-winner])
		if errs[winner] != nil || !refused || len(exists.Events) != 1 || exists.Events[0].Ref != receipts[winner].Events[0] {
			t.Fatalf("%s: got %+v, %v and %+v, %v, want one of them refused for the other", email, receipts[0], errs[0], receipts[1], errs[1])
		}
	}
	t.Logf("the first was the one %d times of %d", won[0], *registrations)
	if won[0] == 0 || won[1] == 0 {
		t.Error("there was no race")
	}
}

// TestCapacityHolds has students enrol for courses through three nodes at once. A course takes three students, and a student two courses: none
// takes more, and whoever is turned away was so for a reason.
func TestCapacityHolds(t *testing.T) {
	const students, courses, perCourse, perStudent = 12, 6, 3, 2
	c := nodetest.New(t, 3)
	c.Vary(time.Millisecond)
	var asking sync.WaitGroup
	for i := range students {
		asking.Go(func() {
			for j := range courses {
				tags := []string{fmt.Sprint("course:", (i+j)%courses), fmt.Sprint("student:", i)}
				if err := enrol(t.Context(), c.Nodes[i%3], tags, []int{perCourse, perStudent}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	asking.Wait()
	taken := make(map[string]int)
	for _, e := range log(t, c.Nodes[0]) {
		for _, tag := range e.Tags {
			taken[tag]++
		}
	}
	for tag, n := range taken {
		if strings.HasPrefix(tag, "course:") && n > perCourse || strings.HasPrefix(tag, "student:") && n > perStudent {
			t.Errorf("%s was taken %d times", tag, n)
		}
	}
	for i := range students {
		for j := range courses {
			course, student := fmt.Sprint("course:", j), fmt.Sprint("student:", i)
			if taken[course] < perCourse && taken[student] < perStudent {
				t.Errorf("%s was turned away from %s though both had room", student, course)
			}
		}
	}
}

// enrol decides on what it reads, and anew if others were quicker, as in docs/tags.md. It appends nothing if one of the tags is taken as often as it may
// be.
func enrol(ctx context.Context, n *nodetest.Member, tags []string, most []int) error {
	for {
		var frontiers []event.Position
		absent := &event.Absence{}
		for i, tag := range tags {
			page, err := n.Read(ctx, event.ReadArgs{Tags: []string{tag}, Consistency: event.Linearizable})
			if err != nil || len(page.Events) >= most[i] {
				return err
			}
			frontiers = append(frontiers, page.Frontier)
			absent.Items = append(absent.Items, event.Match{Tags: []string{tag}})
		}
		absent.After = slices.Min(frontiers)
		_, err := n.Append(ctx, event.Append{Absent: absent, Events: []event.Event{{
			Stream: event.StreamOf("enrolment", ulid.Make().String()), Type: "Enrolled", Data: []byte("{}"), Tags: tags,
		}}})
		if _, others := errors.AsType[*event.ExistsError](err); !others {
			return err
		}
	}
}
