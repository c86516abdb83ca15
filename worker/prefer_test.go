package worker_test

import (
	"context"
	"errors"
	"testing"

	"gorgone/internal/enginetest"
	"gorgone/internal/testkit"
	"gorgone/store/bill"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
	"gorgone/worker/lookup"
)

// TestTheCheaperProviderIsAsked looks the same tweets up again and again, with X set first and
// twitterapi.io second, and holds what was asked and charged by the fake providers' own logs.
func TestTheCheaperProviderIsAsked(t *testing.T) {
	t.Parallel()
	const tweets = 40
	e := newEngine(t, engineOptions{tweets: tweets})
	e.track()
	x, err := fakeprovider.NewServer(fakeprovider.Config{Population: e.double.Population(), Now: e.clock.Now, Key: enginetest.ProviderKey, LogSize: 1000})
	testkit.Must(t, err)
	t.Cleanup(x.Close)
	address, err := x.Listen(t.Context(), "")
	testkit.Must(t, err)
	paid := func(p *lookup.Provider) lookup.PriceFunc {
		return func(ctx context.Context, ids []string) (float64, error) {
			return bill.Price(ctx, e.db, e.clock.Now(), p.KeyID, twitter.ListPrice(p.Name), ids)
		}
	}
	unreadable := func(*lookup.Provider) lookup.PriceFunc {
		return func(context.Context, []string) (float64, error) { return 0, errors.New("the connection was reset") }
	}
	yesterday := func() {
		_, err := e.sql.Exec(t.Context(), `update gorgone.day_passes set day = day - 1`)
		testkit.Must(t, err)
	}
	for i, step := range []struct {
		name           string
		prefer         func(*lookup.Provider) lookup.PriceFunc
		before         func()
		atX, elsewhere int64 // tweets that are returned
		charged        int64 // of those at X
	}{
		{name: "not preferred: in order", atX: tweets, charged: tweets},
		{name: "paid for at X today", prefer: paid, atX: tweets},
		{name: "paid for at X yesterday", prefer: paid, before: yesterday, elsewhere: tweets},
		{name: "still not paid for at X today", prefer: paid, elsewhere: tweets},
		{name: "it cannot be told: in order", prefer: unreadable, atX: tweets},
		{name: "paid for at X today, again", prefer: paid, atX: tweets},
	} {
		if step.before != nil {
			step.before()
		}
		atX, elsewhere := x.Stats(), e.double.Stats()
		_, err := e.sql.Exec(t.Context(), `update twitter_engagement_tracking set next_update_at = $1, retry_at = null`, e.clock.Now())
		testkit.Must(t, err)
		stop := e.run(e.worker(workerOptions{fallback: address, xFirst: true, prices: step.prefer, slots: 1}))
		e.dispatch()
		e.eventually(step.name, `select count(*) from twitter_engagement_tracking where update_count = $1 and claim_id is null`, tweets, i+1)
		stop()
		if got := x.Stats().Returned - atX.Returned; got != step.atX {
			t.Errorf("%s: X returned %d tweets, want %d", step.name, got, step.atX)
		}
		if got := e.double.Stats().Returned - elsewhere.Returned; got != step.elsewhere {
			t.Errorf("%s: twitterapi.io returned %d tweets, want %d", step.name, got, step.elsewhere)
		}
		if got := x.Stats().Billed - atX.Billed; got != 15*step.charged {
			t.Errorf("%s: X charged %d credits, want 15 for each of %d tweets", step.name, got, step.charged)
		}
	}
}
