package settings

import (
	"net/url"
	"strings"

	"github.com/spf13/pflag"
)

// What flags are marked with.
const (
	otherVariable = "settings.variable"
	secrecy       = "settings.secret"
	group         = "settings.group"
	completed     = "settings.completed"
	replaced      = "settings.replaced"
	wholly        = "wholly"
	inURL         = "in a URL"
)

// hidden stands for a secret.
const hidden = "***"

// Variable gives a flag one more variable, which has less weight than its own.
func Variable(f *pflag.FlagSet, name, variable string) { mark(f, name, otherVariable, variable) }

// Secret says that a flag is not to be printed. The key with -file and the variable with _FILE name a file that holds it.
func Secret(f *pflag.FlagSet, name string) { mark(f, name, secrecy, wholly) }

// SecretURL says so of what a flag's URLs hold of passwords and tokens.
func SecretURL(f *pflag.FlagSet, name string) { mark(f, name, secrecy, inURL) }

func mark(f *pflag.FlagSet, name, key, value string) {
	if err := f.SetAnnotation(name, key, []string{value}); err != nil {
		panic("settings: " + err.Error()) // there is no such flag
	}
}

func isSecret(flag *pflag.Flag) bool { return len(flag.Annotations[secrecy]) > 0 }

// hide returns what may be printed of a text that a flag holds.
func hide(flag *pflag.Flag, value string) string {
	switch {
	case !isSecret(flag) || value == "":
		return value
	case flag.Annotations[secrecy][0] == wholly:
		return hidden
	}
	return hideInURL(value)
}

// isHidden tells whether a secret is what hide makes of one.
func isHidden(flag *pflag.Flag) bool {
	if !isSecret(flag) {
		return false
	}
	value := flag.Value.String()
	return value == hidden || flag.Annotations[secrecy][0] == inURL && (strings.Contains(value, hidden+"@") || strings.Contains(value, "="+hidden))
}

// hideInURL hides a password or a token. It rather hides too much: the text may be no URL at all.
func hideInURL(value string) string {
	scheme, rest, isURL := strings.Cut(value, "://")
	switch {
	case strings.HasPrefix(value, "sqlite:"):
		return value
	case isURL:
		return scheme + "://" + hideUser(scheme, hideParameters(rest))
	case strings.Contains(strings.ToLower(value), "password"):
		return hidden
	}
	return hideUser("", value)
}

// hideParameters hides the passwords behind the question mark of a URL.
func hideParameters(rest string) string {
	path, query, hasQuery := strings.Cut(rest, "?")
	if !hasQuery {
		return rest
	}
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		key, _, _ := strings.Cut(parameter, "=")
		decoded, err := url.QueryUnescape(key)
		if err != nil || strings.Contains(strings.ToLower(decoded), "password") {
			parameters[i] = key + "=" + hidden
		}
	}
	return path + "?" + strings.Join(parameters, "&")
}

// hideUser hides a password before the host, or what stands alone there, unless that is a user of Postgres.
func hideUser(scheme, rest string) string {
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return rest
	}
	who, _, hasPassword := strings.Cut(rest[:at], ":")
	switch {
	case hasPassword:
		who += ":" + hidden
	case !strings.HasPrefix(scheme, "postgres"):
		who = hidden
	}
	return who + rest[at:]
}
