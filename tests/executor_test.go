package tests

import (
	"testing"

	"natsaccord/event"
	"natsaccord/event/eventtest"
)

func TestClientIsAnExecutor(t *testing.T) {
	c := start(t, sqliteStores(t))
	eventtest.Exercise(t, func(*testing.T) event.Executor { return c.client })
}
