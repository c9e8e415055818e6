package settings

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// layer is one place that values come from.
type layer struct {
	values *koanf.Koanf
	origin func(key string) string
}

// text is a value from where everything is text: it is taken as on the command line.
type text string

func (l layer) has(key string) bool { return l.values.Exists(key) }

// gives tells whether a layer has something for a flag.
func (l layer) gives(flag *pflag.Flag) bool {
	return l.has(flag.Name) || isSecret(flag) && l.has(flag.Name+fileSuffix)
}

// value returns what a layer has for a flag. A secret may stand in a file of its own.
func (l layer) value(flag *pflag.Flag) (value any, origin string, found bool, err error) {
	inFile := flag.Name + fileSuffix
	switch {
	case !isSecret(flag) || !l.has(inFile):
		return l.values.Get(flag.Name), l.origin(flag.Name), l.has(flag.Name), nil
	case l.has(flag.Name):
		return nil, l.origin(inFile), true, fmt.Errorf("given twice, as %s too", inFile)
	}
	var path string
	switch v := l.values.Get(inFile).(type) {
	case text:
		path = string(v)
	case string:
		path = v
	default:
		return nil, l.origin(inFile), true, fmt.Errorf("%s is %s, want a path", inFile, kindOf(v))
	}
	secret, err := readSecret(path)
	return text(secret), l.origin(inFile), true, err
}

// readSecret returns what a file holds, without the end of its last line.
func readSecret(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(content), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return secret, nil
}

// keys returns the keys that may stand in a file.
func (s Sources) keys() (keys []string) {
	s.Known.VisitAll(func(flag *pflag.Flag) {
		if flag.Name == FileFlag {
			return // a file does not name another one
		}
		keys = append(keys, flag.Name)
		if isSecret(flag) {
			keys = append(keys, flag.Name+fileSuffix)
		}
	})
	return keys
}

// environment is a layer of the variables that keys names; what is empty is as good as missing.
func (s Sources) environment(keys map[string]string) (layer, error) {
	k, origins := koanf.New("."), make(map[string]string)
	err := k.Load(env.Provider("", env.Opt{
		EnvironFunc: func() []string { return s.Environ },
		TransformFunc: func(variable, value string) (string, any) {
			key := keys[variable]
			if value == "" || key == "" {
				return "", nil
			}
			origins[key] = variable
			return key, text(value)
		},
	}), nil)
	return layer{k, func(key string) string { return "environment " + origins[key] }}, err
}

// ownEnvironment is the variables with the prefix. One that is no setting is an error, and so more likely noticed.
func (s Sources) ownEnvironment() (layer, error) {
	keys := map[string]string{s.variable(FileFlag): FileFlag}
	for _, key := range s.keys() {
		keys[s.variable(key)] = key
	}
	own, err := s.environment(keys)
	errs := []error{err}
	for _, entry := range s.Environ {
		variable, _, _ := strings.Cut(entry, "=")
		rest, ours := strings.CutPrefix(variable, s.Prefix)
		apart := slices.ContainsFunc(s.Apart, func(prefix string) bool { return strings.HasPrefix(rest, prefix) })
		if _, known := keys[variable]; ours && !apart && !known && !isServiceLink(rest) {
			errs = append(errs, fmt.Errorf("environment: unknown variable %s, the nearest there is is %s", variable, nearest(variable, keys)))
		}
	}
	return own, errors.Join(errs...)
}

// isServiceLink tells whether the rest of a variable's name is one that Kubernetes sets by itself in every container, for a service whose
// name begins as the prefix does: a node must not refuse to start because somebody called a service accord.
func isServiceLink(rest string) bool {
	return regexp.MustCompile(`^(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`).MatchString(rest)
}

// otherEnvironment is the variables that flags have besides their own.
func (s Sources) otherEnvironment() (layer, error) {
	keys := make(map[string]string)
	s.Known.VisitAll(func(flag *pflag.Flag) {
		for _, variable := range flag.Annotations[otherVariable] {
			keys[variable] = flag.Name
		}
	})
	return s.environment(keys)
}

// file is what a file says.
func (s Sources) file(path string) (layer, error) {
	l := layer{koanf.New("."), func(string) string { return "file " + path }}
	if err := l.values.Load(file.Provider(path), document{yaml.Parser()}); err != nil {
		return l, fmt.Errorf("file %s: %w", path, withoutContent(err))
	}
	keys := make(map[string]string)
	for _, key := range s.keys() {
		keys[key] = key
	}
	var errs []error
	for _, key := range l.values.Keys() {
		if keys[key] == "" {
			key = quotable(key, keys)
			errs = append(errs, fmt.Errorf("file %s: unknown key %q, the nearest there is is %q", path, key, nearest(strings.TrimSuffix(key, "…"), keys)))
		} else if l.values.Get(key) == "" && s.isText(key) {
			l.values.Delete(key) // as in the environment, it is as good as missing
		}
	}
	return l, errors.Join(errs...)
}

// isText tells whether a key is of text, or of a list that may be given as text.
func (s Sources) isText(key string) bool {
	flag := s.Known.Lookup(key)
	if flag == nil {
		return true // the path of a secret's file
	}
	kind := flag.Value.Type()
	return kind == "string" || kind == "stringSlice"
}

// document parses a file of one document: what stands in further ones would be ignored.
type document struct{ *yaml.YAML }

func (d document) Unmarshal(content []byte) (map[string]any, error) {
	begun, ended := false, false
	for line := range bytes.Lines(content) {
		line = bytes.TrimRight(line, " \t\r\n")
		switch {
		case len(line) == 0 || line[0] == '#' || !begun && line[0] == '%': // says nothing, or which YAML it is
		case ended || begun && isMarker(line, "---"):
			return nil, errors.New("more than one document")
		case isMarker(line, "..."):
			ended = true
		default:
			begun = true
		}
	}
	return d.YAML.Unmarshal(content)
}

// isMarker tells whether a line begins or ends a document.
func isMarker(line []byte, marker string) bool {
	rest, found := bytes.CutPrefix(line, []byte(marker))
	return found && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t')
}

// withoutContent takes from an error what it quotes of the file, which may be a secret. The names of keys it quotes remain.
func withoutContent(err error) error {
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return err
	}
	message := regexp.MustCompile("'[^']*'|`[^`]*`").ReplaceAllString(err.Error(), "…")
	return errors.New(regexp.MustCompile(`"(\\.|[^"\\])*"`).ReplaceAllStringFunc(message, func(quoted string) string {
		return `"` + quotable(strings.Trim(quoted, `"`), nil) + `"`
	}))
}

// quotable returns what may be told of a key. What follows a name in it may be a secret that a space is missing before, as in password:SECRET, and so
// may what stands in braces behind a known one.
func quotable(key string, known map[string]string) string {
	if first, _, within := strings.Cut(key, "."); within && known[first] != "" {
		return first + "…"
	}
	if i := strings.IndexFunc(key, func(r rune) bool { return !isNameRune(r) }); i >= 0 {
		return key[:i] + "…"
	}
	return key
}

func isNameRune(r rune) bool {
	return r == '-' || r == '_' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// textLayer is values that are all text.
func textLayer(values map[string]string, origin func(key string) string) (layer, error) {
	k := koanf.New(".")
	var errs []error
	for key, value := range values {
		errs = append(errs, k.Set(key, text(value)))
	}
	return layer{k, origin}, errors.Join(errs...)
}
