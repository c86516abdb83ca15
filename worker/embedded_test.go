package worker_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"gorgone/internal/enginetest"
	"gorgone/internal/testkit"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
	"gorgone/worker/lookup"
)

// TestABatchTellsOfTweetsInsideItsOwn: a tweet that is tracked and not due comes inside one that
// is looked up. Its counts are written, marked and free, and no call asks for it.
func TestABatchTellsOfTweetsInsideItsOwn(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		twitter.TwitterAPIName: `{"tweets":[{"id":"%[1]s","likeCount":9,"retweetCount":8,"replyCount":7,"quoteCount":6,
			"quoted_tweet":{"id":"%[2]s","likeCount":40,"retweetCount":30,"replyCount":20,"quoteCount":10,"viewCount":5000}}],"status":"success"}`,
		twitter.SocialDataName: `{"tweets":[{"id_str":"%[1]s","favorite_count":9,"retweet_count":8,"reply_count":7,"quote_count":6,"retweeted_status":null,
			"quoted_status":{"id_str":"%[2]s","favorite_count":40,"retweet_count":30,"reply_count":20,"quote_count":10,"views_count":5000}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 2})
			ids := e.track()
			quoting, quoted := ids[0], ids[1]
			_, err := e.sql.Exec(t.Context(), `update twitter_engagement_tracking k set next_update_at = now() + interval '1 hour'
				from twitter_tweets w where w.id = k.tweet_db_id and w.tweet_id = $1`, quoted)
			testkit.Must(t, err)
			testkit.Must(t, e.double.Inject(fakeprovider.Injection{Way: &fakeprovider.Way{
				Instead: &fakeprovider.Instead{Status: 200, Body: fmt.Sprintf(body, quoting, quoted)},
			}}))
			e.run(e.worker(workerOptions{change: e.ofProvider(name)}))
			e.dispatch()
			e.eventually("a snapshot of the tweet inside", `select count(*) from twitter_engagement_history where pushed`, 1)
			e.eventually("the batch is done", `select count(*) from gorgone.batches where done_at is not null`, 1)

			var id, provider string
			var likes, views int64
			testkit.Must(t, e.sql.QueryRow(t.Context(), `select w.tweet_id, h.provider, h.like_count, h.view_count
				from twitter_engagement_history h join twitter_tweets w on w.id = h.tweet_id where h.pushed`).Scan(&id, &provider, &likes, &views))
			if id != quoted || provider != name || likes != 40 || views != 5000 {
				t.Errorf("%s of %s has %d likes, %d views", id, provider, likes, views)
			}
			list, err := e.store.Expenses(t.Context(), e.clock.Now(), e.clock.Now())
			testkit.Must(t, err)
			paid := make(map[uuid.UUID]float64)
			for _, x := range list {
				paid[x.Zone] += x.Tweets
			}
			if len(paid) != 1 || paid[e.zone] != 1 {
				t.Errorf("the ledger has %v, want one tweet", paid)
			}
			for _, call := range e.double.Calls() {
				if strings.Contains(strings.Join(call.IDs, ","), quoted) {
					t.Errorf("a call asked for %v", call.IDs)
				}
			}
		})
	}
}

// ofProvider has a worker ask another provider than the first of a test.
func (e *engine) ofProvider(name string) func(*lookup.Provider) {
	return func(p *lookup.Provider) {
		if name != twitter.SocialDataName {
			return
		}
		client, err := twitter.NewSocialData(twitter.Config{Key: enginetest.ProviderKey, BaseURL: e.url, Now: e.clock.Now})
		testkit.Must(e.t, err)
		*p = *enginetest.Provider(e.ground.Source(e.t, name, "test", 0, breakerRest), client)
	}
}
