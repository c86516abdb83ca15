package web_test

import (
	"strings"
	"testing"

	"gorgone/web"
)

// TestAMissingPartIsAnErrorOfNew, not of the first request that needs it.
func TestAMissingPartIsAnErrorOfNew(t *testing.T) {
	t.Parallel()
	_, err := web.New(web.Config{}, web.Parts{})
	if err == nil || !strings.Contains(err.Error(), "Guard") || !strings.Contains(err.Error(), "Reports") {
		t.Errorf("without any part: %v", err)
	}
}
