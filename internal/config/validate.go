package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"gorgone/engagement"
	"gorgone/internal/address"
	"gorgone/qstash"
	"gorgone/twitter"
)

// validate returns everything that is wrong with the settings together.
func (c *Config) validate() (faults []error) {
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	between := func(name string, n, low, high int) {
		check(n >= low && n <= high, "%s is %d, want %d to %d", name, n, low, high)
	}
	within := func(name string, d, low, high time.Duration) {
		check(d >= low && d <= high, "%s is %s, want %s to %s", name, d, low, high)
	}
	oneOf := func(name, value string, allowed ...string) {
		check(slices.Contains(allowed, value), "%s is not one of %s", name, strings.Join(allowed, ", "))
	}
	faults = append(faults, c.checkAddresses()...)
	between("GORGONE_DB_MAX_CONNS", c.Database.MaxConns, 1, 500)
	oneOf("GORGONE_DB_POOLER", c.Database.Pooler, "auto", "yes", "no")
	check(c.Database.MigrateURL == "" || c.Database.URL != "", "GORGONE_MIGRATE_URL is set and DATABASE_URL is not: they name the same database")
	if err := engagement.GoneAfter(c.Schedule.GoneAfter).Validate(); err != nil {
		faults = append(faults, fmt.Errorf("GORGONE_GONE_AFTER: %w", err))
	}
	if err := engagement.GoneSpan(c.Schedule.GoneSpan).Validate(); err != nil {
		faults = append(faults, fmt.Errorf("GORGONE_GONE_SPAN: %w", err))
	}
	if _, err := engagement.NewTierPolicy(c.Schedule.Tiers); err != nil {
		faults = append(faults, fmt.Errorf("GORGONE_TIERS: %w", err))
	}
	if c.Schedule.Kind == "smart_stop" {
		faults = append(faults, errors.New("SCHEDULE: smart_stop was removed; use tiers or adaptive"))
	} else {
		oneOf("SCHEDULE", c.Schedule.Kind, "", "tiers", "adaptive")
	}
	check(c.Schedule.LookPrice >= 0 && c.Schedule.LookPrice <= 1e9, "GORGONE_LOOK_PRICE is %g, want 0 to 1e9", c.Schedule.LookPrice)
	check(c.Schedule.Write == 0 || c.Schedule.Write >= 0.01 && c.Schedule.Write <= 10, "GORGONE_FORECAST_WRITE is %g, want 0, or 0.01 to 10", c.Schedule.Write)
	check(c.Schedule.TargetDelay == 0 || c.Schedule.TargetDelay >= time.Minute && c.Schedule.TargetDelay <= 24*time.Hour,
		"GORGONE_TARGET_DELAY is %s, want 0s, or 1m to 24h", c.Schedule.TargetDelay)
	for name, dollars := range map[string]float64{
		"GORGONE_BUDGET_DAY": c.Cost.Day, "GORGONE_BUDGET_MONTH": c.Cost.Month,
		"GORGONE_REFRESH_BUDGET_DAY": c.Cost.RefreshDay, "TWITTER_TWEET_PRICE": c.Cost.TweetPrice,
	} {
		check(dollars >= 0 && dollars <= 1e6, "%s is %g, want 0 to 1000000 dollars", name, dollars)
	}
	check(validPrefix(c.Queue.Prefix), "GORGONE_STREAM_PREFIX is not 1 to 20 capital letters and digits, a letter first")
	check(c.Queue.Replicas == 1 || c.Queue.Replicas == 3 || c.Queue.Replicas == 5, "GORGONE_STREAM_REPLICAS is %d, want 1, 3 or 5", c.Queue.Replicas)
	check(c.Queue.Lease >= 0, "GORGONE_LEASE is negative")
	oneOf("TWITTER_PROVIDER", c.Provider.Name, twitter.Providers()...)
	check(c.Provider.Rate == 0 || c.Provider.Rate >= 0.001 && c.Provider.Rate <= 10000, "TWITTER_RATE is %g, want 0, or 0.001 to 10000", c.Provider.Rate)
	between("TWITTER_IDS_PER_CALL", c.Provider.PerCall, 0, 100)
	within("TWITTER_TIMEOUT", c.Provider.Timeout, time.Second, time.Minute)
	check(c.Provider.Reserve >= 0 && c.Provider.Reserve <= 0.9, "TWITTER_REFRESH_RESERVE is %g, want 0 to 0.9", c.Provider.Reserve)
	faults = append(faults, c.Provider.validateFallback()...)
	check(c.Provider.BalanceEvery == 0 || c.Provider.BalanceEvery >= 30*time.Second && c.Provider.BalanceEvery <= 24*time.Hour, "TWITTER_BALANCE_EVERY is %s, want 0, or 30s to 24h", c.Provider.BalanceEvery)
	between("TWITTER_BREAKER_STREAK", c.Provider.BreakerStreak, 1, 1000)
	check(c.Provider.BreakerShare >= 0.05 && c.Provider.BreakerShare <= 1, "TWITTER_BREAKER_SHARE is %g, want 0.05 to 1", c.Provider.BreakerShare)
	within("TWITTER_BREAKER_REST", c.Provider.BreakerRest, 100*time.Millisecond, time.Hour)
	within("TWITTER_BREAKER_REST_MAX", c.Provider.BreakerMaxRest, 100*time.Millisecond, 24*time.Hour)
	check(c.Provider.BreakerMaxRest >= c.Provider.BreakerRest, "TWITTER_BREAKER_REST_MAX is shorter than TWITTER_BREAKER_REST")
	oneOf("TWITTER_PREFER", c.Provider.Prefer, PreferOrder, PreferCheaper)
	oneOf("TWITTER_X_FIELDS_PARAM", c.Provider.XFields, "tweet.fields", "post.fields")
	within("GORGONE_DISPATCH_EVERY", c.Dispatcher.Every, time.Second, 10*time.Minute)
	between("GORGONE_BATCH_TWEETS", c.Dispatcher.Batch, 1, 500)
	check(c.Retention.Full == 0 || c.Retention.Full >= 24*time.Hour, "GORGONE_RETENTION is %s, want 0s, or 24h at least", c.Retention.Full)
	check(c.Retention.Hourly >= 0 && c.Retention.Daily >= 0, "GORGONE_RETENTION_HOURLY or GORGONE_RETENTION_DAILY is negative")
	check(c.Retention.Full > 0 || c.Retention.Hourly == 0 && c.Retention.Daily == 0, "GORGONE_RETENTION_HOURLY and GORGONE_RETENTION_DAILY begin where GORGONE_RETENTION ends, which is 0s: never")
	within("GORGONE_WEBHOOK_TIMEOUT", c.Alert.Timeout, time.Second, time.Minute)
	between("GORGONE_BATCH_SLOTS", c.Worker.BatchSlots, 1, 256)
	between("GORGONE_REFRESH_SLOTS", c.Worker.RefreshSlots, 1, 64)
	between("GORGONE_WRITES", c.Worker.Writes, 1, 64)
	within("GORGONE_GRACE", c.Worker.Grace, 0, 5*time.Minute)
	within("GORGONE_WEB_REFRESH_COOLDOWN", c.Web.Cooldown, 0, time.Hour)
	between("GORGONE_WEB_REFRESH_ALLOWANCE", c.Web.Allowance, 1, 100_000)
	faults = append(faults, c.Web.validate(c.Provider.WebhookKey(c.Web), string(c.Provider.Key))...)
	if c.Monitor.Listen != "" {
		faults = append(faults, checkListen("GORGONE_METRICS_ADDR", c.Monitor.Listen)...)
	}
	if _, err := qstash.New(c.QStash.URL, "any"); err != nil {
		faults = append(faults, fmt.Errorf("QSTASH_URL: %w", err))
	}
	faults = append(faults, c.checkPublished()...)
	between("GORGONE_LOG_BURST", c.Log.Burst, 0, 100_000)
	oneOf("GORGONE_LOG_LEVEL", c.Log.Level, "debug", "info", "warn", "error")
	return faults
}

// checkAddresses reports the settings that hold an address with credentials where they
// have no place, or of which a part would be read as something else. What else is wrong
// with an address is told when it is used.
func (c *Config) checkAddresses() (faults []error) {
	fault := func(name string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	for name, raw := range map[string]Secret{"DATABASE_URL": c.Database.URL, "GORGONE_MIGRATE_URL": c.Database.MigrateURL} {
		if strings.Contains(string(raw), "://") { // or it is of the form host=… password=…
			fault(name, address.CheckCredentials(string(raw), "/"))
		}
	}
	for server := range strings.SplitSeq(string(c.Queue.URL), ",") {
		if server = strings.TrimSpace(server); strings.Contains(server, "://") {
			fault("NATS_URL", address.CheckCredentials(server, "/?#"))
		}
	}
	for name, raw := range map[string]string{
		"TWITTER_API_URL": c.Provider.URL, "TWITTER_FALLBACK_API_URL": c.Provider.FallbackURL,
		"SUPABASE_URL": c.Web.SupabaseURL, "QSTASH_URL": c.QStash.URL, "GORGONE_WEB_PUBLIC_URL": c.Web.PublicURL,
	} {
		if raw != "" {
			fault(name, address.CheckPlain(raw))
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return faults
}

func validPrefix(s string) bool {
	for i, r := range s {
		if (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 20
}

// validateFallback reports all that is wrong with the second provider.
func (c Provider) validateFallback() (faults []error) {
	f, ok := c.Fallback()
	if !ok {
		if f.Key != "" || f.URL != "" || f.Rate != 0 || f.PerCall != 0 {
			faults = append(faults, errors.New("TWITTER_FALLBACK_PROVIDER is not set, and other variables of the fallback are"))
		}
		if c.Prefer == PreferCheaper {
			faults = append(faults, errors.New("TWITTER_PREFER is cheaper, and TWITTER_FALLBACK_PROVIDER is not set: there is one provider only"))
		}
		return faults
	}
	if !slices.Contains(twitter.Providers(), f.Name) {
		faults = append(faults, fmt.Errorf("TWITTER_FALLBACK_PROVIDER is not one of %s", strings.Join(twitter.Providers(), ", ")))
	}
	switch {
	case f.Key == "":
		faults = append(faults, errors.New("TWITTER_FALLBACK_PROVIDER is set, and TWITTER_FALLBACK_API_KEY is not"))
	case c.Key == "":
		faults = append(faults, errors.New("TWITTER_FALLBACK_PROVIDER is set, and TWITTER_API_KEY is not: there is nothing to fall back from"))
	case f.Name == c.Name && f.Key == c.Key:
		faults = append(faults, errors.New("the fallback has the provider and the key of the first: it would fail with it"))
	}
	if f.Rate != 0 && (f.Rate < 0.001 || f.Rate > 10000) {
		faults = append(faults, fmt.Errorf("TWITTER_FALLBACK_RATE is %g, want 0, or 0.001 to 10000", f.Rate))
	}
	if f.PerCall < 0 || f.PerCall > 100 {
		faults = append(faults, fmt.Errorf("TWITTER_FALLBACK_IDS_PER_CALL is %d, want 0 to 100", f.PerCall))
	}
	return faults
}

// checkListen says what is wrong with an address to listen on.
func checkListen(name, address string) []error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return []error{fmt.Errorf("%s is not a host and a port such as 127.0.0.1:8080", name)}
	}
	return nil
}
