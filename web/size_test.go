//go:build !load

package web_test

// How large the tests of many at once are, without the build tag load.
const (
	backlog     = 3000 // due tweets in TestRefreshesUnderLoad
	goodReaders = 199  // in TestAStalledReaderKeepsNobody
)
