package alert

import (
	"testing"

	"gorgone/engagement"
	"gorgone/store"
)

// TestSentenceGroupsDigits: numbers of ten digits can be read, and ids are left as they are.
func TestSentenceGroupsDigits(t *testing.T) {
	t.Parallel()
	rule := &Rule{AlertRule: engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 1e9}}
	out := &store.AppliedRow{TweetID: "1585841080431321088"}
	if got, want := sentence(rule, 1012567000, out, engagement.AlertInput{}), "Tweet 1585841080431321088 passed 1,000,000,000 likes: 1,012,567,000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	rule.Kind, rule.Threshold = engagement.AlertVelocity, 500
	if got, want := sentence(rule, 653.4, out, engagement.AlertInput{}), "Tweet 1585841080431321088 passed 500 engagements an hour: 653"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
