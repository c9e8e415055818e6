package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// set gives a flag a value. Text that is no number does not become one by itself, nor the other way round: a password
// 0123 would not be what was written. Errors do not say what the value is, which may be a secret.
func set(flag *pflag.Flag, value any) error {
	var err error
	kind := flag.Value.Type()
	list, isList := flag.Value.(pflag.SliceValue)
	switch v := value.(type) {
	case text:
		err = flag.Value.Set(string(v))
	case string:
		if err = errWrong; isList || kind == "string" || kind == "duration" {
			err = flag.Value.Set(v)
		}
	case bool:
		if err = errWrong; kind == "bool" {
			err = flag.Value.Set(fmt.Sprint(v))
		}
	case int, int64, uint64, float64:
		if err = errWrong; wanted(kind) == wanted("int") || kind == "float64" {
			err = flag.Value.Set(fmt.Sprint(v))
		}
	case []any:
		if err = errWrong; isList {
			err = replace(list, v)
		}
	default:
		err = errWrong
	}
	if err != nil {
		return fmt.Errorf("is %s, want %s", kindOf(value), wanted(kind))
	}
	return nil
}

// errWrong is that a value is not of the flag's kind.
var errWrong = errors.New("wrong kind")

// replace gives a list its elements, which are text.
func replace(list pflag.SliceValue, elements []any) error {
	texts := make([]string, len(elements))
	for i, element := range elements {
		var isText bool
		if texts[i], isText = element.(string); !isText {
			return errWrong
		}
	}
	return list.Replace(texts)
}

// wanted says what a kind of flag takes.
func wanted(kind string) string {
	switch kind {
	case "bool":
		return "true or false"
	case "int", "int64", "uint64", "uint":
		return "a whole number"
	case "float64":
		return "a number"
	case "duration":
		return "a duration, as 15s or 1h30m"
	case "stringSlice":
		return "a list of texts, or one text with commas"
	}
	return "text; quote what looks like something else"
}

// kindOf says what a value is.
func kindOf(value any) string {
	switch value.(type) {
	case text, string:
		return "another text"
	case bool:
		return "true or false"
	case int, int64, uint64, float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "keys of its own"
	case nil:
		return "nothing"
	}
	return "something else"
}

// nearest returns the name that takes the fewest changes to be made of another one, of which the last part of its path
// counts: all names are without.
func nearest(name string, names map[string]string) string {
	name = name[strings.LastIndexByte(name, '.')+1:]
	return slices.MinFunc(slices.Sorted(maps.Keys(names)), func(a, b string) int { return distance(name, a) - distance(name, b) })
}

// distance returns how many letters have to be put in, taken out or replaced.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
