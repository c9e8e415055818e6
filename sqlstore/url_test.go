package sqlstore_test

import (
	"strings"
	"testing"

	"natsaccord/sqlstore"
)

// TestPasswordThatSplitsTheURL holds that of a password which is not escaped nothing is told as a host's or a database's name.
func TestPasswordThatSplitsTheURL(t *testing.T) {
	for _, url := range []string{
		"postgres://u:hun@hunter2@db.example.com/x",
		"postgres://u:hun@hunter2@db.example.com",
		"postgres://u@hunter2@db.example.com/x?sslmode=bad",
		"postgres://u:hun?x@hunter2@db.example.com/x",
		"postgres://u:1/hunter2@db.example.com/x",
		"postgresql://db.example.com/x?user=u&host=hun@hunter2",
		"postgres://u:hun@hunter2@127.0.0.1:1/x",
	} {
		cfg := sqlstore.Config{URL: url, Node: "n1", Nodes: []string{"n1"}, AllowUnsafe: true}
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "write %40") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want it refused", url, err)
		}
		if _, err := sqlstore.Open(t.Context(), cfg); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: open: got %v, want it refused", url, err)
		}
	}
	for _, url := range []string{"postgres://u:p%40%2F@127.0.0.1/x", "postgres:///x?host=@socket", "postgres://u:p@127.0.0.1,localhost/x?application_name=a@b", "postgres://127.0.0.1/x"} {
		if err := (sqlstore.Config{URL: url}).Validate(); err != nil {
			t.Errorf("%s: got %v", url, err)
		}
	}
}
