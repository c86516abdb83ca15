//go:build load

package cli

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/internal/config"
	"gorgone/internal/devstack"
	"gorgone/internal/devstack/runfile"
	"gorgone/store"
	"gorgone/store/trial"
)

// TestATrialOfAWeek runs a trial for a week of engine time: dispatcher, worker, NATS,
// Postgres and the fake provider over the demonstration's tweets, or with
// GORGONE_TEST_CASCADES over real cascades. What the command and the route report is held
// against the rows. The machine decides how late the look-ups are, for both halves, so only
// what must hold however slow it is, is tested.
func TestATrialOfAWeek(t *testing.T) {
	t.Parallel()
	const (
		speed = 2400 // a week in about four minutes
		zone  = "Elections"
	)
	known := time.Duration(speed * float64(store.PoliciesKnown)) // until a trial begins
	u := startDemo(t, speed, devstack.Demo{
		Tweets: 900, Seed: 5, Young: true, Lead: known, Spread: trial.DefaultLength, Replay: os.Getenv("GORGONE_TEST_CASCADES"),
	})
	u.run("schedule", "try", zone, "--force")

	var got trial.Trial
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for got.Report == nil || got.ReportedAt.Before(got.EndsAt) {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the trial did not end")
		}
		var list []trial.Trial
		if err := json.Unmarshal([]byte(u.run("schedule", "status", zone, "--json")), &list); err != nil || len(list) != 1 {
			t.Fatalf("%d trials, %v", len(list), err)
		}
		got = list[0]
	}
	r := got.Report
	shown := u.run("schedule", "status", zone)
	t.Logf("at %d times the speed:\n%s", speed, shown)
	if !strings.Contains(shown, "adaptive over tiers") || !strings.Contains(shown, ratio(r.Over.Delay48)) {
		t.Errorf("the command shows\n%s", shown)
	}
	if route := u.trialOfRoute(); route.Report == nil || *route.Report.Over.Delay48 != *r.Over.Delay48 || route.Report.Posted != r.Posted {
		t.Errorf("the route has %+v, the command %+v", route.Report, r)
	}

	posted, complete, lookups := u.halves(got)
	if r.Posted != posted || r.Posted.Tiers < 20 || r.Posted.Adaptive < 20 {
		t.Errorf("%+v take part, of %+v rows", r.Posted, posted)
	}
	for half, c := range map[engagement.Half]struct{ got, rows int }{
		engagement.KeptHalf: {r.Tiers.Tweets, complete.Tiers}, engagement.TriedHalf: {r.Adaptive.Tweets, complete.Adaptive},
	} {
		if c.got > c.rows || c.got < c.rows*3/4 {
			t.Errorf("half %d: %d tweets are measured, of %d rows that are complete", half, c.got, c.rows)
		}
		measured := [...]float64{engagement.KeptHalf: r.Tiers.Lookups.Value, engagement.TriedHalf: r.Adaptive.Lookups.Value}[half]
		if closing := lookups[half] - measured; math.Abs(closing-0.5) > 1 { // one of each row is the closing one, if it was made
			t.Errorf("half %d: %.2f look-ups a tweet are reported, the rows have %.2f", half, measured, lookups[half])
		}
	}
	for name, over := range map[string]float64{"look-ups": r.Over.Lookups.Value, "lowest": r.Over.Lookups.Low / r.Over.Lookups.Value, "highest": r.Over.Lookups.High / r.Over.Lookups.Value} {
		if !(over > 0.5 && over < 1.5) {
			t.Errorf("%s of the halves' look-ups over one another: %.2f", name, over)
		}
	}
	if r.Over.Delay48.Low > r.Over.Delay48.Value || !(r.Over.Delay48.High < 1) {
		t.Errorf("delay up to 48 h over the tiers', who are blind after 12: %+v", r.Over.Delay48)
	}
}

// startDemo starts a stack with a demonstration, which other commands find.
func startDemo(t *testing.T, speed float64, d devstack.Demo) *up {
	t.Helper()
	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dispatcher.Every = 100 * time.Millisecond // which is sped up too
	cfg.Web.Listen, cfg.Monitor.Listen = "127.0.0.1:0", ""
	dir := dataDir(t)
	stack, err := devstack.Start(t.Context(), cfg, devstack.Options{DataDir: dir, Demo: d, Speed: speed, Version: "test", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- stack.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the stack: %v", err)
		}
		stack.Close()
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := runfile.Read(dir); err == nil || t.Context().Err() != nil {
			break
		}
	}
	return &up{t: t, dir: dir}
}

// trialOfRoute reads the trial from the HTTP API.
func (u *up) trialOfRoute() (found trial.Trial) {
	u.t.Helper()
	token, err := runfile.ReadSecret(u.dir, runfile.TokenName)
	if err != nil {
		u.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(u.t.Context(), http.MethodGet, u.running().WebURL+"/api/twitter/schedule/trials", nil)
	if err != nil {
		u.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		u.t.Fatal(err)
	}
	defer answer.Body.Close()
	var body struct{ Data []trial.Trial }
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil || answer.StatusCode != http.StatusOK || len(body.Data) != 1 {
		u.t.Fatalf("%s, %d trials, %v", answer.Status, len(body.Data), err)
	}
	return body.Data[0]
}

// halves counts the rows of a trial, those that were 48 hours old at its end, and the
// look-ups that one of these got on average.
func (u *up) halves(k trial.Trial) (posted, complete trial.HalfCount, lookups [2]float64) {
	u.t.Helper()
	conn := u.sql()
	var seed, id string
	if err := conn.QueryRow(u.t.Context(), `select seed from gorgone.trials where zone_id = $1`, k.Zone).Scan(&seed); err != nil {
		u.t.Fatal(err)
	}
	rows, err := conn.Query(u.t.Context(), `
		select w.tweet_id, w.twitter_created_at, coalesce(k.update_count, 0)
		from twitter_tweets w join twitter_engagement_tracking k on k.tweet_db_id = w.id
		where w.zone_id = $1 and w.twitter_created_at >= $2 and w.twitter_created_at < $3`, k.Zone, k.StartsAt, k.EndsAt)
	if err != nil {
		u.t.Fatal(err)
	}
	var at time.Time
	var n int
	_, err = pgx.ForEachRow(rows, []any{&id, &at, &n}, func() error {
		old := at.Add(48 * time.Hour).Before(k.EndsAt)
		half := engagement.HalfOf(seed, id)
		all, done := &posted.Tiers, &complete.Tiers
		if half == engagement.TriedHalf {
			all, done = &posted.Adaptive, &complete.Adaptive
		}
		*all++
		if old {
			*done++
			lookups[half] += float64(n)
		}
		return nil
	})
	if err != nil {
		u.t.Fatal(err)
	}
	lookups[engagement.KeptHalf] /= float64(complete.Tiers)
	lookups[engagement.TriedHalf] /= float64(complete.Adaptive)
	return posted, complete, lookups
}
