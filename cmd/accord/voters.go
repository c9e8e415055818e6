package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"natsaccord/accord/quorum"
	"natsaccord/bus"
)

// voters names the cluster to its members and on their databases. All must have the same fast quorum of the same
// electorate, for ever: so those with other than those of mode VS have another name, and neither hear of the others nor open
// their databases. Nodes are named by their numbers.
func (m member) voters() string {
	n, electors := len(m.nodes), cmp.Or(len(m.electorate), len(m.nodes))
	fast := cmp.Or(m.fast, quorum.FastMinOf(n, electors))
	switch {
	case electors == n && fast == quorum.Fast(n):
		return m.cluster
	case electors == n:
		return fmt.Sprintf("%s-fast%d", m.cluster, fast)
	}
	var name strings.Builder
	fmt.Fprintf(&name, "%s-fast%d-of", m.cluster, fast)
	for i, node := range slices.Sorted(slices.Values(m.nodes)) {
		if slices.Contains(m.electorate, node) {
			fmt.Fprintf(&name, "-%d", i+1)
		}
	}
	return name.String()
}

// mostNodes is how many nodes the protocol's sets of them hold.
const mostNodes = 63

// checkNames refuses names that cannot be in a subject, and a node that is named twice.
func (m member) checkNames() error {
	errs := []error{bus.ValidateName("--cluster-name", m.cluster)}
	if m.name != "" {
		errs = append(errs, bus.ValidateName("--node", m.name))
	}
	for i, name := range m.nodes {
		if name != m.name {
			errs = append(errs, bus.ValidateName("--cluster", name))
		}
		if slices.Contains(m.nodes[:i], name) {
			errs = append(errs, fmt.Errorf("%w: --cluster names %q twice", errUsage, name))
		}
	}
	if err := (bus.Subjects{Prefix: m.prefix, Cluster: bus.DefaultPrefix}).Validate(); err != nil {
		errs = append(errs, fmt.Errorf("%w: --prefix: %w", errUsage, err))
	}
	if len(m.nodes) > 0 && errors.Join(append(errs, checkVoting(m.fast, m.electorate, m.nodes))...) == nil {
		errs = append(errs, bus.ValidateName("--cluster-name and who decides in one round", m.voters()))
	}
	return errors.Join(errs...)
}

// checkVoting refuses an electorate and a fast quorum that are not ones of these nodes.
func checkVoting(fast int, electorate, nodes []string) error {
	n, electors := len(nodes), len(electorate)
	switch {
	case n == 0:
		return nil
	case n > mostNodes:
		return fmt.Errorf("%w: --cluster names %d nodes, want at most %d", errUsage, n, mostNodes)
	}
	for i, name := range electorate {
		if !slices.Contains(nodes, name) || slices.Contains(electorate[:i], name) {
			return fmt.Errorf("%w: --electorate is %q, want some of %q", errUsage, electorate, nodes)
		}
	}
	if electors == 0 {
		electors = n
	}
	if electors < quorum.ElectorateMin(n) {
		return fmt.Errorf("%w: --electorate has %d nodes, want %d to %d of %d nodes", errUsage, electors, quorum.ElectorateMin(n), n, n)
	}
	if least := quorum.FastMinOf(n, electors); fast != 0 && (fast < least || fast > electors) {
		return fmt.Errorf("%w: --fast-quorum is %d, want %d to %d for %d of %d nodes", errUsage, fast, least, electors, electors, n)
	}
	return nil
}
