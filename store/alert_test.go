package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// rule adds an alert rule, which then counts at once.
func (e *env) rule(t *testing.T, r engagement.AlertRule, zone uuid.UUID) alert.Rule {
	t.Helper()
	added, err := e.AddRule(t.Context(), alert.Rule{AlertRule: r, Zone: zone})
	if err != nil {
		t.Fatal(err)
	}
	e.clock.advance(time.Minute) // rules are read every 30 s
	return added
}

func (e *env) alerts(t *testing.T) []alert.Alert {
	t.Helper()
	list, err := e.Alerts(t.Context(), alert.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// look has every tweet looked at now, as it is due or not.
func (e *env) look(t *testing.T, n int64) {
	t.Helper()
	e.exec(t, `update twitter_engagement_tracking set next_update_at = $1, retry_at = null`, e.clock.Now())
	e.apply(t, e.found(e.claim(t), n))
}

// TestVelocityAlert follows a tweet: nothing to compare with, too young to
// compare, above, wavering, over, and above again in and after the cooldown.
func TestVelocityAlert(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 1)
		e.rule(t, engagement.AlertRule{Kind: engagement.AlertVelocity, Threshold: 500, Window: 10 * time.Minute, Cooldown: 2 * time.Hour}, e.zone)
		e.rule(t, engagement.AlertRule{Kind: engagement.AlertVelocity, Threshold: 500, Window: 10 * time.Minute}, e.newZone(t))
		for i, step := range []struct {
			after          time.Duration
			likes          int64
			raised, active int
		}{
			{0, 1000, 0, 0},                // the first look
			{5 * time.Minute, 5000, 0, 0},  // no snapshot is old enough
			{6 * time.Minute, 5000, 1, 1},  // history has one of 11 min ago
			{20 * time.Minute, 5160, 1, 1}, // 480 an hour: not clearly below
			{2 * time.Minute, 5400, 1, 1},  // against 22 min ago: still above
			{20 * time.Minute, 5410, 1, 0}, // over
			{20 * time.Minute, 9000, 1, 0}, // in the cooldown
			{2 * time.Hour, 19000, 2, 1},   // after it
		} {
			e.clock.advance(step.after)
			e.look(t, step.likes)
			list := e.alerts(t)
			active := 0
			for _, a := range list {
				if a.ClearedAt.IsZero() {
					active++
				}
			}
			if len(list) != step.raised || active != step.active {
				t.Errorf("step %d: %d alerts, %d active, want %d and %d: %+v", i, len(list), active, step.raised, step.active, list)
			}
		}
		if a := e.alerts(t)[0]; a.Row != tracked[0].Row || a.Zone != e.zone || a.Threshold != 500 || a.Value != 5000 || a.Message == "" {
			t.Errorf("alert %+v", a)
		}
	})
}

// TestVelocityAcrossProviders: a difference between two providers is no velocity.
func TestVelocityAcrossProviders(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	e.track(t, 1)
	e.rule(t, engagement.AlertRule{Kind: engagement.AlertVelocity, Threshold: 500, Window: 10 * time.Minute}, uuid.Nil)
	for _, step := range []struct {
		after    time.Duration
		provider string
		likes    int64
	}{{0, "a", 0}, {11 * time.Minute, "b", 9000}, {5 * time.Minute, "b", 9001}, {11 * time.Minute, "b", 9002}} {
		e.clock.advance(step.after)
		e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
		work := e.found(e.claim(t), step.likes)
		work.Results[0].Observation.Provider = step.provider
		e.apply(t, work)
		if list := e.alerts(t); len(list) != 0 {
			t.Fatalf("after %+v: %+v", step, list)
		}
	}
}

// TestAlertsOnce applies everything many times at once: the same batch, twice
// over, and refreshes of the same tweets. Each tweet has one alert, and each
// webhook one delivery of it.
func TestAlertsOnce(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		const tweets, tries = 8, 6
		tracked := e.track(t, tweets)
		hook, err := e.AddWebhook(t.Context(), alert.Webhook{URL: "https://example.com/x", Secret: "s", Format: "json"})
		if err != nil {
			t.Fatal(err)
		}
		e.rule(t, engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 100}, uuid.Nil)
		e.rule(t, engagement.AlertRule{Kind: engagement.AlertTier}, uuid.Nil)
		e.look(t, 10)
		e.clock.advance(2 * time.Hour)
		e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
		work := e.found(e.claim(t), 200)
		refreshes := make([]store.RefreshResult, tweets)
		for i, w := range tracked {
			refreshes[i] = e.refreshed(w.TweetID, 300)
		}
		var racing conc.WaitGroup
		for range tries {
			racing.Go(func() {
				if _, err := e.Apply(t.Context(), work); err != nil {
					t.Error(err)
				}
			})
			racing.Go(func() {
				if _, err := e.ApplyRefresh(t.Context(), refreshes); err != nil {
					t.Error(err)
				}
			})
		}
		racing.Wait()
		for kind, want := range map[string]int{"count": tweets, "tier": tweets} {
			if n := e.count(t, `select count(*) from gorgone.alerts where kind = $1`, kind); n != want {
				t.Errorf("%d alerts of the kind %s, want %d", n, kind, want)
			}
		}
		for _, to := range []uuid.UUID{hook.ID, alert.EventsWebhook} {
			if n := e.count(t, `select count(distinct alert_id) from gorgone.alert_deliveries where webhook_id = $1`, to); n != 2*tweets {
				t.Errorf("%d deliveries to %s, want %d", n, to, 2*tweets)
			}
		}
		if n := e.count(t, `select count(*) from gorgone.alert_deliveries`); n != 4*tweets {
			t.Errorf("%d deliveries, want %d", n, 4*tweets)
		}
	})
}

// TestAlertInTheTransaction: when the batch is not written, no alert is sent.
func TestAlertInTheTransaction(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	e.track(t, 2)
	e.rule(t, engagement.AlertRule{Kind: engagement.AlertCount, Metric: engagement.AlertTotal, Threshold: 100}, uuid.Nil)
	e.exec(t, `alter table twitter_engagement_tracking add constraint no_more check (update_count < 1) not valid`)
	work := e.found(e.claim(t), 500)
	if _, err := e.Apply(t.Context(), work); err == nil {
		t.Fatal("it was written")
	}
	if n := e.count(t, `select count(*) from gorgone.alerts`) + e.count(t, `select count(*) from gorgone.alert_deliveries`); n != 0 {
		t.Errorf("%d rows tell of what did not happen", n)
	}
	e.exec(t, `alter table twitter_engagement_tracking drop constraint no_more`)
	e.apply(t, work)
	if n := len(e.alerts(t)); n != 2 {
		t.Errorf("%d alerts, want 2", n)
	}
}

func TestStalledAlerts(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	e.rule(t, engagement.AlertRule{Kind: engagement.AlertStalled, Window: 30 * time.Minute}, uuid.Nil)
	check := func(active int) {
		t.Helper()
		var racing conc.WaitGroup
		for range 3 { // dispatchers
			racing.Go(func() {
				if err := e.CheckStalled(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		racing.Wait()
		if n := e.count(t, `select count(*) from gorgone.alerts where cleared_at is null`); n != active {
			t.Errorf("%d active alerts, want %d: %+v", n, active, e.alerts(t))
		}
	}
	tracked := e.track(t, 3)
	e.exec(t, `update twitter_engagement_tracking set zone_id = $1`, e.zone)
	check(0)
	e.clock.advance(31 * time.Minute)
	check(3)
	check(3)
	e.look(t, 1)
	check(0)
	e.clock.advance(3 * time.Hour)
	e.exec(t, `delete from twitter_engagement_tracking where tweet_db_id = $1`, tracked[0].Row)
	check(2)
	// A whole zone is told of once.
	e.trackIn(t, e.newZone(t), newTweets(e.clock.Now(), 50))
	e.exec(t, `update twitter_engagement_tracking k set zone_id = w.zone_id from twitter_tweets w where w.id = k.tweet_db_id`)
	e.clock.advance(31 * time.Minute)
	check(3)
	if n := e.count(t, `select count(*) from gorgone.alerts where tweet_db_id is null`); n != 1 {
		t.Errorf("%d alerts about zones, want 1", n)
	}
	e.exec(t, `update twitter_engagement_tracking set next_update_at = null`)
	check(0)
}

// TestDeliveries: two senders never hold the same one, a lease that ends hands it
// on under the same id, and who has lost it changes nothing.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		const tweets, senders = 40, 6
		e.track(t, tweets)
		if _, err := e.AddWebhook(t.Context(), alert.Webhook{URL: "https://example.com/x", Secret: "s", Format: "json"}); err != nil {
			t.Fatal(err)
		}
		e.rule(t, engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 100}, e.zone)
		e.look(t, 1000)
		claims := make([][]alert.Delivery, senders)
		var racing conc.WaitGroup
		for i := range senders {
			racing.Go(func() {
				var err error
				if claims[i], err = e.ClaimDeliveries(t.Context(), uuid.New(), 10, time.Minute, []uuid.UUID{alert.EventsWebhook}); err != nil {
					t.Error(err)
				}
			})
		}
		racing.Wait()
		seen := make(map[uuid.UUID]bool)
		for _, claimed := range claims {
			for _, d := range claimed {
				if seen[d.ID] {
					t.Errorf("%s is held twice", d.ID)
				}
				seen[d.ID] = true
			}
		}
		if len(seen) == 0 || len(seen) > tweets {
			t.Fatalf("%d deliveries are held", len(seen))
		}
		e.clock.advance(time.Minute)
		first, second := uuid.New(), uuid.New()
		held, err := e.ClaimDeliveries(t.Context(), first, 1, time.Minute, []uuid.UUID{alert.EventsWebhook})
		if err != nil || len(held) != 1 {
			t.Fatalf("claimed %d: %v", len(held), err)
		}
		e.clock.advance(time.Minute)
		again, err := e.ClaimDeliveries(t.Context(), second, tweets, time.Minute, []uuid.UUID{alert.EventsWebhook})
		if err != nil || len(again) != tweets {
			t.Fatalf("claimed %d: %v", len(again), err)
		}
		if err := e.Delivered(t.Context(), first, held[0].ID); err != nil {
			t.Fatal(err)
		}
		if n := e.count(t, `select count(*) from gorgone.alert_deliveries where delivered_at is not null`); n != 0 {
			t.Error("who has lost a delivery has settled it")
		}
		for i, d := range again {
			switch i {
			case 0:
				err = e.DeliveryFailed(t.Context(), second, d.ID, "no", 0, true)
			case 1:
				err = e.DeliveryFailed(t.Context(), second, d.ID, "later", time.Hour, false)
			default:
				err = e.Delivered(t.Context(), second, d.ID)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		dead, err := e.Deliveries(t.Context(), true, 10)
		if err != nil || len(dead) != 1 || dead[0].ID != again[0].ID || dead[0].Error != "no" {
			t.Fatalf("dead %+v: %v", dead, err)
		}
		if n, err := e.RetryDeliveries(t.Context(), []uuid.UUID{dead[0].ID}); err != nil || n != 1 {
			t.Errorf("retried %d: %v", n, err)
		}
		if left, err := e.ClaimDeliveries(t.Context(), first, tweets, time.Minute, []uuid.UUID{alert.EventsWebhook}); err != nil || len(left) != 1 || left[0].Attempts != 1 {
			t.Errorf("claimed %+v: %v", left, err)
		}
	})
}

// TestDeletedAlert: by the miss that proves it, once, until the tweet is seen again.
func TestDeletedAlert(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	e.track(t, 1)
	e.look(t, 5)
	e.rule(t, engagement.AlertRule{Kind: engagement.AlertDeleted}, uuid.Nil)
	for range 6 {
		e.clock.advance(time.Hour)
		e.exec(t, `update twitter_engagement_tracking set next_update_at = $1, retry_at = null where gone_reason is null`, e.clock.Now())
		if claimed := e.claimIn(t, 10); claimed.Tweets == 1 {
			e.apply(t, e.missed(claimed.Batches[0], "resource-not-found"))
		}
	}
	list := e.alerts(t)
	if len(list) != 1 || list[0].Kind != engagement.AlertDeleted || !list[0].ClearedAt.IsZero() {
		t.Fatalf("alerts %+v", list)
	}
	e.refresh(t, e.refreshed(list[0].TweetID, 6))
	if list = e.alerts(t); len(list) != 1 || list[0].ClearedAt.IsZero() {
		t.Errorf("alerts %+v: it is there again", list)
	}
}
