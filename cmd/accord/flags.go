package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"natsaccord/bus"
	"natsaccord/digest"
	"natsaccord/natscontext"
	"natsaccord/settings"
)

// natsFlags adds the NATS CLI's connection flags, with its environment and its contexts.
func natsFlags(f *pflag.FlagSet, c *bus.Config) {
	f.StringSliceVarP(&c.Servers, "server", "s", []string{nats.DefaultURL}, "NATS servers ($NATS_URL)")
	f.String(settings.PresetFlag, "", "context of the NATS CLI, which says what these flags do not ($NATS_CONTEXT)")
	f.BoolVar(&c.Insecure, "insecure", false, "allow unencrypted NATS connections to other machines")
	f.StringVar(&c.Creds, "creds", "", "NATS credentials file ($NATS_CREDS)")
	f.StringVar(&c.NKey, "nkey", "", "NATS nkey seed file ($NATS_NKEY)")
	f.StringVar(&c.User, "user", "", "NATS user ($NATS_USER)")
	f.StringVar(&c.Password, "password", "", "NATS password ($NATS_PASSWORD)")
	f.StringVar(&c.Token, "token", "", "NATS token ($NATS_TOKEN)")
	f.StringVar(&c.TLSCert, "tlscert", "", "client certificate ($NATS_CERT)")
	f.StringVar(&c.TLSKey, "tlskey", "", "key of the client certificate ($NATS_KEY)")
	f.StringVar(&c.TLSCA, "tlsca", "", "certificates to trust ($NATS_CA)")
	f.StringVar(&c.InboxPrefix, "inbox-prefix", "", "prefix of the subjects that answers come on (default: _INBOX)")
	for flag, variable := range map[string]string{
		"server": "NATS_URL", settings.PresetFlag: "NATS_CONTEXT", "creds": "NATS_CREDS", "nkey": "NATS_NKEY", "user": "NATS_USER",
		"password": "NATS_PASSWORD", "token": "NATS_TOKEN", "tlscert": "NATS_CERT", "tlskey": "NATS_KEY", "tlsca": "NATS_CA",
	} {
		settings.Variable(f, flag, variable)
	}
	settings.SecretURL(f, "server")
	settings.Secret(f, "password")
	settings.Secret(f, "token")
	settings.Together(f, "user", "creds", "nkey", "token")
	settings.Completes(f, "password", "user")
	settings.Together(f, "tlscert", "tlskey")
}

// ownServer names the switch of a node that runs a NATS server: nothing of how to reach another one goes with it.
func ownServer(f *pflag.FlagSet, name string) {
	settings.Instead(f, name, "server", settings.PresetFlag, "creds", "nkey", "user", "password", "token", "tlscert", "tlskey", "tlsca")
}

// prefixFlag adds the flag for where a cluster's subjects are.
func prefixFlag(f *pflag.FlagSet, prefix *string) {
	f.StringVar(prefix, "prefix", bus.DefaultPrefix, "prefix of all subjects")
}

// storeFlags adds the flags that name one store.
func storeFlags(f *pflag.FlagSet, url *string, unsafe *bool) {
	f.StringVar(url, "store", "", "postgres://… or sqlite:PATH")
	f.BoolVar(unsafe, "unsafe-store", false, "accept a store that may lose acknowledged data")
	settings.SecretURL(f, "store")
}

// scrubFlags adds the flags for reading the log again.
func scrubFlags(f *pflag.FlagSet, every *time.Duration, rate *int) {
	f.DurationVar(every, "scrub-every", 30*time.Second, "pause before the node reads its log again and compares it with what it was")
	f.IntVar(rate, "scrub-rate", digest.DefaultScrubRate, "events read again in a second, at most; fewer if those do for all in 25 s")
}

// checkScrub checks those flags.
func checkScrub(every time.Duration, rate int) error {
	if err := (digest.Config{Self: "any", Nodes: []string{"any"}, ScrubEvery: every, ScrubRate: rate}).Validate(); err != nil {
		return fmt.Errorf("%w: --scrub-every is %s and --scrub-rate is %d: %w", errUsage, every, rate, err)
	}
	return nil
}

// configured adds flags to a command that are settings: before it runs, those that were not given are set from elsewhere.
func (m Main) configured(c *cobra.Command, f *pflag.FlagSet, add func(f *pflag.FlagSet)) {
	set := pflag.NewFlagSet(c.Name(), pflag.ContinueOnError)
	settings.File(set)
	add(set)
	f.AddFlagSet(set)
	c.PersistentPreRunE = func(*cobra.Command, []string) error {
		if _, err := m.sources().Apply(set); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		return nil
	}
}

// sources says where settings come from. All there are is what a node has.
func (m Main) sources() settings.Sources {
	known := pflag.NewFlagSet("node", pflag.ContinueOnError)
	new(process).flags(known)
	return settings.Sources{
		Known: known, Prefix: "ACCORD_", Apart: []string{"TEST_", "REQUIRE_", "BENCH_", "UPDATE_"}, Environ: m.Environ,
		Preset: func(name string) (map[string]string, error) {
			found, err := natscontext.Load(name, m.getenv)
			return found.Flags(), err
		},
	}
}

// getenv returns a variable of the environment, or nothing.
func (m Main) getenv(name string) string {
	for _, entry := range m.Environ {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}
