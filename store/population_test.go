package store_test

import (
	"testing"
	"time"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// round has a replica claim everything that is due and answer it: tweets in lost are
// lacking.
func (e *env) round(t *testing.T, s *store.Store, lost map[string]bool) {
	t.Helper()
	claimed, err := s.Claim(t.Context(), store.ClaimRequest{Tweets: 1000, BatchTweets: 20, BatchRows: 100, Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range claimed.Batches {
		work := e.found(batch, 10)
		for i := range work.Results {
			if r := &work.Results[i]; lost[r.TweetID] {
				r.Kind, r.Observation.Metrics = store.Missing, engagement.Metrics{}
			}
		}
		if _, err := s.Apply(t.Context(), work); err != nil {
			t.Fatal(err)
		}
	}
}

// pass lets time pass in steps; the replicas work in turns.
func (e *env) pass(t *testing.T, d, step time.Duration, lost map[string]bool, replicas ...*store.Store) {
	t.Helper()
	for i := 0; d > 0; i++ {
		e.round(t, replicas[i%len(replicas)], lost)
		e.clock.advance(step)
		d -= step
	}
}

const called = `select count(*) from twitter_engagement_tracking where gone_reason is not null`

// TestDeletionsAreHeldWhenManyTweetsAreMissing: four replicas see a tenth of all tweets
// missing, each a few of them. They delete nothing on the usual evidence, and find each
// tweet again, or gone, in the end.
func TestDeletionsAreHeldWhenManyTweetsAreMissing(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"a fault": true, "a mass deletion": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, postgres.ExecPrepared)
			tracked := e.track(t, 200)
			lost := make(map[string]bool)
			var replicas []*store.Store
			for range 4 {
				replicas = append(replicas, store.New(e.db, e.clock, store.Options{GoneSpan: shortSpan, Random: func() float64 { return 0.5 }}))
			}
			e.pass(t, time.Minute, time.Minute, nil, replicas...)
			for _, w := range tracked[:20] {
				lost[w.TweetID] = true
			}
			e.pass(t, 40*time.Minute, time.Minute, lost, replicas...) // more than six spans
			for i, s := range replicas {
				p, err := s.Population(t.Context())
				if err != nil || !p.Held() || p.Missing != 20 || p.Live != 200 || p.Gone != 0 {
					t.Errorf("replica %d: %+v, %v", i, p, err)
				}
			}
			if n := e.count(t, called); n != 0 {
				t.Fatalf("%d tweets count as deleted", n)
			}
			if back {
				clear(lost)
			}
			e.pass(t, 8*time.Hour, 5*time.Minute, lost, replicas...)
			p, err := replicas[0].Population(t.Context())
			if err != nil || p.Held() || p.Missing != 0 {
				t.Errorf("in the end: %+v, %v", p, err)
			}
			if n := e.count(t, called); n != len(lost) {
				t.Errorf("%d tweets count as deleted, want %d", n, len(lost))
			}
		})
	}
}

// TestAFewThatGoAreNotHeldByThoseThatGrowOld: of 200 tweets ten are deleted; all others
// go cold with age meanwhile.
func TestAFewThatGoAreNotHeldByThoseThatGrowOld(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := store.New(e.db, e.clock, store.Options{})
	lost := make(map[string]bool)
	for i, w := range e.track(t, 200) {
		if i < 10 {
			lost[w.TweetID] = true
		}
	}
	e.round(t, s, nil)
	for range 40 {
		e.clock.advance(time.Hour)
		e.round(t, s, lost)
	}
	if n := e.count(t, called); n != 10 {
		t.Errorf("%d tweets count as deleted, want 10", n)
	}
}

// TestGoneTweetsAreCheckedAtLargerAndLargerIntervals: and what is back is as before.
func TestGoneTweetsAreCheckedAtLargerAndLargerIntervals(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	w := e.track(t, 1)[0]
	e.lose(t, "")
	var days []int
	for day := range 70 {
		n, err := e.RecheckGone(t.Context(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			days = append(days, day)
			wantOutcome(t, e.apply(t, e.missed(e.claim(t), "")), engagement.RowDeleted)
		}
		e.clock.advance(24*time.Hour + time.Second)
	}
	if len(days) != 7 || days[0] != 1 || days[6] < 60 {
		t.Errorf("checked on days %d", days)
	}
	if n, err := e.RecheckGone(t.Context(), time.Minute); n != 0 || err != nil {
		t.Errorf("%d tweets are checked after all, %v", n, err)
	}
	// An operator may have it checked still.
	if n, err := e.ForceDue(t.Context(), store.DueFilter{GoneSince: e.clock.Now().Add(-100 * 24 * time.Hour)}); n != 1 || err != nil {
		t.Fatalf("%d rows forced, %v", n, err)
	}
	wantOutcome(t, e.apply(t, e.found(e.claim(t), 7)), engagement.RowApplied)
	if got, err := e.Tweet(t.Context(), w.Row); err != nil || got.Tracking.Gone() || got.Tracking.Misses != 0 {
		t.Errorf("%+v, %v", got.Tracking, err)
	}
}

// TestARecheckIsAShareOfTheLookups: one at a time when little is looked up.
func TestARecheckIsAShareOfTheLookups(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	e.track(t, 5)
	e.lose(t, "")
	e.clock.advance(48 * time.Hour)
	for i := range 6 {
		want := 1
		if i == 5 {
			want = 0
		}
		if n, err := e.RecheckGone(t.Context(), time.Minute); n != want || err != nil {
			t.Errorf("round %d: %d tweets, %v", i, n, err)
		}
	}
}

// TestWhatWasCalledGoneSinceATimeIsForcedDue: and nothing else is paid for.
func TestWhatWasCalledGoneSinceATimeIsForcedDue(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	e.track(t, 2)
	e.lose(t, "")
	e.clock.advance(time.Hour)
	since := e.clock.Now()
	other := e.newZone(t)
	e.trackIn(t, other, []store.NewTweet{{TweetID: "1585841080431321088", CreatedAt: epoch}})
	e.lose(t, "")
	e.track(t, 3) // live
	e.apply(t, e.found(e.claim(t), 1))
	if n, err := e.ForceDue(t.Context(), store.DueFilter{GoneSince: since}); n != 1 || err != nil {
		t.Fatalf("%d rows forced, %v", n, err)
	}
	batch := e.claim(t)
	if len(batch.Tweets) != 1 || batch.Tweets[0].TweetID != "1585841080431321088" {
		t.Errorf("claimed %+v", batch.Tweets)
	}
	wantOutcome(t, e.apply(t, e.found(batch, 7)), engagement.RowApplied)
	if n, err := e.ForceDue(t.Context(), store.DueFilter{GoneSince: since, Zone: other}); n != 0 || err != nil {
		t.Errorf("%d rows forced again, %v", n, err)
	}
}

// TestPeopleAreToldThatDeletionsAreHeld: by an alert and by the statistics, until it is over.
func TestPeopleAreToldThatDeletionsAreHeld(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	if _, err := e.AddRule(t.Context(), alert.Rule{Name: "held", AlertRule: engagement.AlertRule{Kind: engagement.AlertHeld}}); err != nil {
		t.Fatal(err)
	}
	lost := make(map[string]bool)
	for i, w := range e.track(t, 50) {
		if i < 12 {
			lost[w.TweetID] = true
		}
	}
	told := func(want int) {
		t.Helper()
		p, err := e.Population(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := e.CheckHeld(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		if n := e.count(t, `select count(*) from gorgone.alerts where kind = 'held' and cleared_at is null`); n != want {
			t.Errorf("%d alerts, want %d", n, want)
		}
		if stats, err := e.Stats(t.Context()); err != nil || stats.HeldSince.IsZero() != (want == 0) {
			t.Errorf("held since %s, %v", stats.HeldSince, err)
		}
	}
	e.round(t, e.Store, nil)
	told(0)
	e.clock.advance(time.Hour)
	e.round(t, e.Store, lost)
	e.clock.advance(10 * time.Minute)
	told(1)
	e.round(t, e.Store, nil)
	e.clock.advance(10 * time.Minute)
	told(0)
}
