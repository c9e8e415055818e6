package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"natsaccord/sqlstore"
)

func (m Main) migrateCommand() *cobra.Command {
	var cfg sqlstore.Config
	c := &cobra.Command{Use: "migrate", Short: "Bring a node's tables up to date while the node is down, or tell how they are"}
	m.configured(c, c.PersistentFlags(), func(f *pflag.FlagSet) { storeFlags(f, &cfg.URL, &cfg.AllowUnsafe) })
	for _, sub := range []struct {
		name, short string
		up          bool
	}{{"up", "Apply what is missing", true}, {"status", "Tell what is applied", false}} {
		c.AddCommand(&cobra.Command{Use: sub.name, Short: sub.short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			if cfg.URL == "" {
				return fmt.Errorf("%w: --store is required", errUsage)
			}
			migrations, err := sqlstore.Migrate(c.Context(), cfg, sub.up)
			if err != nil {
				return err
			}
			return m.table(func(w io.Writer) {
				for _, one := range migrations {
					state := "missing"
					if one.Applied {
						state = "applied"
					}
					fmt.Fprintf(w, "%s\t%s\n", one.Name, state)
				}
			})
		}})
	}
	return c
}
