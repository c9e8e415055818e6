package accord_test

import (
	"testing"

	"github.com/cockroachdb/datadriven"

	"natsaccord/accord"
	"natsaccord/accord/accordtest"
)

// plant runs a script with a planted bug and returns what it breaks.
func plant(t *testing.T, path string, bug accord.Mutation) *accordtest.Violation {
	env := accordtest.NewEnv()
	env.Plant(bug)
	datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string {
		env.Try(d)
		return d.Expected
	})
	return env.Violation()
}

// TestScriptsFindBugs plants the bugs of mode G that random runs hardly ever find, each in the script about it, which
// the core passes without (TestScripts). They are found by what comes of them: not by the quorums of decisions.
func TestScriptsFindBugs(t *testing.T) {
	for _, test := range []struct {
		script string
		bug    accord.Mutation
	}{
		{"evidence_rules_out", accord.MutateIgnoreEvidence},
		{"evidence_rules_out", accord.MutateInvertEvidence},
		{"wait_not_named", accord.MutateIgnoreWait},
		{"accept_keeps_proposed", accord.MutateDropProposed},
		{"commit_before_execution", accord.MutateNoCommit},
		{"accept_does_not_choose_deps", accord.MutateAcceptStable},
		{"commit_meets_decision", accord.MutateStableIsCommitOK},
		{"evidence_outlives_decision", accord.MutateOverwriteProposed},
		{"late_fast_vote_of_five", accord.MutateLateFastVote},
		{"votes_do_not_choose_deps", accord.MutateMediumPath},
		{"fence_two_rounds", accord.MutateFenceOneRound},
		{"fence_collects_first", accord.MutateFenceNoCollect},
		{"electorate_outsider_votes", accord.MutateOutsiderVotes},
		{"electorate_outsider_rejects", accord.MutateOutsiderRejects},
		{"electorate_quorums_meet_outside", accord.MutateElectorateSuffices},
		{"electorate_quorums_meet_outside", accord.MutateIgnoreEvidence},
	} {
		t.Run(test.script, func(t *testing.T) {
			v := plant(t, "testdata/"+test.script+".txt", test.bug)
			if v == nil {
				t.Fatal("not found")
			}
			t.Log(v)
		})
	}
}
