package settings

import (
	"fmt"
	"slices"

	"github.com/spf13/pflag"
)

// Together says that flags are one thing, as all that can say who somebody is. They are taken from the weightiest place that gives one of
// them, and what lighter ones say of any of them is left aside.
func Together(f *pflag.FlagSet, names ...string) {
	for _, name := range names {
		mark(f, name, group, names[0])
	}
}

// Completes says that a flag goes with those that stand Together: it is not taken from a place with less weight than where they are from, if that
// place gives any of them itself, since then it is for somebody else.
func Completes(f *pflag.FlagSet, name, one string) {
	mark(f, name, completed, f.Lookup(one).Annotations[group][0])
}

// Instead says that where a switch is on, others are left aside. On the command line they are refused beside it. A preset does not turn it on.
func Instead(f *pflag.FlagSet, name string, others ...string) {
	for _, other := range others {
		mark(f, other, replaced, name)
	}
}

// counting returns the layers that count for a flag.
func counting(f *pflag.FlagSet, flag *pflag.Flag, layers []layer) []layer {
	if replacing(f, flag, layers) != "" {
		return nil
	}
	if of := flag.Annotations[group]; len(of) > 0 {
		at := decider(f, of[0], layers)
		return layers[min(max(at, 0), len(layers)):min(at+1, len(layers))]
	}
	if of := flag.Annotations[completed]; len(of) > 0 {
		at := decider(f, of[0], layers)
		var counted []layer
		for i, l := range layers {
			if i <= at || !givesAny(f, of[0], l) {
				counted = append(counted, l)
			}
		}
		return counted
	}
	return layers
}

// givesAny tells whether a layer gives any of the flags that stand together.
func givesAny(f *pflag.FlagSet, name string, l layer) (gives bool) {
	f.VisitAll(func(flag *pflag.Flag) {
		of := flag.Annotations[group]
		gives = gives || len(of) > 0 && of[0] == name && l.gives(flag)
	})
	return gives
}

// decider returns which layer gives flags that stand together: -1 if it is the command line, and behind the last if none does.
func decider(f *pflag.FlagSet, name string, layers []layer) int {
	at := len(layers)
	f.VisitAll(func(flag *pflag.Flag) {
		of := flag.Annotations[group]
		if len(of) == 0 || of[0] != name {
			return
		}
		if flag.Changed {
			at = -1
		}
		if i := slices.IndexFunc(layers, func(l layer) bool { return l.gives(flag) }); i >= 0 {
			at = min(at, i)
		}
	})
	return at
}

// replacing returns the switch that is on and has a flag left aside; empty: none. What is wrong with the switch is told where it is settled.
func replacing(f *pflag.FlagSet, flag *pflag.Flag, layers []layer) string {
	for _, name := range flag.Annotations[replaced] {
		other := f.Lookup(name)
		if other == nil {
			continue
		}
		if _, err := settle(other, layers); err == nil && other.Value.String() == "true" {
			return name
		}
	}
	return ""
}

// refuseBeside refuses a flag on the command line that a switch has left aside.
func refuseBeside(f *pflag.FlagSet, flag *pflag.Flag, layers []layer) error {
	if name := replacing(f, flag, layers); flag.Changed && name != "" {
		return fmt.Errorf("flag: %s does not go with %s", flag.Name, name)
	}
	return nil
}
