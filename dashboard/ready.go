package dashboard

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"natsaccord/event"
)

// States of a node, as its status tells.
const (
	stateStarting   = "starting"
	stateCatchingUp = "catching_up"
	stateReady      = "ready"
	stateDiverged   = "diverged"
	stateDraining   = "draining"
	stateStopped    = "stopped"
)

func states() []string {
	return []string{stateStarting, stateCatchingUp, stateReady, stateDiverged, stateDraining, stateStopped}
}

// finding is what one check of a node has come to.
type finding struct {
	name string
	err  error  // why it fails
	note string // what else there is to say
}

// findings tells what has to hold for a node to be ready, and whether it does.
func (t told) findings() []finding {
	if t.err != nil {
		return []finding{{name: "status", err: t.err}}
	}
	found := []finding{
		{name: "status"},
		{name: "state", err: stateOf(t.status), note: t.status.State},
	}
	if t.status.State != stateStarting { // else nothing is known of that yet
		found = append(found, finding{name: "quorum", err: quorumOf(t.status)}, logOf(t.status))
	}
	for _, check := range t.node.also() {
		found = append(found, finding{name: check.Name, err: check.Failing()})
	}
	return found
}

func (n *Node) also() []Check {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.checks
}

// ready tells whether nothing fails.
func ready(found []finding) bool {
	for _, f := range found {
		if f.err != nil {
			return false
		}
	}
	return true
}

// stateOf says what a node's state means to who wants to send it requests.
func stateOf(s event.NodeStatus) error {
	meaning := ""
	switch s.State {
	case stateReady:
		return nil
	case "":
		meaning = "in no state"
	case stateStarting:
		meaning = ": " + cmp.Or(s.Reason, "it reads its journal")
	case stateCatchingUp:
		meaning = ": it has not everything yet that was acknowledged before it began, and is asked by its name only"
	case stateDiverged:
		meaning = ": its log is damaged, and other nodes answer in its place"
	case stateDraining:
		meaning = ": new requests are refused"
	}
	return errors.New(s.State + meaning)
}

// quorumOf says whether enough nodes answer.
func quorumOf(s event.NodeStatus) error {
	if s.Reason == "" {
		return nil
	}
	var silent []string
	for _, p := range s.Peers {
		if p.Suspected {
			silent = append(silent, p.Name)
		}
	}
	if len(silent) == 0 {
		return errors.New(s.Reason)
	}
	return fmt.Errorf("%s: of %d, %s do not", s.Reason, len(s.Nodes), strings.Join(silent, ", "))
}

// logOf says whether the node's log is what it should be. An alarm may be about another node's log.
func logOf(s event.NodeStatus) finding {
	f := finding{name: "log", note: s.Alarm}
	if s.State == stateDiverged {
		f.err = errors.New(strings.Join([]string{stateDiverged, s.Alarm}, ": "))
	}
	return f
}

// String is how Kubernetes' own servers tell.
func (f finding) String() string {
	switch {
	case f.err != nil:
		return fmt.Sprintf("[-]%s failed: %v", f.name, f.err)
	case f.note != "":
		return fmt.Sprintf("[+]%s ok: %s", f.name, f.note)
	}
	return fmt.Sprintf("[+]%s ok", f.name)
}
