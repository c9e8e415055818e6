//go:build race

package accordtest_test

// slower is how many times longer everything takes. There is nothing to race here but tests in parallel, so
// the race detector looks at a few runs only.
const slower = 10
