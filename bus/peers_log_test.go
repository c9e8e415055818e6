package bus

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"natsaccord/accord"
)

func logEnvelope() Envelope {
	return Envelope{Cluster: "main", From: 2, To: 1, Incarnation: 3, Epoch: 1}
}

func TestLogFramesOutOfBoundsAreRefused(t *testing.T) {
	for name, f := range map[string]logFrame{
		"no kind":         {kind: 0, parts: 1},
		"unknown kind":    {kind: logFailure + 1, parts: 1},
		"no parts":        {kind: logAnswer},
		"part behind all": {kind: logAnswer, part: 2, parts: 2},
		"too many parts":  {kind: logAnswer, parts: logAnswerMax/headroom + 1},
	} {
		if _, _, err := decodeLogFrame(appendLogFrame(nil, logEnvelope(), f)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want %v", name, err, ErrMalformed)
		}
	}
	whole := appendLogFrame(nil, logEnvelope(), logFrame{kind: logQuestion, parts: 1})
	for n := range whole {
		if _, _, err := decodeLogFrame(whole[:n]); err == nil {
			t.Errorf("a frame of %d bytes decodes when cut to %d", len(whole), n)
		}
	}
}

func FuzzDecodeLogFrame(f *testing.F) {
	for _, frame := range []logFrame{
		{kind: logQuestion, id: 1, parts: 1, data: []byte("0000")},
		{kind: logAnswer, id: 1 << 40, part: 1, parts: 2, data: []byte("{}")},
		{kind: logFailure, id: 7, parts: 1},
	} {
		f.Add(appendLogFrame(nil, logEnvelope(), frame))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, frame, err := decodeLogFrame(b)
		if err != nil {
			return
		}
		again, frameAgain, err := decodeLogFrame(appendLogFrame(nil, e, frame))
		if err != nil || again != e || !reflect.DeepEqual(frame, frameAgain) {
			t.Fatalf("what was decoded does not survive: %v", err)
		}
		q := logQuery{from: accord.NodeID(2), done: make(chan logResult, 1)}
		q.add(frame)
		q.add(frame) // it may come twice
		if frame.parts > 1 {
			if len(q.done) > 0 {
				t.Fatal("an answer is there with a part of it")
			}
			return
		}
		if result := <-q.done; result.err == nil && !bytes.Equal(result.answer, frame.data) {
			t.Fatalf("got %q, want %q", result.answer, frame.data)
		}
	})
}
