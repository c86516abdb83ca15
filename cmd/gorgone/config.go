package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"gorgone/engagement"
)

type databaseConfig struct {
	URL        secret `envconfig:"DATABASE_URL" desc:"Postgres to use; empty: the private one of a running gorgone up"`
	MigrateURL secret `envconfig:"GORGONE_MIGRATE_URL" desc:"direct connection for migrations, where DATABASE_URL goes through a transaction pooler; empty: DATABASE_URL"`
	MaxConns   int    `envconfig:"GORGONE_DB_MAX_CONNS" default:"12" desc:"connections a process opens at most (1 to 500)"`
	Pooler     string `envconfig:"GORGONE_DB_POOLER" default:"auto" desc:"is there a transaction pooler in between: auto (yes on port 6543), yes, no"`
}

type queueConfig struct {
	URL      secret        `envconfig:"NATS_URL" desc:"NATS servers to use, comma separated; empty: the embedded one of a running gorgone up"`
	Creds    string        `envconfig:"NATS_CREDS" desc:"credentials file for NATS"`
	Prefix   string        `envconfig:"GORGONE_STREAM_PREFIX" default:"ENG" desc:"start of every stream, bucket and subject name (1 to 20 capital letters and digits)"`
	Replicas int           `envconfig:"GORGONE_STREAM_REPLICAS" default:"1" desc:"copies of each stream: 1, or 3 or 5 on a NATS cluster"`
	Memory   bool          `envconfig:"GORGONE_STREAM_MEMORY" default:"false" desc:"keep streams in memory; nothing is lost without them, Postgres holds the schedule"`
	Lease    time.Duration `envconfig:"GORGONE_LEASE" default:"0s" desc:"how long a claim lasts; 0: what the stream says (3m on a new one). To change it stop every role and run gorgone migrate"`
}

type providerConfig struct {
	Name    string        `envconfig:"TWITTER_PROVIDER" default:"twitterapi.io" desc:"who is asked: twitterapi.io or x (X API v2)"`
	Key     secret        `envconfig:"TWITTER_API_KEY" desc:"API key (twitterapi.io) or bearer token (x); empty: the provider double of a running gorgone up"`
	URL     string        `envconfig:"TWITTER_API_URL" desc:"base address of the provider; empty: the provider's own"`
	Rate    float64       `envconfig:"TWITTER_RATE" default:"0" desc:"calls a second that the key allows, over all replicas; 0: the provider's lowest plan (0.2 for twitterapi.io, 3.8 for x)"`
	PerCall int           `envconfig:"TWITTER_IDS_PER_CALL" default:"0" desc:"tweet ids a call (1 to 100); 0: the provider's own limit (50 for twitterapi.io, 100 for x)"`
	Timeout time.Duration `envconfig:"TWITTER_TIMEOUT" default:"8s" desc:"time a look-up call may take (1s to 60s)"`
	Reserve float64       `envconfig:"TWITTER_REFRESH_RESERVE" default:"0.1" desc:"share of the rate kept for refreshes (0 to 0.9)"`
	XFields string        `envconfig:"TWITTER_X_FIELDS_PARAM" default:"tweet.fields" desc:"name of X's parameter: tweet.fields or post.fields"`

	FallbackName    string  `envconfig:"TWITTER_FALLBACK_PROVIDER" desc:"who is asked while the circuit breaker of the first is open: twitterapi.io or x; empty: nobody"`
	FallbackKey     secret  `envconfig:"TWITTER_FALLBACK_API_KEY" desc:"API key or bearer token of the fallback"`
	FallbackURL     string  `envconfig:"TWITTER_FALLBACK_API_URL" desc:"base address of the fallback; empty: the provider's own"`
	FallbackRate    float64 `envconfig:"TWITTER_FALLBACK_RATE" default:"0" desc:"calls a second that the fallback's key allows, over all replicas; 0: its lowest plan"`
	FallbackPerCall int     `envconfig:"TWITTER_FALLBACK_IDS_PER_CALL" default:"0" desc:"tweet ids a call of the fallback (1 to 100); 0: its own limit"`

	BalanceEvery time.Duration `envconfig:"TWITTER_BALANCE_EVERY" default:"5m" desc:"how often one of all workers reads what is left of the account, a call that costs nothing (30s to 24h; 0: never)"`

	BreakerStreak  int           `envconfig:"TWITTER_BREAKER_STREAK" default:"8" desc:"faults in a row, of one worker, that open the circuit breaker (1 to 1000)"`
	BreakerShare   float64       `envconfig:"TWITTER_BREAKER_SHARE" default:"0.5" desc:"share of a worker's calls of a minute that opens it when they are faults, if there were 20 (0.05 to 1)"`
	BreakerRest    time.Duration `envconfig:"TWITTER_BREAKER_REST" default:"15s" desc:"time it stays open before the provider is checked (100ms to 1h); each further one is up to twice as long"`
	BreakerMaxRest time.Duration `envconfig:"TWITTER_BREAKER_REST_MAX" default:"1m" desc:"the longest such time (100ms to 24h)"`
}

// fallback is the configuration of the second provider; ok is false when there is
// none.
func (c providerConfig) fallback() (f providerConfig, ok bool) {
	f = c
	f.Name, f.Key, f.URL, f.Rate, f.PerCall = c.FallbackName, c.FallbackKey, c.FallbackURL, c.FallbackRate, c.FallbackPerCall
	return f, c.FallbackName != ""
}

type scheduleConfig struct {
	Tiers tierSteps `envconfig:"GORGONE_TIERS" default:"ultra_hot 1h 10m, hot 4h 30m, warm 12h 1h" desc:"the schedule: tier, the age at which it ends, and the time between two looks"`

	Kind        string        `envconfig:"SCHEDULE" default:"tiers" desc:"how looks are scheduled: tiers (by age), adaptive (by worth, within the budget) or smart_stop; a zone's settings may say otherwise"`
	LookPrice   float64       `envconfig:"GORGONE_LOOK_PRICE" default:"0" desc:"adaptive: what a look must be worth, in engagement-hours, until a budget or a target has moved it; 0: the default"`
	TargetDelay time.Duration `envconfig:"GORGONE_TARGET_DELAY" default:"0s" desc:"adaptive: the time after which an engagement is to be seen on average, instead of a budget (0s: none; 1m to 24h)"`
	GoneAfter   int           `envconfig:"GORGONE_GONE_AFTER" default:"3" desc:"misses in a row, at least 2 minutes apart and in answers that can be believed, after which a tweet counts as deleted (2 to 20)"`
	Forecast    bool          `envconfig:"GORGONE_FORECAST" default:"true" desc:"forecast the counts of every tweet for the next 1, 3 and 24 hours"`
}

type costConfig struct {
	Day        float64 `envconfig:"GORGONE_BUDGET_DAY" default:"0" desc:"dollars a UTC day that scheduled look-ups may cost; 0: no bound. From 80% on looks become fewer, at 100% they stop"`
	Month      float64 `envconfig:"GORGONE_BUDGET_MONTH" default:"0" desc:"dollars a month that scheduled look-ups may cost; 0: no bound"`
	RefreshDay float64 `envconfig:"GORGONE_REFRESH_BUDGET_DAY" default:"0" desc:"dollars a UTC day that refreshes may cost; 0: no bound"`
	TweetPrice float64 `envconfig:"TWITTER_TWEET_PRICE" default:"0" desc:"dollars that the provider charges for a tweet; 0: its list price (0.00015 at twitterapi.io, 0.005 at x)"`
}

type dispatcherConfig struct {
	Every time.Duration `envconfig:"GORGONE_DISPATCH_EVERY" default:"5s" desc:"time between two dispatches (1s to 10m)"`
	Batch int           `envconfig:"GORGONE_BATCH_TWEETS" default:"300" desc:"tweet ids in a batch message at most (1 to 500); less for a slow key: what it looks up in a second, or one call"`
}

type retentionConfig struct {
	Full   time.Duration `envconfig:"GORGONE_RETENTION" default:"720h" desc:"how long every point of the history is kept (24h at least; 720h is 30 days); 0s: for ever"`
	Hourly time.Duration `envconfig:"GORGONE_RETENTION_HOURLY" default:"0s" desc:"for how long after that a tweet's last point of each hour is kept"`
	Daily  time.Duration `envconfig:"GORGONE_RETENTION_DAILY" default:"0s" desc:"for how long after that a tweet's last point of each day is kept"`
}

type alertConfig struct {
	Timeout time.Duration `envconfig:"GORGONE_WEBHOOK_TIMEOUT" default:"10s" desc:"time a webhook may take to answer (1s to 60s)"`
	Private bool          `envconfig:"GORGONE_WEBHOOK_PRIVATE" default:"false" desc:"webhooks may be in private networks (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7)"`
}

type workerConfig struct {
	BatchSlots   int           `envconfig:"GORGONE_BATCH_SLOTS" default:"16" desc:"batches a worker handles at once (1 to 256)"`
	RefreshSlots int           `envconfig:"GORGONE_REFRESH_SLOTS" default:"2" desc:"groups of refreshes a worker handles at once, in slots of their own (1 to 64)"`
	Writes       int           `envconfig:"GORGONE_WRITES" default:"3" desc:"batches of a worker that use the database at once (1 to 64): about twice the database's cores, shared by all workers"`
	Grace        time.Duration `envconfig:"GORGONE_GRACE" default:"5s" desc:"time that work in flight gets at a stop (0s to 5m)"`
}

type webConfig struct {
	Listen     string        `envconfig:"GORGONE_WEB_LISTEN" default:"127.0.0.1:8080" desc:"address to serve HTTP on; when it is taken, gorgone up takes another port, and gorgone web does not start"`
	PublicURL  string        `envconfig:"GORGONE_WEB_PUBLIC_URL" desc:"https address under which others reach this server, as QStash signs it"`
	Tokens     secret        `envconfig:"GORGONE_WEB_TOKENS" desc:"services that may call, comma separated, as gorgone token new prints them: name:scope+scope:sha256"`
	WebhookKey secret        `envconfig:"GORGONE_WEB_WEBHOOK_KEY" desc:"what the provider sends in X-API-Key with pushed tweets; 16 characters at least; empty: TWITTER_API_KEY, if that is twitterapi.io's and as long"`
	Origins    string        `envconfig:"GORGONE_WEB_ORIGINS" desc:"sites whose pages may call from a browser, comma separated: https://app.example.com"`
	Proxies    string        `envconfig:"GORGONE_WEB_TRUSTED_PROXIES" desc:"networks of the proxies in front, comma separated; only theirs is an X-Forwarded-For believed"`
	Cooldown   time.Duration `envconfig:"GORGONE_WEB_REFRESH_COOLDOWN" default:"2s" desc:"least time between two refreshes of a user (0s to 1h)"`
	Allowance  int           `envconfig:"GORGONE_WEB_REFRESH_ALLOWANCE" default:"120" desc:"refreshes of a user in an hour (1 to 100000)"`
	Force      bool          `envconfig:"GORGONE_WEB_REFRESH_FORCE" default:"false" desc:"users may ask for a refresh of what was seen less than 15 s ago, as services may"`
	Refreshers string        `envconfig:"GORGONE_WEB_REFRESH_ROLES" default:"super_admin,admin,operator,manager" desc:"roles whose users may have a tweet refreshed, comma separated"`

	SupabaseURL    string `envconfig:"SUPABASE_URL" desc:"address of the Supabase project whose users may call: https://<ref>.supabase.co; empty: no users"`
	SupabaseKey    string `envconfig:"SUPABASE_ANON_KEY" desc:"the project's publishable (anon) key, which is no secret: with it people log in to the dashboard by e-mail and password"`
	SupabaseSecret secret `envconfig:"SUPABASE_JWT_SECRET" desc:"the project's shared secret, as long as it still signs sessions with that (HS256)"`

	QStashCurrent secret `envconfig:"QSTASH_CURRENT_SIGNING_KEY" desc:"key that QStash signs with; empty: QStash may not call"`
	QStashNext    secret `envconfig:"QSTASH_NEXT_SIGNING_KEY" desc:"key that QStash signs with after the next roll"`
	QStashMore    secret `envconfig:"QSTASH_MORE_SIGNING_KEYS" desc:"keys of further regions: current:next, comma separated"`
	QStashLocal   bool   `envconfig:"QSTASH_DEVELOPMENT" default:"false" desc:"accept the published keys of QStash's development server; never in production"`
}

type qstashConfig struct {
	Token secret `envconfig:"QSTASH_TOKEN" desc:"token of QStash's API, for gorgone qstash only"`
	URL   string `envconfig:"QSTASH_URL" default:"https://qstash.upstash.io" desc:"QStash's API; schedules are kept by region (https://qstash-us-east-1.upstash.io in the USA)"`
}

type monitorConfig struct {
	Listen string `envconfig:"GORGONE_METRICS_ADDR" desc:"address on which a role tells whether it is alive (/healthz) and ready (/readyz), and its metrics (/metrics), such as 127.0.0.1:9464; not for the public; empty: nowhere"`
}

type logConfig struct {
	Level string `envconfig:"GORGONE_LOG_LEVEL" default:"info" desc:"debug, info, warn or error"`
	Burst int    `envconfig:"GORGONE_LOG_BURST" default:"0" desc:"lines of debug and of info a second that are all written; of more only one in a hundred; 0: all are (0 to 100000). Warnings and errors always are"`
}

// config is everything that can be set from outside, one struct a concern.
type config struct {
	Database   databaseConfig
	Queue      queueConfig
	Provider   providerConfig
	Schedule   scheduleConfig
	Cost       costConfig
	Dispatcher dispatcherConfig
	Retention  retentionConfig
	Alert      alertConfig
	Worker     workerConfig
	Web        webConfig
	QStash     qstashConfig
	Monitor    monitorConfig
	Log        logConfig
}

// loadConfig reads the environment. The error lists every fault at once and
// never shows a value, which may be a secret in the wrong place.
func loadConfig() (config, error) {
	var c config
	var faults []error
	for _, section := range c.sections() {
		faults = append(faults, loadSection(section)...)
	}
	faults = append(faults, c.validate()...)
	if err := errors.Join(faults...); err != nil {
		return config{}, &exitError{exitUsage, fmt.Errorf("the configuration has faults (see docs/configuration.md):\n%w", err)}
	}
	return c, nil
}

func (c *config) sections() []any {
	return []any{&c.Database, &c.Queue, &c.Provider, &c.Schedule, &c.Cost, &c.Dispatcher, &c.Retention, &c.Alert, &c.Worker, &c.Web, &c.QStash, &c.Monitor, &c.Log}
}

// loadSection fills one struct field by field, because envconfig stops at the
// first fault.
func loadSection(section any) (faults []error) {
	v := reflect.ValueOf(section).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("envconfig") == "" {
			continue
		}
		if f.Type == reflect.TypeFor[secret]() {
			value, err := readSecret(f.Tag.Get("envconfig"), os.LookupEnv)
			if err != nil {
				faults = append(faults, err)
			}
			v.Field(i).SetString(value)
			continue
		}
		single := reflect.New(reflect.StructOf([]reflect.StructField{f}))
		if err := envconfig.Process("", single.Interface()); err != nil {
			if parse, ok := errors.AsType[*envconfig.ParseError](err); ok {
				// Its message holds the raw value.
				err = fmt.Errorf("%s is not %s: %s", parse.KeyName, kindName(f.Type), f.Tag.Get("desc"))
			}
			faults = append(faults, err)
			continue
		}
		v.Field(i).Set(single.Elem().Field(0))
	}
	return faults
}

func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 5s, 10m or 1h"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Float64:
		return "a number"
	default:
		return "valid"
	}
}

// unknownVariables returns the names of variables that carry our prefix and mean
// nothing: most likely they are misspelt. They do not stop a start, so that an
// older version can be put back without taking away the newer one's settings. The
// variables of the tests, GORGONE_TEST_…, are none of ours.
func unknownVariables(environ []string) (names []string) {
	known := make(map[string]bool)
	for _, v := range variables() {
		known[v.Name] = true
		if v.Secret {
			known[v.Name+fileSuffix] = true
		}
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "GORGONE_") && !strings.HasPrefix(name, "GORGONE_TEST_") && !known[name] {
			names = append(names, name)
		}
	}
	return names
}

func (c *config) validate() (faults []error) {
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
	between("GORGONE_DB_MAX_CONNS", c.Database.MaxConns, 1, 500)
	oneOf("GORGONE_DB_POOLER", c.Database.Pooler, "auto", "yes", "no")
	check(c.Database.MigrateURL == "" || c.Database.URL != "", "GORGONE_MIGRATE_URL is set and DATABASE_URL is not: they name the same database")
	if err := engagement.GoneAfter(c.Schedule.GoneAfter).Validate(); err != nil {
		faults = append(faults, fmt.Errorf("GORGONE_GONE_AFTER: %w", err))
	}
	if _, err := engagement.NewTierPolicy(c.Schedule.Tiers); err != nil {
		faults = append(faults, fmt.Errorf("GORGONE_TIERS: %w", err))
	}
	oneOf("SCHEDULE", c.Schedule.Kind, "tiers", "adaptive", "smart_stop")
	check(c.Schedule.LookPrice >= 0 && c.Schedule.LookPrice <= 1e9, "GORGONE_LOOK_PRICE is %g, want 0 to 1e9", c.Schedule.LookPrice)
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
	oneOf("TWITTER_PROVIDER", c.Provider.Name, providerTwitterAPI, providerX)
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
	faults = append(faults, c.Web.validate(c.Provider.webhookKey(c.Web), string(c.Provider.Key))...)
	if c.Monitor.Listen != "" {
		faults = append(faults, checkListen("GORGONE_METRICS_ADDR", c.Monitor.Listen)...)
	}
	between("GORGONE_LOG_BURST", c.Log.Burst, 0, 100_000)
	oneOf("GORGONE_LOG_LEVEL", c.Log.Level, "debug", "info", "warn", "error")
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

// variable is one line of the table in docs/configuration.md.
type variable struct {
	Name, Default, Description string
	Secret                     bool // may be given as a file
}

// variables lists every variable, in the order of the sections.
func variables() []variable {
	var all []variable
	for _, section := range new(config).sections() {
		for f := range reflect.TypeOf(section).Elem().Fields() {
			if name := f.Tag.Get("envconfig"); name != "" {
				all = append(all, variable{name, f.Tag.Get("default"), f.Tag.Get("desc"), f.Type == reflect.TypeFor[secret]()})
			}
		}
	}
	return all
}

// tierSteps is the schedule as it is written in GORGONE_TIERS.
type tierSteps []engagement.Step

// Decode implements envconfig.Decoder.
func (s *tierSteps) Decode(value string) error {
	var steps tierSteps
	for part := range strings.SplitSeq(value, ",") {
		words := strings.Fields(part)
		if len(words) != 3 {
			return errors.New(`want "tier until every" for each tier`)
		}
		until, err := time.ParseDuration(words[1])
		if err != nil {
			return err
		}
		every, err := time.ParseDuration(words[2])
		if err != nil {
			return err
		}
		steps = append(steps, engagement.Step{Tier: engagement.Tier(words[0]), Until: until, Every: every})
	}
	*s = steps
	return nil
}
