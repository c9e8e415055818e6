package node_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"natsaccord/event"
	"natsaccord/node/nodetest"
)

// TestNodeThatWasDownCatchesUp: a node that comes back while the others go on writing gets to where they are, in
// less time than it was away.
func TestNodeThatWasDownCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nodetest.New(t, 3)
		c.Slow(2 * time.Millisecond)
		const away = time.Second
		ctx, stop := context.WithCancel(t.Context())
		var writing sync.WaitGroup
		for w := range 4 {
			writing.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					if _, err := c.Nodes[w%2].Append(ctx, opened(event.StreamOf("account", fmt.Sprint(w)), i)); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					<-time.After(5 * time.Millisecond)
				}
			})
		}
		defer writing.Wait()
		defer stop()
		<-time.After(100 * time.Millisecond)
		c.StopNode(2)
		<-time.After(away)
		c.StartNode(2)
		start := time.Now()
		for {
			there, err := c.Nodes[0].Frontier(ctx, "", false)
			if err != nil {
				t.Fatal(err)
			}
			if here, _ := c.Nodes[2].Frontier(ctx, "", false); here >= there {
				break
			}
			if time.Since(start) > 5*away {
				t.Fatalf("%s after it came back the node is not where the others are", time.Since(start))
			}
			<-time.After(10 * time.Millisecond)
		}
		t.Logf("away for %s, there again after %s", away, time.Since(start))
		if took := time.Since(start); took > away {
			t.Errorf("away for %s, there again only after %s", away, took)
		}
	})
}
