package main

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/oklog/ulid/v2"

	"natsaccord/client"
)

func TestSubscriber(t *testing.T) {
	server := serverOf(t, startDev(t, "--memory"))
	nc, err := nats.Connect(server)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c, err := client.New(nc, client.Options{Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	worker := ulid.Make()
	if err := c.UpsertSubscriber(t.Context(), "mailer", worker); err != nil {
		t.Fatal(err)
	}
	const first, second = "0000000000000000000000000001", "0000000000000000000000000002"
	if err := c.Acknowledge(t.Context(), "mailer", worker, second, 7); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"list", "--node", "n1"}, exitDone, "mailer  " + worker.String() + "  " + second + "  7    2"},
		{[]string{"get", "mailer", "-o", "json"}, exitDone, `"key":"mailer","running":false,"worker":"` + worker.String() + `","cursor":"` + second + `","lag":7,"seen":"2`},
		{[]string{"get", "nobody"}, exitRefused, "not found"},
		{[]string{"get"}, exitUsage, "accepts 1 arg"},
		{[]string{"reset", "mailer", "--to", "here"}, exitRefused, "not a position"},
		{[]string{"reset", "mailer", "--to", first}, exitDone, "mailer  none    " + first + "  0    2"},
		{[]string{"reset", "mailer"}, exitDone, "mailer  none            0    2"},
	} {
		code, out := run(t, append(append([]string{"subscriber"}, step.args...), "--server", server)...)
		if code != step.code || !strings.Contains(out, step.want) {
			t.Errorf("accord subscriber %v: got %d, %q, want %d, %q", step.args, code, out, step.code, step.want)
		}
	}
}
