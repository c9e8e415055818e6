package settings

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/spf13/pflag"
)

// Print writes settings as YAML, with where they are from, and without secrets.
func Print(w io.Writer, all []Setting) error {
	lines := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, one := range all {
		value, err := format(printed(one.Flag))
		if err != nil {
			return fmt.Errorf("settings: print %s: %w", one.Flag.Name, err)
		}
		fmt.Fprintf(lines, "%s: %s\t# %s\n", one.Flag.Name, value, one.Origin)
	}
	return lines.Flush()
}

// printed returns a flag's value as it may be printed.
func printed(flag *pflag.Flag) any {
	if list, isList := flag.Value.(pflag.SliceValue); isList {
		texts := []string{}
		for _, one := range list.GetSlice() {
			texts = append(texts, hide(flag, one))
		}
		return texts
	}
	switch flag.Value.Type() {
	case "string", "duration":
		return hide(flag, flag.Value.String())
	}
	return json.RawMessage(flag.Value.String()) // numbers, true and false are the same in JSON and YAML
}

// format writes a value on one line of YAML, of which JSON is a part.
func format(value any) (string, error) {
	if one, isText := value.(string); isText {
		line, err := yaml.Parser().Marshal(map[string]any{"k": one})
		plain := strings.TrimSuffix(strings.TrimPrefix(string(line), "k: "), "\n")
		if err != nil || !strings.ContainsAny(plain, "\n\t") {
			return plain, err
		}
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return strings.TrimSuffix(out.String(), "\n"), err
}
