package web_test

import (
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/web"
)

// decodePush is what the command puts between the two packages.
func decodePush(body []byte) (web.Push, error) {
	p, err := twitter.DecodePush(body)
	push := web.Push{Test: p.Event == twitter.EventTest, RuleID: p.RuleID}
	for _, t := range p.Tweets {
		push.Tweets = append(push.Tweets, store.NewTweet{TweetID: t.ID, CreatedAt: t.CreatedAt, Text: t.Text, Metrics: t.Metrics, Raw: t.Raw})
	}
	for _, why := range p.Skipped {
		push.Skipped = append(push.Skipped, why.Error())
	}
	return push, err
}
