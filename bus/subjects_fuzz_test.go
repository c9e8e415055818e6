package bus_test

import (
	"testing"

	"natsaccord/bus"
)

func FuzzParseSubject(f *testing.F) {
	s := bus.Subjects{Cluster: "main"}
	f.Add(s.Event("account.a%*>.b", "Opened.v2"))
	f.Add(s.Peer("n1", "n2", bus.PhaseLog))
	f.Add(s.Event("a.b", "T") + ".")
	f.Fuzz(func(t *testing.T, subject string) {
		if stream, eventType, ok := s.ParseEvent(subject); ok {
			streamAgain, typeAgain, ok := s.ParseEvent(s.Event(stream, eventType))
			if !ok || streamAgain != stream || typeAgain != eventType {
				t.Errorf("%q is %q and %q, then %q and %q", subject, stream, eventType, streamAgain, typeAgain)
			}
		}
		if to, from, phase, ok := s.ParsePeer(subject); ok && s.Peer(to, from, phase) != subject {
			t.Errorf("%q is made again as %q", subject, s.Peer(to, from, phase))
		}
		if verb, rest, ok := s.ParseClient(subject); ok && len(verb)+len(rest) >= len(subject) {
			t.Errorf("%q has the verb %q and the rest %q", subject, verb, rest)
		}
	})
}
