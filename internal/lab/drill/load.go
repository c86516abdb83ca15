package drill

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
)

// zones is how many zones the tweets are in; one tweet in ten is in two of them.
const zones = 3

// policy looks at all tweets at the same interval.
func (w *world) policy() engagement.TierPolicy {
	policy, err := engagement.NewTierPolicy([]engagement.Step{{Tier: engagement.UltraHot, Until: 10000 * 3600e9, Every: w.Every * speed}})
	if err != nil {
		panic(err) // the interval was checked
	}
	return policy
}

// unseen is how many of the tweets are not tracked at first: they are new to us when the
// provider's index lags.
func (o Options) unseen() int { return o.Tweets / 50 }

// load tracks the tweets, with the counts that they have now.
func (w *world) load(ctx context.Context) error {
	s := store.New(w.db, w.clock, store.Options{Policy: w.policy()})
	byZone := make([][]store.NewTweet, zones)
	n := 0
	for t := range w.provider.population.All() {
		metrics, posted := w.provider.population.MetricsAt(t.ID, w.clock.Now())
		if !posted {
			return fmt.Errorf("tweet %s is not posted yet", t.ID)
		}
		tweet := store.NewTweet{TweetID: t.ID, CreatedAt: t.CreatedAt, Text: t.Text}
		if n++; n > w.Tweets-w.unseen() {
			w.unseenTweets = append(w.unseenTweets, tweet)
			continue
		}
		tweet.Metrics = metrics
		i := len(w.tweets)
		w.tweets = append(w.tweets, t.ID)
		byZone[i%zones] = append(byZone[i%zones], tweet)
		if i%10 == 0 {
			byZone[(i+1)%zones] = append(byZone[(i+1)%zones], tweet)
		}
	}
	w.rows = make(map[uuid.UUID]string, w.Tweets)
	for i, tweets := range byZone {
		zone, err := s.CreateZone(ctx, store.Zone{Name: fmt.Sprintf("drill %d", i+1)})
		if err != nil {
			return err
		}
		w.zone = zone.ID
		for part := range slices.Chunk(tweets, 10_000) {
			tracked, err := s.Track(ctx, zone.ID, part)
			if err != nil {
				return err
			}
			for _, t := range tracked {
				w.rows[t.Row] = t.TweetID
				w.rowList = append(w.rowList, t.Row)
			}
		}
	}
	return nil
}
