//go:build load

package budget_test

import (
	"testing"

	"gorgone/twitter"
)

// TestCapsUnderLoad has 200 zones with caps, one of them with 100,000 due tweets.
func TestCapsUnderLoad(t *testing.T) {
	t.Parallel()
	crowd(t, twitter.TwitterAPIName, 200, 20, 100_000)
}
