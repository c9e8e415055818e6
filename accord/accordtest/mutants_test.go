package accordtest_test

import (
	"flag"
	"testing"

	"natsaccord/accord"
	"natsaccord/accord/accordtest"
)

var searchMutants = flag.Bool("mutants", false, "TestMutantsAreFound: look for the first seeds that find the mutants, and write them into docs/simulation.md")

// mutant is a planted bug and within how many seeds the simulator must find it: several times what it takes.
type mutant struct {
	name  string
	core  accord.Mutation
	loose accordtest.Mutation
	seeds uint64
}

// mutants are all that are planted. docs/protocol.md §10.4 has those that a certified simulator must find.
func mutants() []mutant {
	return []mutant{
		{"decide fast with a slow quorum", accord.MutateFastMajority, 0, 100},
		{"count late fast votes", accord.MutateLateFastVote, 0, 300},
		{"vote anew on a duplicate", accord.MutateRecomputeVote, 0, 100},
		{"accept against a promise", accord.MutateIgnorePromise, 0, 300},
		{"bound AcceptOK's deps by t0", accord.MutateAcceptDepsAtT0, 0, 300},
		{"leave the acceptors' deps out", accord.MutateDropAcceptDeps, 0, 100},
		{"execute before an undecided dependency", accord.MutateSkipUndecided, 0, 300},
		{"execute before the lowest dependency", accord.MutateDropDep, 0, 300},
		{"execute below the floor", accord.MutateIgnoreFloor, 0, 3000},
		{"recover the largest executeAt", accord.MutateLargestT, 0, 10000},
		{"recover without registering", accord.MutateNoRegister, 0, 600},
		{"recover t0 whatever the votes", accord.MutateIgnoreVotes, 0, 300},
		{"invalidate what nobody accepted", accord.MutateAlwaysInvalidate, 0, 4000},
		{"report the promise as accepted", accord.MutatePromisedAsAccept, 0, 15000},
		{"forget promises", accord.MutateForgetPromise, 0, 300},
		{"forget votes", accord.MutateForgetVote, 0, 300},
		{"start the clock anew", accord.MutateForgetClock, 0, 1000},
		{"complete a fence at once", accord.MutateEarlyWatermark, 0, 300},
		{"read everything too early", accord.MutateEarlyRead, 0, 600},
		{"raise no conflict floor", accord.MutateNoFloor, 0, 100},
		{"let new transactions begin before an exclusive fence", accord.MutateNoRejectFloor, 0, 3000},
		{"erase without an exclusive fence", accord.MutateEraseEarly, 0, 3000},
		{"catch up without what lies beyond", accord.MutateNoCarry, 0, 3000},
		{"reply before the sync", 0, accordtest.MutateReplyBeforeSync, 100},
		{"tear the journal", 0, accordtest.MutateTornJournal, 1000},
		{"lose the mark of an effect", 0, accordtest.MutateUnmarked, 300},
		{"apply in any order", 0, accordtest.MutateReorderedApply, 100},
	}
}

// generalMutants are planted in mode G, and looked for in dense runs. That a node goes by a decision told in answer
// to its Commit as if it were a CommitOK is left to a script; the others have one too, which shows what comes of them:
// TestScriptsFindBugs.
func generalMutants() []mutant {
	return []mutant{
		{"ignore evidence", accord.MutateIgnoreEvidence, 0, 600},
		{"invert evidence", accord.MutateInvertEvidence, 0, 100},
		{"do not wait for others", accord.MutateIgnoreWait, 0, 200},
		{"leave the voters' deps out", accord.MutateDropProposed, 0, 100},
		{"execute without a Commit round", accord.MutateNoCommit, 0, 100},
		{"execute after many acceptances", accord.MutateAcceptStable, 0, 100},
		{"overwrite what was accepted", accord.MutateOverwriteProposed, 0, 100},
		{"fix deps with the votes", accord.MutateMediumPath, 0, 100},
		{"fence in one round", accord.MutateFenceOneRound, 0, 100},
		{"fence without collecting", accord.MutateFenceNoCollect, 0, 100},
		{"count a fast vote from outside", accord.MutateOutsiderVotes, 0, 100},
		{"count a rejection from outside", accord.MutateOutsiderRejects, 0, 600},
		{"go by an electorate's votes alone", accord.MutateElectorateSuffices, 0, 100},
	}
}

// TestMutantsAreFound plants one bug at a time.
func TestMutantsAreFound(t *testing.T) {
	find(t, mutants(), accordtest.Swarm)
}

// TestGeneralMutantsAreFound does so in mode G.
func TestGeneralMutantsAreFound(t *testing.T) {
	find(t, generalMutants(), accordtest.Dense)
}

// find holds docs/simulation.md to what it says: which seed finds each planted bug, and by what. With -mutants it looks for
// the first such seeds and writes them there.
func find(t *testing.T, mutants []mutant, draw func(seed uint64) accordtest.Options) {
	table := readTable(t)
	t.Cleanup(func() {
		if *searchMutants && !t.Failed() {
			table.write(t)
		}
	})
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			if *searchMutants {
				table.set(m.name, m.search(t, draw))
				return
			}
			said, is := table.found(m.name)
			if !is {
				t.Fatalf("%s does not say which seed finds it: make mutants", simulationPage)
			}
			if by := m.run(said.seed, draw); by != said.by {
				t.Errorf("%s says that seed %d finds it by %q, but it finds %q: make mutants", simulationPage, said.seed, said.by, by)
			}
		})
	}
}

// run returns which invariant a seed finds broken, empty if none.
func (m *mutant) run(seed uint64, draw func(seed uint64) accordtest.Options) (by string) {
	o := draw(seed)
	o.Core.Mutation, o.Loose = m.core, m.loose
	if r := accordtest.Run(seed, o); r.Violation != nil {
		return r.Violation.Invariant
	}
	return ""
}

// search returns the first seed that finds the bug.
func (m *mutant) search(t *testing.T, draw func(seed uint64) accordtest.Options) finding {
	t.Helper()
	for seed := range m.seeds {
		if by := m.run(seed, draw); by != "" {
			t.Logf("found by seed %d: %s", seed, by)
			return finding{seed, by}
		}
	}
	t.Errorf("not found in %d seeds", m.seeds)
	return finding{}
}
