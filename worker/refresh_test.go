package worker_test

import (
	"context"
	"testing"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
	"gorgone/worker/lookup"
)

func TestRefreshOvertakesABacklog(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 1000})
	ids := e.track()
	e.dispatch()
	// Every batch call hangs until the refresh has been answered.
	release := make(chan struct{})
	stop := e.run(e.worker(workerOptions{lookup: func(next lookup.CallFunc) lookup.CallFunc {
		return func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			if len(ids) > 1 {
				select {
				case <-release:
				case <-ctx.Done():
				}
			}
			return next(ctx, gate, ids)
		}
	}}))
	done := e.refresh(ids[0])
	if done.Outcome != engagement.RequestUpdated || len(done.Rows) != 1 || !done.Rows[0].SnapshotCreated {
		t.Errorf("refresh: %+v", done)
	}
	if done.Rows[0].Before.Likes.Known() && done.Rows[0].Before.Likes.Value() != 0 {
		t.Errorf("counts before the first look: %+v", done.Rows[0].Before)
	}
	close(release)
	// The batch that held the tweet lost it to the refresh. Its answer was paid for and is
	// newer, so it is written too, as an answer of its own.
	e.eventually("tweets updated", `select count(*) from twitter_engagement_tracking where update_count >= 1 and claim_id is null`, len(ids))
	stop()
	if n := e.count(`select sum(update_count)::int from twitter_engagement_tracking`); n > len(ids)+1 {
		t.Errorf("%d updates of %d tweets", n, len(ids))
	}
	if n := e.count(`select count(distinct tweet_id)::int from twitter_engagement_history`); n != len(ids) {
		t.Errorf("%d tweets have a snapshot, want %d", n, len(ids))
	}
	if n := e.count(`select count(*)::int from (select from twitter_engagement_history group by tweet_id, snapshot_at having count(*) > 1) d`); n != 0 {
		t.Errorf("%d snapshots are there twice", n)
	}
}

func TestRefreshServesAllZones(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 1})
	id := e.track()[0]
	other, err := e.store.CreateZone(t.Context(), store.Zone{Name: "other"})
	testkit.Must(t, err)
	tweet, _ := e.double.Population().Tweet(id)
	_, err = e.store.Track(t.Context(), other.ID, []store.NewTweet{{TweetID: id, CreatedAt: tweet.CreatedAt}})
	testkit.Must(t, err)
	e.run(e.worker(workerOptions{}))
	if done := e.refresh(id); len(done.Rows) != 2 {
		t.Errorf("answer for %d rows, want 2: %+v", len(done.Rows), done)
	}
	if s := e.double.Stats(); s.Calls != 1 {
		t.Errorf("%d calls for two zones, want 1", s.Calls)
	}
}

func TestRefreshOfAnUntrackedTweet(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 2})
	e.run(e.worker(workerOptions{}))
	for tweet := range e.double.Population().All() {
		if done := e.publishOnly(tweet.ID); done.Outcome != engagement.RequestUntracked {
			t.Errorf("outcome %s, want untracked", done.Outcome)
		}
		break
	}
}

func TestRefreshSaysWhyItFailed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fault  fakeprovider.Fault
		calls  int // that fail: one refusal of the key says nothing yet
		reason string
	}{
		{fakeprovider.OutOfCredit, 100, "the provider account is out of credit"},
		{fakeprovider.Unauthorized, 100, "the provider refuses the API key"},
		{fakeprovider.RateLimited, 1, "paused: rate limit"},
	} {
		t.Run(string(tc.fault), func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 1})
			id := e.track()[0]
			testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: tc.fault, Next: tc.calls}}}))
			e.run(e.worker(workerOptions{}))
			done := e.refresh(id)
			if done.Outcome != engagement.RequestFailed || done.Reason != tc.reason {
				t.Errorf("%s %q, want failed %q", done.Outcome, done.Reason, tc.reason)
			}
		})
	}
}
