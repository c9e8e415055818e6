package bus

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestRepliesThatAreThereTogetherGoTogether has the first reply take its time to be sent.
func TestRepliesThatAreThereTogetherGoTogether(t *testing.T) {
	const n = 20
	begun, release := make(chan struct{}), make(chan struct{})
	var frames [][]byte
	b := &replies{left: n, limit: 1 << 20, publish: func(frame []byte) {
		if frames = append(frames, frame); len(frames) == 1 {
			close(begun)
			<-release
		}
	}}
	var first sync.WaitGroup
	first.Go(func() { b.add(IndexedReply{0, json.RawMessage(`{}`)}) })
	<-begun
	for i := 1; i < n; i++ {
		b.add(IndexedReply{i, json.RawMessage(`{}`)}) // does not wait for the first
	}
	close(release)
	first.Wait()
	if len(frames) != 2 {
		t.Fatalf("got %d frames, want 2", len(frames))
	}
	var last AppendsReply
	if err := DecodeReply(frames[1], &last); err != nil || len(last.Replies) != n-1 || last.Left != 0 {
		t.Errorf("got %+v, %v", last, err)
	}
}

// TestEachReplyGoesOnce adds replies of all sizes at once, and wants each to go in one frame that is no longer than a frame
// may be, with what is left counted down to none.
func TestEachReplyGoesOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(2, 900), 1, MaxAppends).Draw(t, "sizes")
		const limit = 1000 + frameBytes
		left, told := len(sizes), make([]bool, len(sizes))
		b := &replies{left: left, limit: limit, publish: func(frame []byte) {
			var m AppendsReply
			if err := DecodeReply(frame, &m); err != nil || len(frame) > limit || m.Type != TypeAppendsReply {
				t.Errorf("a frame of %d bytes, %v", len(frame), err)
			}
			if left -= len(m.Replies); m.Left != left {
				t.Errorf("%d are left, want %d", m.Left, left)
			}
			for _, r := range m.Replies {
				if told[r.Index] || len(r.Reply) != sizes[r.Index] {
					t.Errorf("reply %d of %d bytes: told before: %v", r.Index, len(r.Reply), told[r.Index])
				}
				told[r.Index] = true
			}
		}}
		var all sync.WaitGroup
		for i, size := range sizes {
			all.Go(func() { b.add(IndexedReply{i, json.RawMessage(`"` + strings.Repeat("x", size-2) + `"`)}) })
		}
		all.Wait()
		if slices.Contains(told, false) {
			t.Errorf("told of %v", told)
		}
	})
}
