package main

import (
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/pflag"

	"natsaccord/bus"
	"natsaccord/digest"
)

// natsFlags adds the NATS CLI's connection flags, with its environment as their defaults.
func natsFlags(f *pflag.FlagSet, c *bus.Config, getenv func(string) string) {
	server := getenv("NATS_URL")
	if server == "" {
		server = nats.DefaultURL
	}
	f.StringSliceVarP(&c.Servers, "server", "s", []string{server}, "NATS servers ($NATS_URL)")
	f.BoolVar(&c.Insecure, "insecure", false, "allow unencrypted NATS connections to other machines")
	f.StringVar(&c.Creds, "creds", getenv("NATS_CREDS"), "NATS credentials file ($NATS_CREDS)")
	f.StringVar(&c.NKey, "nkey", getenv("NATS_NKEY"), "NATS nkey seed file ($NATS_NKEY)")
	f.StringVar(&c.User, "user", getenv("NATS_USER"), "NATS user ($NATS_USER)")
	f.StringVar(&c.Password, "password", "", "NATS password ($NATS_PASSWORD)")
	f.StringVar(&c.Token, "token", "", "NATS token ($NATS_TOKEN)")
	f.StringVar(&c.TLSCert, "tlscert", getenv("NATS_CERT"), "client certificate ($NATS_CERT)")
	f.StringVar(&c.TLSKey, "tlskey", getenv("NATS_KEY"), "key of the client certificate ($NATS_KEY)")
	f.StringVar(&c.TLSCA, "tlsca", getenv("NATS_CA"), "certificates to trust ($NATS_CA)")
	// Secrets are no flags' defaults: --help would print them.
	if c.Password == "" {
		c.Password = getenv("NATS_PASSWORD")
	}
	if c.Token == "" {
		c.Token = getenv("NATS_TOKEN")
	}
}

// scrubFlags adds the flags for reading the log again.
func scrubFlags(f *pflag.FlagSet, every *time.Duration, rate *int) {
	f.DurationVar(every, "scrub-every", 30*time.Second, "pause before the node reads its log again and compares it with what it was")
	f.IntVar(rate, "scrub-rate", digest.DefaultScrubRate, "events read again in a second, at most; fewer if those do for all in 25 s")
}
