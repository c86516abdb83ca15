package month

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	pg "gorgone/store/postgres"
)

// finish stops the roles, judges the samples, and checks what days and months bring.
func (r *run) finish(ctx context.Context) (*Result, error) {
	if err := r.writeSamples(); err != nil {
		return nil, err
	}
	res := &Result{Days: r.Days, Lookups: r.provider.Stats().Asked}
	if n := len(r.samples); n > 0 {
		res.Seconds = r.samples[n-1].elapsed.Seconds()
	}
	if err := r.sql.QueryRow(ctx, `
		select (select count(*) from public.twitter_tweets) - $1::int, (select count(*) from public.twitter_engagement_tracking where next_update_at is not null)`, seedTweets).
		Scan(&res.Tweets, &res.Live); err != nil {
		return nil, fmt.Errorf("count the tweets: %w", err)
	}
	if err := r.stopRoles(); err != nil {
		return nil, err
	}
	res.Series, res.Faults = r.judge()
	res.Flips = r.statements.flips()
	for _, f := range res.Flips {
		res.Faults = append(res.Faults, fmt.Sprintf("another plan on %d days, reading %.0f blocks in place of %.0f: %.120s", f.Days, f.Most, f.Usual, f.Statement))
	}
	c := &checks{run: r, result: res}
	for _, check := range []func(context.Context) error{c.partitions, c.downsampling, c.models, c.spending, c.caps, c.deletions, c.alerts, c.requests} {
		if err := check(ctx); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// checks read what was done through the run, past the engine's own code.
type checks struct {
	*run
	result *Result
}

func (c *checks) done(format string, args ...any) {
	c.result.Done = append(c.result.Done, fmt.Sprintf(format, args...))
}

func (c *checks) require(ok bool, format string, args ...any) {
	if !ok {
		c.result.Faults = append(c.result.Faults, fmt.Sprintf(format, args...))
	}
}

// lag is how much engine time the upkeep may be behind: what it does in a minute of real
// time, between two of its rounds, and two days.
func (c *checks) lag() time.Duration { return 2*day + time.Duration(float64(time.Minute)*c.speed()) }

// slow reports whether days last long enough for what upkeep does in time to be required: it
// works in rounds of a minute of real time at most, and puts off what it gets no lock for.
func (c *checks) slow() bool { return c.real(day) >= time.Minute }

// count counts rows.
func (c *checks) count(ctx context.Context, sql string, args ...any) (n int, err error) {
	if err = c.sql.QueryRow(ctx, sql, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count: %.60s: %w", sql, err)
	}
	return n, nil
}

// partitions checks that days are made ahead and dropped in time, and months merged.
func (c *checks) partitions(ctx context.Context) error {
	ahead, misplaced, late := math.MaxInt, 0, time.Duration(0)
	for _, s := range c.samples {
		ahead, misplaced = min(ahead, s.ahead), max(misplaced, s.misplaced)
		// The first days have what lay there before to do.
		if s.at.Sub(c.begin) > c.lag() {
			late = max(late, s.at.Add(-keepAll-keepHourly-keepDaily).Sub(s.oldest))
		}
	}
	months, err := c.count(ctx, `select count(*) from (`+pg.HistoryPartitions+`) p where past - first > interval '25 days'`)
	if err != nil {
		return err
	}
	c.done("partitions: at least %d of days to come; the oldest was over for %.1f days at most; %d months merged", ahead, late.Hours()/24-1, months)
	c.require(ahead >= 1 || !c.slow(), "at some time there was no partition for the next day")
	c.require(misplaced == 0 || !c.slow(), "%d points fell into the default partition", misplaced)
	c.require(late < day+c.lag() || !c.slow(), "a partition was kept %.1f days too long", late.Hours()/24-1)
	c.require(months > 0 || !c.slow(), "no month was merged")
	return nil
}

// downsampling checks what is left of days that are thinned by now: a tweet's first point,
// and its last of each hour or day.
func (c *checks) downsampling(ctx context.Context) error {
	for _, of := range []struct {
		unit string
		kept time.Duration
	}{{"hour", keepAll}, {"day", keepAll + keepHourly}} {
		until := c.db.Clock.Now().Add(-of.kept - c.lag()).Truncate(day)
		if !until.After(c.begin.Add(day)) {
			continue
		}
		points, err := c.count(ctx, `select count(*) from public.twitter_engagement_history where snapshot_at >= $1 and snapshot_at < $2`, c.begin, until)
		if err != nil {
			return err
		}
		left, err := c.count(ctx, `
			select count(*) from (
				select 1 from public.twitter_engagement_history h
				where snapshot_at >= $1 and snapshot_at < $2
				and snapshot_at > (select min(f.snapshot_at) from public.twitter_engagement_history f where f.tweet_id = h.tweet_id and f.snapshot_at >= $1)
				group by tweet_id, date_trunc('`+of.unit+`', snapshot_at at time zone 'UTC') having count(*) > 1) twice`, c.begin, until)
		if err != nil {
			return err
		}
		c.done("downsampling to a point each %s: %d points left of before %s, %d of them too many", of.unit, points, until.Format(time.DateOnly), left)
		c.require(left == 0 || !c.slow(), "%d tweets have more than one point of an %s that should be thinned", left, of.unit)
		c.require(points > 0, "nothing is left of the time before %s", until.Format(time.DateOnly))
	}
	return nil
}

// models checks that the forecasts' models are fitted again every day.
func (c *checks) models(context.Context) error {
	fits := make(map[time.Time]bool)
	oldest := time.Duration(0)
	for _, s := range c.samples {
		if s.fittedAt.IsZero() || s.at.Sub(c.begin) < 3*day {
			continue
		}
		fits[s.fittedAt] = true
		oldest = max(oldest, s.at.Sub(s.fittedAt))
	}
	c.done("models: fitted %d times after the third day; the oldest was of %.1f days", len(fits), oldest.Hours()/24)
	c.require(len(fits) >= (c.Days-3)/2 || !c.slow(), "the models were fitted %d times in %d days", len(fits), c.Days-3)
	c.require(oldest < day+c.lag() || !c.slow(), "models were %.1f days old", oldest.Hours()/24)
	return nil
}

// spending checks the ledger against the provider's own, and that a month begins at nothing.
func (c *checks) spending(ctx context.Context) error {
	var booked float64
	if err := c.sql.QueryRow(ctx, `
		select coalesce(sum(tweets), 0)::float8 from (select tweets from gorgone.ledger union all select tweets from gorgone.spending) l`).Scan(&booked); err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	billed := c.billed.total()
	c.done("ledger: %.0f tweets, charged for: %d", booked, billed)
	// A call that ends with the run may be charged for and not be answered.
	c.require(math.Abs(booked-float64(billed)) <= 200+0.001*float64(billed), "the ledger has %.0f tweets, and the provider charged for %d", booked, billed)
	before, after := 0.0, math.Inf(1)
	for _, s := range c.samples {
		switch {
		case s.at.Before(c.boundary):
			before = max(before, s.month)
		case s.at.Sub(c.boundary) < day:
			after = min(after, s.month)
		}
	}
	c.done("the month's spending: $%.2f before its end, $%.2f soon after", before, after)
	c.require(after < before/2, "the month's spending did not begin again: $%.2f before its end, $%.2f after", before, after)
	return nil
}

// caps checks that zones spend no more than they may, and go on when they may again.
func (c *checks) caps(ctx context.Context) error {
	const slack = 0.06 // a canary in each batch
	for i, limit := range []struct {
		dollars float64
		period  string
	}{{c.dayCap(), "day"}, {c.monthCap(), "month"}} {
		rows, err := c.sql.Query(ctx, `
			select sum(dollars)::float8 from gorgone.ledger where zone_id = $1 group by date_trunc($2, day::timestamp) order by date_trunc($2, day::timestamp)`,
			c.collector.Zones[i].String(), limit.period)
		if err != nil {
			return fmt.Errorf("read what zones spent: %w", err)
		}
		var spent []float64
		for rows.Next() {
			var dollars float64
			if err := rows.Scan(&dollars); err != nil {
				rows.Close()
				return fmt.Errorf("read what zones spent: %w", err)
			}
			spent = append(spent, dollars)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return fmt.Errorf("read what zones spent: %w", err)
		}
		if len(spent) == 0 {
			c.require(false, "the zone with a cap of a %s spent nothing", limit.period)
			continue
		}
		most, used := slices.Max(spent), 0
		for _, d := range spent {
			if d > 0.85*limit.dollars { // the schedule leaves a tenth to refreshes
				used++
			}
		}
		c.done("cap of a %s: $%.4f; a zone spent $%.4f at most, and used it up %d times in %d", limit.period, limit.dollars, most, used, len(spent))
		c.require(most <= limit.dollars*(1+slack), "a zone spent $%.4f of its cap of $%.4f a %s", most, limit.dollars, limit.period)
		c.require(spent[len(spent)-1] > 0, "a zone did not go on with the new %s", limit.period)
	}
	return nil
}

// deletions checks that what is gone is found, and so is what is back.
func (c *checks) deletions(ctx context.Context) error {
	c.traffic.mu.Lock()
	revived := slices.Clone(c.traffic.revived)
	c.traffic.mu.Unlock()
	known, err := c.count(ctx, `select count(*) from public.twitter_engagement_tracking where gone_reason is not null`)
	if err != nil {
		return err
	}
	still, err := c.count(ctx, `
		select count(*) from public.twitter_engagement_tracking k join public.twitter_tweets t on t.id = k.tweet_db_id
		where gone_reason is not null and t.tweet_id = any($1::text[])`, revived)
	if err != nil {
		return err
	}
	c.done("deletions: %d known; %d came back, of which %d are thought gone still", known, len(revived), still)
	// Of a few, the last may not be missing for long enough.
	c.require(known > 0 || float64(c.tweets())*deletedShare < 20, "no deletion was found")
	c.require(len(revived) == 0 || still < len(revived), "of %d tweets that came back none was found", len(revived))
	return nil
}

// alerts checks that alerts are raised and told of, until the end.
func (c *checks) alerts(ctx context.Context) error {
	raised, err := c.count(ctx, `select count(*) from gorgone.alerts`)
	if err != nil {
		return err
	}
	waiting, err := c.count(ctx, `select count(*) from gorgone.alert_deliveries where delivered_at is null`)
	if err != nil {
		return err
	}
	got := c.hook.got.Load()
	c.done("alerts: %d kept, the webhook was told %d times, %d deliveries wait", raised, got, waiting)
	c.require(raised > 0 && got > 0, "%d alerts were raised, and the webhook was told of %d", raised, got)
	c.require(waiting <= 20+raised/10, "%d deliveries of alerts wait", waiting)
	return nil
}

// requests says how the web server's answers were.
func (c *checks) requests(context.Context) error {
	c.traffic.mu.Lock()
	defer c.traffic.mu.Unlock()
	all, failed := 0, 0
	var what []string
	for _, ended := range slices.Sorted(maps.Keys(c.traffic.answers)) {
		n := c.traffic.answers[ended]
		all += n
		if strings.Contains(ended, ": 5") || strings.Contains(ended, "no answer") {
			failed += n
			what = append(what, fmt.Sprintf("%d times %s", n, ended))
		}
	}
	c.done("web: %d requests, %d failed", all, failed)
	c.require(all > 0 && failed <= all/20, "of %d requests to the web server %d failed: %s", all, failed, strings.Join(what, ", "))
	return nil
}

func (o Options) printJSON(r *Result) error {
	e := json.NewEncoder(o.Out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
