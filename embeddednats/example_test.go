package embeddednats_test

import (
	"context"
	"fmt"
	"log"

	"github.com/nats-io/nats.go"

	"natsaccord/embeddednats"
)

// A server without a port serves whoever is in the same process.
func Example() {
	server, err := embeddednats.Start(context.Background(), embeddednats.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Shutdown()

	nc, err := nats.Connect("", nats.InProcessServer(server))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	inbox, err := nc.SubscribeSync("greetings")
	if err != nil {
		log.Fatal(err)
	}
	if err := nc.Publish("greetings", []byte("hello")); err != nil {
		log.Fatal(err)
	}
	message, err := inbox.NextMsgWithContext(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", message.Data)
	// Output: hello
}
