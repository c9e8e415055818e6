package accordtest

import "natsaccord/accord"

// attempts checks that no transaction takes many attempts any more once faults have ended (I26).
type attempts struct {
	healed  bool
	ballots map[accord.TxnID]map[accord.Ballot]bool // used since
}

// attemptsMax is how many attempts one transaction may take once faults have ended. Those that were under way are
// in each other's way at first.
const attemptsMax = 40

func newAttempts() *attempts { return &attempts{ballots: map[accord.TxnID]map[accord.Ballot]bool{}} }

func (a *attempts) observe(e event) error {
	switch e := e.(type) {
	case healed:
		a.healed = true
	case sent:
		if a.healed {
			return a.attempt(e.msg)
		}
	}
	return nil
}

func (a *attempts) attempt(m accord.Message) error {
	switch m.Body.(type) {
	case accord.Recover, accord.BeginInvalidation:
	default:
		return nil
	}
	ballot, _ := ballotOf(m.Body)
	if a.ballots[m.TxnID] == nil {
		a.ballots[m.TxnID] = map[accord.Ballot]bool{}
	}
	a.ballots[m.TxnID][ballot] = true
	if n := len(a.ballots[m.TxnID]); n > attemptsMax {
		return violation("I26", "%s takes %d attempts without faults", name(m.TxnID.Timestamp), n)
	}
	return nil
}
