package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"natsaccord/settings"
	"natsaccord/sqlstore"
)

func (m Main) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Look at what a node would be told by flags, environment and file", Args: cobra.NoArgs}
	c.AddCommand(m.configCheckCommand(), m.configPrintCommand())
	return c
}

func (m Main) configCheckCommand() *cobra.Command {
	var p process
	return m.settled("check", "Say all that is wrong, without opening databases or connections", &p, func(_ []settings.Setting, err error) error {
		if err = errors.Join(err, p.check()); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		_, err = fmt.Fprintln(m.Stdout, "valid")
		return err
	})
}

func (m Main) configPrintCommand() *cobra.Command {
	return m.settled("print", "Print all settings as YAML, with where they are from; secrets are ***", &process{}, func(all []settings.Setting, err error) error {
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		return settings.Print(m.Stdout, all)
	})
}

// settled makes a command with a node's flags that sees how they are settled.
func (m Main) settled(use, short string, p *process, run func(all []settings.Setting, err error) error) *cobra.Command {
	set := pflag.NewFlagSet(use, pflag.ContinueOnError)
	settings.File(set)
	p.flags(set)
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return run(m.sources().Apply(set)) },
	}
	c.Flags().AddFlagSet(set)
	return c
}

// check says all that is wrong and can be known without opening a database or a connection.
func (p *process) check() error {
	p.alone()
	one := p.one
	errs := []error{p.validate()}
	if one.store != "" {
		errs = append(errs, sqlstore.Config{URL: one.store, AllowUnsafe: one.unsafe}.Validate())
	}
	one.nats.Node = "any" // names are checked apart
	errs = append(errs, one.nats.Validate())
	return errors.Join(errs...)
}
