// Package natscontext reads the contexts of the NATS CLI: files that say how to reach NATS, each under a name. The CLI's own
// package has them too, and would make the program a third larger.
package natscontext

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Context is what a context says, by the names of the CLI's flags.
type Context struct {
	flags map[string]string
}

// flagOf names the flag that is the same as a field of a file.
func flagOf() map[string]string {
	return map[string]string{
		"url": "server", "user": "user", "password": "password", "token": "token", "creds": "creds", "nkey": "nkey",
		"cert": "tlscert", "key": "tlskey", "ca": "tlsca", "inbox_prefix": "inbox-prefix",
	}
}

// harmless lists the fields that change neither whom one talks to nor as whom.
func harmless() []string {
	return []string{"name", "description", "color_scheme", "jetstream_domain", "jetstream_api_prefix", "jetstream_event_prefix"}
}

// Load reads a context by its name, or by the path of its file if that ends in .json. It refuses what it does not know how
// to follow.
func Load(name string, getenv func(string) string) (Context, error) {
	path, err := find(name, getenv)
	if err != nil {
		return Context{}, fmt.Errorf("context %q: %w", name, err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return Context{}, fmt.Errorf("context %q: %w", name, err)
	}
	flags, err := parse(content, getenv)
	if err != nil {
		return Context{}, fmt.Errorf("context %q: %w", name, err)
	}
	return Context{flags}, nil
}

// find returns where the file of a context is.
func find(name string, getenv func(string) string) (string, error) {
	switch {
	case strings.HasSuffix(name, ".json"):
		return name, nil
	case name == "" || strings.ContainsAny(name, `/\`) || strings.Contains(name, ".."):
		return "", errors.New("no name of a context, and no path that ends in .json")
	}
	root := getenv("XDG_CONFIG_HOME")
	if root == "" {
		home, err := homeDir()
		if err != nil {
			return "", err
		}
		root = filepath.Join(home, ".config")
	}
	return filepath.Join(root, "nats", "context", name+".json"), nil
}

// homeDir is that of the user, as the CLI has it, whatever $HOME says.
func homeDir() (string, error) {
	me, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("find the home directory: %w", err)
	}
	return me.HomeDir, nil
}

// parse returns the flags that stand for a file. Errors quote none of its values.
func parse(content []byte, getenv func(string) string) (map[string]string, error) {
	var fields map[string]any
	if err := json.Unmarshal(content, &fields); err != nil {
		return nil, errors.New("not a JSON object")
	}
	flags, unsupported := make(map[string]string), []string(nil)
	var errs []error
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		value, isText := fields[field].(string)
		flag := flagOf()[field]
		switch {
		case isZero(fields[field]) || slices.Contains(harmless(), field):
			continue
		case flag == "":
			unsupported = append(unsupported, field)
			continue
		case !isText:
			errs = append(errs, fmt.Errorf("%s is not text", field))
			continue
		}
		followed, err := follow(field, value, getenv)
		flags[flag], errs = followed, append(errs, err)
	}
	if unsupported != nil {
		errs = append(errs, fmt.Errorf("%s: not supported here; reach NATS by flags instead", strings.Join(unsupported, ", ")))
	}
	return flags, errors.Join(append(errs, oneIdentity(flags))...)
}

// isZero tells whether a field says nothing: the CLI writes all of them.
func isZero(value any) bool {
	list, isList := value.([]any)
	return value == nil || isList && len(list) == 0 || !isList && reflect.ValueOf(value).IsZero()
}

// oneIdentity refuses a context that leaves open as whom to come.
func oneIdentity(flags map[string]string) error {
	var found []string
	for _, way := range []string{"user", "creds", "nkey", "token"} {
		if flags[way] != "" {
			found = append(found, way)
		}
	}
	if len(found) > 1 {
		return fmt.Errorf("%s: want one of them only", strings.Join(found, ", "))
	}
	return nil
}

// Flags returns what a context says, by the names of the CLI's flags.
func (c Context) Flags() map[string]string { return maps.Clone(c.flags) }
