// Package settings gives flags the values that the command line does not: from the environment, and from a YAML file. The
// flags are the one list of what there is: a flag scrub-every is the key scrub-every in the file and the variable
// ACCORD_SCRUB_EVERY. What is not in the list is refused, and all that is wrong is told at once.
package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Flags that have a meaning here. A set of flags need not have them.
const (
	FileFlag   = "config"  // path of the file
	PresetFlag = "context" // names the Preset to take
)

// fileSuffix makes, of the key of a secret, that of the file which holds it.
const fileSuffix = "-file"

// Sources says where values come from. Known and Prefix are required.
type Sources struct {
	Known   *pflag.FlagSet // every setting there is, of whichever command
	Prefix  string         // of variables, as ACCORD_
	Apart   []string       // what follows Prefix in variables that are no settings, as TEST_
	Environ []string       // the environment, as os.Environ has it

	// Preset returns values that stand under one name elsewhere, as text by flag.
	Preset func(name string) (map[string]string, error)
}

// Setting is a flag whose value is settled.
type Setting struct {
	Flag   *pflag.Flag
	Origin string // flag, default, or for example "file accord.yaml"
}

// File tells the command line where the file is.
func File(f *pflag.FlagSet) {
	f.String(FileFlag, "", "YAML file of settings ($ACCORD_CONFIG)")
}

// Apply gives each flag that was not given its value: from the variable with the prefix, else from the other variable it
// has, else from the file, else its default. A preset has less weight than the environment, and more than the file
// unless it is the file that names it. Flags that stand Together are settled as one.
func (s Sources) Apply(f *pflag.FlagSet) ([]Setting, error) {
	layers, errs := s.layers(f)
	layers, err := s.withPreset(f, layers)
	errs = append(errs, err)
	var settled []Setting
	f.VisitAll(func(flag *pflag.Flag) {
		if flag.Name == FileFlag {
			return
		}
		origin, err := settle(flag, counting(f, flag, layers))
		settled, errs = append(settled, Setting{flag, origin}), append(errs, err, refuseBeside(f, flag, layers))
	})
	return settled, errors.Join(errs...)
}

// layers returns what there is below the flags, the weightiest first.
func (s Sources) layers(f *pflag.FlagSet) ([]layer, []error) {
	own, errOwn := s.ownEnvironment()
	other, errOther := s.otherEnvironment()
	layers, errs := []layer{own, other}, []error{errOwn, errOther}
	flag := f.Lookup(FileFlag)
	if flag == nil {
		return layers, errs
	}
	if _, err := settle(flag, layers); err != nil {
		return layers, append(errs, err)
	}
	if path := flag.Value.String(); path != "" {
		file, err := s.file(path)
		layers, errs = append(layers, file), append(errs, err)
	}
	return layers, errs
}

// withPreset puts the preset that was named among the layers.
func (s Sources) withPreset(f *pflag.FlagSet, layers []layer) ([]layer, error) {
	flag := f.Lookup(PresetFlag)
	if flag == nil || s.Preset == nil || replacing(f, flag, layers) != "" {
		return layers, nil
	}
	if _, err := settle(flag, layers); err != nil || flag.Value.String() == "" {
		return layers, nil // it is settled once more with the other flags, which tells the error
	}
	at := 2 // behind the environment
	if !flag.Changed && !slices.ContainsFunc(layers[:at], func(l layer) bool { return l.has(PresetFlag) }) {
		at = len(layers) // it is the file that names it
	}
	name := flag.Value.String()
	values, err := s.Preset(name)
	if err != nil {
		return layers, err
	}
	preset, err := textLayer(values, func(string) string { return PresetFlag + " " + name })
	return slices.Insert(layers, at, preset), err
}

// settle gives a flag its value, and tells where it is from.
func settle(flag *pflag.Flag, layers []layer) (origin string, err error) {
	if flag.Changed {
		return "flag", refuseHidden("flag", flag)
	}
	for _, l := range layers {
		value, origin, found, err := l.value(flag)
		if found && err == nil {
			err = set(flag, value)
		}
		if err != nil {
			return origin, fmt.Errorf("%s: %s: %w", origin, flag.Name, err)
		}
		if found {
			return origin, refuseHidden(origin, flag)
		}
	}
	return "default", nil
}

// refuseHidden refuses what Print makes of a secret.
func refuseHidden(origin string, flag *pflag.Flag) error {
	if isHidden(flag) {
		return fmt.Errorf("%s: %s: *** stands for a secret that was not printed", origin, flag.Name)
	}
	return nil
}

// variable is the name of a key in the environment.
func (s Sources) variable(key string) string {
	return s.Prefix + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}
