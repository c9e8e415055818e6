//go:build !race

package accordtest_test

const slower = 1
