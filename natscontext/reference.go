package natscontext

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// follow returns what a field stands for: the paths of files as they are, and secrets from where they lie.
func follow(field, value string, getenv func(string) string) (string, error) {
	scheme, rest := reference(value)
	isPath := slices.Contains([]string{"creds", "nkey", "cert", "key", "ca"}, field)
	isSecret := field == "password" || field == "token"
	switch {
	case isPath && (scheme == "" || scheme == "file"):
		return expand(rest, getenv)
	case isSecret && scheme == "env":
		if secret := getenv(rest); secret != "" {
			return secret, nil
		}
		return "", fmt.Errorf("%s: the variable it names is not set", field)
	case isSecret && scheme == "file":
		return readSecret(field, rest, getenv)
	case (isPath || isSecret) && scheme != "":
		return "", fmt.Errorf("%s: a reference by %s is not supported here", field, scheme)
	}
	return value, nil
}

// reference splits a value that says where something lies, as the CLI understands it, or returns the value alone.
func reference(value string) (scheme, rest string) {
	for _, scheme := range []string{"file", "env", "op", "nsc", "data"} {
		prefix := scheme + "://"
		if scheme == "data" {
			prefix = scheme + ":"
		}
		if len(value) >= len(prefix) && strings.EqualFold(value[:len(prefix)], prefix) {
			return scheme, value[len(prefix):]
		}
	}
	return "", value
}

func readSecret(field, path string, getenv func(string) string) (string, error) {
	path, err := expand(path, getenv)
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", field, err)
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}

// expand puts variables and the home directory into a path.
func expand(path string, getenv func(string) string) (string, error) {
	path = os.Expand(path, getenv)
	rest, atHome := strings.CutPrefix(path, "~")
	if !atHome {
		return path, nil
	}
	home, err := homeDir()
	return home + rest, err
}
