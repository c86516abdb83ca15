//go:build load

package web_test

const (
	backlog     = 100_000
	goodReaders = 999
)
