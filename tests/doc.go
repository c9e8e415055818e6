// Package tests holds black-box tests: the accord program as processes of its own, on a real NATS server and real
// databases. Only what the program exports to the world is used.
package tests
