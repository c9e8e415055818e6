package main

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestDevPublishesLiveEvents(t *testing.T) {
	for _, c := range []struct {
		args []string
		on   bool
	}{{[]string{"--memory"}, true}, {[]string{"--memory", "--live=false"}, false}} {
		server := serverOf(t, startDev(t, c.args...))
		nc, err := nats.Connect(server)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		sub, err := nc.SubscribeSync("accord.v1.event.>")
		if err != nil || nc.Flush() != nil {
			t.Fatal(err)
		}
		if code, out := run(t, "append", "file..travis.yml", `{"n":1}`, "--type", "Changed", "--server", server); code != exitDone {
			t.Fatal(out)
		}
		wait := 10 * time.Second
		if !c.on {
			wait = 2 * time.Second // twice what it takes to find out who publishes
		}
		msg, err := sub.NextMsg(wait)
		switch {
		case !c.on && err == nil:
			t.Errorf("with live events off: got %s", msg.Subject)
		case c.on && (err != nil || msg.Subject != "accord.v1.event.file.%2Etravis.yml.Changed" || msg.Header.Get("ce-subject") != "file..travis.yml" || string(msg.Data) != `{"n":1}`):
			t.Errorf("got %+v, %v", msg, err)
		}
	}
}
