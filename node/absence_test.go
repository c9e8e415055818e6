package node_test

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"natsaccord/accord"
	"natsaccord/event"
	"natsaccord/node/nodetest"
)

var registrations = flag.Int("registrations", 50, "how often two nodes are asked to register one e-mail address at once")

// TestOneRegistrationWins has two nodes register one e-mail address at once, in streams of their own: exactly one does,
// each time, and the other is told by whom it was beaten.
func TestOneRegistrationWins(t *testing.T) {
	dir := t.TempDir()
	var urls []string
	for i := range 3 {
		urls = append(urls, "sqlite:"+filepath.Join(dir, fmt.Sprintf("n%d.db", i+1)))
	}
	c := nodetest.NewOn(t, urls, accord.Config{})
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
		exists, refused := errors.AsType[*event.ExistsError](errs[1-winner])
		if errs[winner] != nil || !refused || len(exists.Events) != 1 || exists.Events[0].Ref != receipts[winner].Events[0] {
			t.Fatalf("%s: got %+v, %v and %+v, %v, want one of them refused for the other", email, receipts[0], errs[0], receipts[1], errs[1])
		}
	}
}
