package accordtest

// Mutation is a set of planted bugs of a node's surroundings: of what the caller of a Machine or its database
// could do wrong. Bugs of the Machine itself are accord.Mutations.
type Mutation uint8

// The bugs of the surroundings.
const (
	MutateReplyBeforeSync Mutation = 1 << iota // messages go before what they vouch for is durable
	MutateTornJournal                          // a crash loses an entry of the log and keeps later ones
	MutateUnmarked                             // a crash keeps an effect and loses its Applied mark
	MutateReorderedApply                       // what is handed out is applied in any order
)

func (m Mutation) has(bug Mutation) bool { return m&bug != 0 }
