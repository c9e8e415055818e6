package main

import (
	"fmt"
	"math/rand/v2"
)

// text is what data is cut from. It compresses little.
type text []byte

// newText returns enough for data of so many bytes.
func newText(bytes int, random *rand.Rand) text {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
	made := make(text, bytes+64<<10)
	for i := range made {
		made[i] = letters[random.IntN(len(letters))]
	}
	return made
}

// data is a JSON text of n bytes.
func (t text) data(n int, random *rand.Rand) []byte {
	fill := n - len(`{"fill":""}`)
	at := random.IntN(len(t) - fill)
	return fmt.Appendf(make([]byte, 0, n), `{"fill":"%s"}`, t[at:at+fill])
}

// shared is the source of all who need not draw the same again. It may be used concurrently.
type shared struct{}

func (shared) Uint64() uint64 { return rand.Uint64() }

func anyRandom() *rand.Rand { return rand.New(shared{}) }
