package tests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"natsaccord/bus"
	"natsaccord/embeddednats"

	"github.com/nats-io/nats-server/v2/server"
)

// TestRefusals sends what no node may take, raw, and checks the error of each and that nothing is written.
func TestRefusals(t *testing.T) {
	c := startOn(t, sqliteStores(t), embeddednats.Config{Port: embeddednats.AnyPort, Options: func(o *server.Options) { o.MaxPayload = 8 << 20 }})
	c.ask("accord.v1.append.account.first", `{"request_id":"used","events":[{"type":"Opened","data":1}]}`, 0)
	event := `{"type":"Opened","data":1}`
	many := strings.Repeat(event+",", 1000) + event
	for name, r := range map[string]struct {
		subject, body string
		code          int
	}{
		"malformed JSON":         {"accord.v1.append.account.x", `{"events":[`, bus.CodeInvalid},
		"trailing garbage":       {"accord.v1.append.account.x", `{"events":[` + event + `]} {}`, bus.CodeInvalid},
		"unknown field":          {"accord.v1.append.account.x", `{"expct":1,"events":[` + event + `]}`, bus.CodeInvalid},
		"unknown field of event": {"accord.v1.append.account.x", `{"events":[{"type":"Opened","data":1,"versoin":2}]}`, bus.CodeInvalid},
		"wildcard in a name":     {"accord.v1.append", `{"events":[{"stream":"account.*","type":"Opened","data":1}]}`, bus.CodeInvalid},
		"over-long name":         {"accord.v1.append.account." + strings.Repeat("x", 256), `{"events":[` + event + `]}`, bus.CodeInvalid},
		"bad category":           {"accord.v1.append._account.x", `{"events":[` + event + `]}`, bus.CodeInvalid},
		"no events":              {"accord.v1.append.account.x", `{"events":[]}`, bus.CodeInvalid},
		"empty body":             {"accord.v1.append.account.x", ``, bus.CodeInvalid},
		"1,001 events":           {"accord.v1.append.account.x", `{"events":[` + many + `]}`, bus.CodeTooLarge},
		"2 MiB body":             {"accord.v1.append.account.x", `{"events":[{"type":"Opened","data":"` + strings.Repeat("x", 2<<20) + `"}]}`, bus.CodeTooLarge},
		"wrong expect":           {"accord.v1.append.account.x", `{"expect":3,"events":[` + event + `]}`, bus.CodeConflict},
		"senseless expect":       {"accord.v1.append.account.x", `{"expect":"maybe","events":[` + event + `]}`, bus.CodeInvalid},
		"request id reused":      {"accord.v1.append.account.x", `{"request_id":"used","events":[` + event + `]}`, bus.CodeReused},
		"unknown verb":           {"accord.v1.frobnicate", `{}`, bus.CodeVerb},
		"unknown node verb":      {"accord.v1.node.n1.frobnicate", `{}`, bus.CodeVerb},
		"unknown request":        {"accord.v1.txn.never", ``, bus.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) { c.ask(r.subject, r.body, r.code) })
	}
	c.ask("accord.v1.append.account.x-field", `{"x-trace":"7","events":[`+event+`]}`, 0)
	if head, err := c.client.Head(t.Context(), "account.x"); err != nil || head.Version != 0 {
		t.Errorf("got %+v, %v after refusals only, want nothing written", head, err)
	}
	c.wants(c.run("verify"), "3 nodes agree on 2 events")
}

// ask sends a raw request and checks its error's code; zero: no error.
func (c *cluster) ask(subject, body string, code int) {
	c.t.Helper()
	msg, err := c.nc.Request(subject, []byte(body), 10*time.Second)
	if err != nil {
		c.t.Errorf("%s: %v", subject, err)
		return
	}
	var reply bus.ErrorReply
	if err := json.Unmarshal(msg.Data, &reply); err != nil {
		c.t.Errorf("%s: %v in %s", subject, err, msg.Data)
		return
	}
	if reply.Error.ErrCode != code {
		c.t.Errorf("%s: got %s, want err_code %d", subject, msg.Data, code)
	}
	if header := msg.Header.Get("Nats-Service-Error-Code"); (code != 0) != (header != "") || code != 0 && header != fmt.Sprint(reply.Error.Code) {
		c.t.Errorf("%s: got header %q for code %d", subject, header, reply.Error.Code)
	}
	if code != 0 && code != bus.CodeNotFound && reply.Error.Outcome != "not_committed" {
		c.t.Errorf("%s: got outcome %q, want not_committed", subject, reply.Error.Outcome)
	}
}
