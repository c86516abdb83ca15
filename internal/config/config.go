// Package config reads the environment: every setting with its default, its meaning
// and its range. It is the only package that does.
package config

import (
	"errors"
	"strings"
	"time"

	"gorgone/engagement"
)

// DemoKey is the API key of the fake provider that a demonstration runs. It opens
// nothing else.
const DemoKey = "the-key-of-the-provider-double"

// Config is everything that can be set from outside, one struct a concern.
type Config struct {
	Database   Database
	Queue      Queue
	Provider   Provider
	KeySecrets KeySecrets
	Schedule   Schedule
	Cost       Cost
	Dispatcher Dispatcher
	Retention  Retention
	Alert      Alert
	Worker     Worker
	Web        Web
	QStash     QStash
	Monitor    Monitor
	Log        Log
}

// Database is how Postgres is reached.
type Database struct {
	URL        Secret `envconfig:"DATABASE_URL" desc:"Postgres to use; empty: the private one of a running gorgone up"`
	MigrateURL Secret `envconfig:"GORGONE_MIGRATE_URL" file:"may be empty" desc:"direct connection for migrations of a large database, where DATABASE_URL goes through a pooler; empty: DATABASE_URL"`
	MaxConns   int    `envconfig:"GORGONE_DB_MAX_CONNS" default:"12" desc:"maximum number of connections of a process (1 to 500); where it is not set, 4 at Supabase's session pooler, which takes 15 clients"`
	Chosen     bool   // GORGONE_DB_MAX_CONNS is set
	Pooler     string `envconfig:"GORGONE_DB_POOLER" default:"auto" desc:"whether a pooler is in between: auto (found by its behaviour), yes, or no (also: it pools sessions)"`
}

// Queue is how NATS is reached, and how its streams are made.
type Queue struct {
	URL      Secret        `envconfig:"NATS_URL" desc:"NATS servers to use, comma separated; empty: the embedded one of a running gorgone up"`
	Creds    string        `envconfig:"NATS_CREDS" desc:"credentials file for NATS"`
	Prefix   string        `envconfig:"GORGONE_STREAM_PREFIX" default:"ENG" desc:"prefix of every stream, bucket and subject name (1 to 20 capital letters and digits)"`
	Replicas int           `envconfig:"GORGONE_STREAM_REPLICAS" default:"1" desc:"copies of each stream: 1, or 3 or 5 on a NATS cluster"`
	Memory   bool          `envconfig:"GORGONE_STREAM_MEMORY" default:"false" desc:"keep streams in memory; nothing is lost when they are, since Postgres holds the schedule"`
	Lease    time.Duration `envconfig:"GORGONE_LEASE" default:"0s" desc:"how long a claim lasts; 0: the setting of the stream (3m on a new one). To change it, stop every role and run gorgone migrate"`
}

// Provider is the look-up provider, its fallback, and when calls to it stop.
type Provider struct {
	Name    string        `envconfig:"TWITTER_PROVIDER" default:"twitterapi.io" desc:"look-up provider: twitterapi.io, x (X API v2) or socialdata"`
	Key     Secret        `envconfig:"TWITTER_API_KEY" desc:"API key (twitterapi.io, socialdata) or bearer token (x); empty: the fake provider of a running gorgone up"`
	URL     string        `envconfig:"TWITTER_API_URL" desc:"base address of the provider; empty: the provider's own"`
	Rate    float64       `envconfig:"TWITTER_RATE" default:"0" desc:"calls a second that the key allows, over all replicas; 0: the provider's lowest plan (0.2 for twitterapi.io, 3.8 for x, 2 for socialdata)"`
	PerCall int           `envconfig:"TWITTER_IDS_PER_CALL" default:"0" desc:"tweet ids per call (1 to 100); 0: the provider's own limit (50 for twitterapi.io, 100 for the others)"`
	Timeout time.Duration `envconfig:"TWITTER_TIMEOUT" default:"8s" desc:"time a look-up call may take (1s to 60s)"`
	Reserve float64       `envconfig:"TWITTER_REFRESH_RESERVE" default:"0.1" desc:"share of the rate kept for refreshes (0 to 0.9)"`
	XFields string        `envconfig:"TWITTER_X_FIELDS_PARAM" default:"tweet.fields" desc:"name of X's parameter: tweet.fields or post.fields"`

	FallbackName    string  `envconfig:"TWITTER_FALLBACK_PROVIDER" desc:"provider to call while the circuit breaker of the first is open: twitterapi.io, x or socialdata; empty: none"`
	FallbackKey     Secret  `envconfig:"TWITTER_FALLBACK_API_KEY" file:"may be empty" desc:"API key or bearer token of the fallback"`
	FallbackURL     string  `envconfig:"TWITTER_FALLBACK_API_URL" desc:"base address of the fallback; empty: the provider's own"`
	FallbackRate    float64 `envconfig:"TWITTER_FALLBACK_RATE" default:"0" desc:"calls a second that the fallback's key allows, over all replicas; 0: its lowest plan"`
	FallbackPerCall int     `envconfig:"TWITTER_FALLBACK_IDS_PER_CALL" default:"0" desc:"tweet ids per call of the fallback (1 to 100); 0: its own limit"`

	Prefer string `envconfig:"TWITTER_PREFER" default:"order" desc:"which of two providers is asked: order (the first, and the fallback while the circuit breaker of the first is open) or cheaper (the one that charges less for the look-up)"`

	BalanceEvery time.Duration `envconfig:"TWITTER_BALANCE_EVERY" default:"5m" desc:"how often one worker reads the account balance, which is free (30s to 24h; 0: never)"`

	BreakerStreak  int           `envconfig:"TWITTER_BREAKER_STREAK" default:"8" desc:"consecutive faults seen by one worker that open the circuit breaker (1 to 1000)"`
	BreakerShare   float64       `envconfig:"TWITTER_BREAKER_SHARE" default:"0.5" desc:"share of faults among a worker's calls within a minute, at least 20, that opens it (0.05 to 1)"`
	BreakerRest    time.Duration `envconfig:"TWITTER_BREAKER_REST" default:"15s" desc:"time it stays open before the provider is checked (100ms to 1h); doubled each time it opens again"`
	BreakerMaxRest time.Duration `envconfig:"TWITTER_BREAKER_REST_MAX" default:"1m" desc:"maximum of that time (100ms to 24h)"`
}

// The values of [Provider.Prefer].
const (
	PreferOrder   = "order"
	PreferCheaper = "cheaper"
)

// Fallback returns the configuration of the second provider; ok is false when there
// is none.
func (c Provider) Fallback() (f Provider, ok bool) {
	f = c
	f.Name, f.Key, f.URL, f.Rate, f.PerCall = c.FallbackName, c.FallbackKey, c.FallbackURL, c.FallbackRate, c.FallbackPerCall
	return f, c.FallbackName != ""
}

// KeySecrets is what the keys that clients bring of their own are sealed by.
type KeySecrets struct {
	Sealing Secret `envconfig:"GORGONE_KEY_SECRETS" file:"may be empty" desc:"what seals the keys that clients bring of their own: 32 bytes in base64; a comma separated list while it is replaced, the new one first. Workers and web servers need it"`
}

// Schedule is when tweets are looked up.
type Schedule struct {
	Tiers TierSteps `envconfig:"GORGONE_TIERS" default:"ultra_hot 1h 10m, hot 4h 30m, warm 12h 1h" desc:"the schedule: tier, age at which it ends, interval between two look-ups"`

	Kind        string        `envconfig:"SCHEDULE" desc:"how look-ups are scheduled: tiers (by age) or adaptive (by worth, within the budget); a zone's settings may say otherwise. Unset: adaptive where a budget or a target delay sets its price, in installations that are newer than this default, and else tiers"`
	LookPrice   float64       `envconfig:"GORGONE_LOOK_PRICE" default:"0" desc:"adaptive: initial price of a look-up, in engagement-hours, which a budget or a target then moves; 0: the default"`
	TargetDelay time.Duration `envconfig:"GORGONE_TARGET_DELAY" default:"0s" desc:"adaptive: target mean delay until an engagement is seen, instead of a budget (0s: none; 1m to 24h)"`
	GoneAfter   int           `envconfig:"GORGONE_GONE_AFTER" default:"3" desc:"least number of consecutive misses, in credible answers, after which a tweet counts as deleted (2 to 20)"`
	GoneSpan    time.Duration `envconfig:"GORGONE_GONE_SPAN" default:"24h" desc:"least time that these misses span; twice that for a tweet that was never seen, and seven times that while too many are missing at once (5m to 720h)"`
	Forecast    bool          `envconfig:"GORGONE_FORECAST" default:"true" desc:"forecast the counts of every tweet for the next 1, 3 and 24 hours"`
	Write       float64       `envconfig:"GORGONE_FORECAST_WRITE" default:"0" desc:"store forecasts in twitter_tweets.predictions too, when the total expected in 24 hours has moved by more than this share (0.01 to 10); 0: never"`
}

// Cost is what look-ups cost and may cost, in dollars.
type Cost struct {
	Day        float64 `envconfig:"GORGONE_BUDGET_DAY" default:"0" desc:"budget for scheduled look-ups in dollars per UTC day; 0: no limit. From 80% on look-ups become fewer, at 100% they stop"`
	Month      float64 `envconfig:"GORGONE_BUDGET_MONTH" default:"0" desc:"budget for scheduled look-ups in dollars per month; 0: no limit"`
	RefreshDay float64 `envconfig:"GORGONE_REFRESH_BUDGET_DAY" default:"0" desc:"budget for refreshes in dollars per UTC day; 0: no limit"`
	TweetPrice float64 `envconfig:"TWITTER_TWEET_PRICE" default:"0" desc:"price of a tweet in dollars; 0: the list price of the provider (0.00015 at twitterapi.io, 0.005 at x, 0.0002 at socialdata)"`
}

// Dispatcher is how often and how much is dispatched.
type Dispatcher struct {
	Every         time.Duration `envconfig:"GORGONE_DISPATCH_EVERY" default:"5s" desc:"time between two dispatches (1s to 10m)"`
	Batch         int           `envconfig:"GORGONE_BATCH_TWEETS" default:"300" desc:"maximum number of tweet ids in a batch (1 to 500); fewer with a slow key: what it looks up in a second, or one call"`
	TrackInserted bool          `envconfig:"GORGONE_TRACK_INSERTED" default:"false" desc:"track tweets that the product inserts into twitter_tweets: those of active zones, while they are young enough to be looked up more than once"`
}

// Retention is how long the history is kept.
type Retention struct {
	// Chosen says that GORGONE_RETENTION is set. Its default removes nothing that was there
	// before the engine.
	Chosen bool

	Full   time.Duration `envconfig:"GORGONE_RETENTION" default:"720h" desc:"how long every snapshot is kept (24h at least; 720h is 30 days); 0s: forever; where it is not set, nothing is removed before gorgone retention --confirm"`
	Hourly time.Duration `envconfig:"GORGONE_RETENTION_HOURLY" default:"0s" desc:"how long after that the last snapshot of each hour is kept"`
	Daily  time.Duration `envconfig:"GORGONE_RETENTION_DAILY" default:"0s" desc:"how long after that the last snapshot of each day is kept"`
}

// Alert is how webhooks are called.
type Alert struct {
	Timeout time.Duration `envconfig:"GORGONE_WEBHOOK_TIMEOUT" default:"10s" desc:"time a webhook may take to answer (1s to 60s)"`
	Private bool          `envconfig:"GORGONE_WEBHOOK_PRIVATE" default:"false" desc:"allow webhooks in private networks (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7)"`
}

// Worker is how much a worker does at once.
type Worker struct {
	BatchSlots   int           `envconfig:"GORGONE_BATCH_SLOTS" default:"16" desc:"batches a worker handles at once (1 to 256), and up to four times as many while the provider is slow"`
	RefreshSlots int           `envconfig:"GORGONE_REFRESH_SLOTS" default:"8" desc:"groups of refreshes a worker handles at once, beside its batches (1 to 64)"`
	Writes       int           `envconfig:"GORGONE_WRITES" default:"3" desc:"batches of a worker that use the database at once (1 to 64); over all workers about twice the cores of the database"`
	Grace        time.Duration `envconfig:"GORGONE_GRACE" default:"5s" desc:"time to finish work in flight at a stop (0s to 5m)"`
}

// Web is the HTTP server and who may call it.
type Web struct {
	Listen     string        `envconfig:"GORGONE_WEB_LISTEN" default:"127.0.0.1:8080" desc:"address to serve HTTP on; when it is taken, gorgone up takes another port, and gorgone web does not start"`
	PublicURL  string        `envconfig:"GORGONE_WEB_PUBLIC_URL" desc:"public https address of this server, which QStash signs"`
	Tokens     Secret        `envconfig:"GORGONE_WEB_TOKENS" file:"may be empty" desc:"services that may call, comma separated, in the form that gorgone token new prints: name:scope+scope:sha256"`
	WebhookKey Secret        `envconfig:"GORGONE_WEB_WEBHOOK_KEY" file:"may be empty" desc:"key that the provider sends in X-API-Key with pushed tweets; 16 characters at least; empty: TWITTER_API_KEY, if that is twitterapi.io's and as long"`
	Origins    string        `envconfig:"GORGONE_WEB_ORIGINS" desc:"origins whose pages may call from a browser, comma separated: https://app.example.com"`
	Proxies    string        `envconfig:"GORGONE_WEB_TRUSTED_PROXIES" desc:"networks of trusted proxies, comma separated; X-Forwarded-For is read from these only"`
	Cooldown   time.Duration `envconfig:"GORGONE_WEB_REFRESH_COOLDOWN" default:"2s" desc:"minimum time between two refreshes of a user (0s to 1h)"`
	Allowance  int           `envconfig:"GORGONE_WEB_REFRESH_ALLOWANCE" default:"120" desc:"maximum number of refreshes of a user per hour (1 to 100000)"`
	Force      bool          `envconfig:"GORGONE_WEB_REFRESH_FORCE" default:"false" desc:"allow users, like services, to refresh a tweet that was seen less than 15 s ago"`
	Readers    string        `envconfig:"GORGONE_WEB_READ_ROLES" default:"super_admin,admin,operator,manager" desc:"roles whose users may sign in and read the zones they have access to, comma separated; others may do nothing"`
	Refreshers string        `envconfig:"GORGONE_WEB_REFRESH_ROLES" default:"super_admin,admin,operator,manager" desc:"roles whose users may refresh tweets, of those that may read, comma separated"`

	SupabaseURL    string `envconfig:"SUPABASE_URL" desc:"address of the Supabase project whose users may call: https://<ref>.supabase.co; empty: no users"`
	SupabaseIssuer string `envconfig:"SUPABASE_ISSUER" desc:"issuer of the users' tokens (iss), where it is not SUPABASE_URL/auth/v1: with a custom domain, or self-hosted"`
	SupabaseKey    string `envconfig:"SUPABASE_ANON_KEY" desc:"the project's publishable (anon) key, not a secret, for logging in to the dashboard by e-mail and password"`
	SupabaseSecret Secret `envconfig:"SUPABASE_JWT_SECRET" file:"may be empty" desc:"the project's shared secret, if it still signs sessions with one (HS256)"`

	QStashCurrent Secret `envconfig:"QSTASH_CURRENT_SIGNING_KEY" file:"may be empty" desc:"key that QStash signs with; empty: QStash may not call"`
	QStashNext    Secret `envconfig:"QSTASH_NEXT_SIGNING_KEY" file:"may be empty" desc:"key that QStash signs with after the next roll"`
	QStashMore    Secret `envconfig:"QSTASH_MORE_SIGNING_KEYS" file:"may be empty" desc:"keys of further regions: current:next, comma separated"`
	QStashLocal   bool   `envconfig:"QSTASH_DEVELOPMENT" default:"false" desc:"accept the published keys of QStash's development server; never in production"`
}

// QStash is the API of Upstash QStash, which only gorgone qstash uses.
type QStash struct {
	Token Secret `envconfig:"QSTASH_TOKEN" file:"may be empty" desc:"token of QStash's API, for gorgone qstash only"`
	URL   string `envconfig:"QSTASH_URL" default:"https://qstash.upstash.io" desc:"QStash's API; schedules are kept by region (https://qstash-us-east-1.upstash.io in the USA)"`
}

// Monitor is where health and metrics are served.
type Monitor struct {
	Listen string `envconfig:"GORGONE_METRICS_ADDR" desc:"address to serve /healthz, /readyz and /metrics on, such as 127.0.0.1:9464; not for the public; empty: none"`
}

// Log is what is logged.
type Log struct {
	Level string `envconfig:"GORGONE_LOG_LEVEL" default:"info" desc:"debug, info, warn or error"`
	Burst int    `envconfig:"GORGONE_LOG_BURST" default:"0" desc:"debug and info lines per second (each) that are all written; beyond that one in a hundred is; 0: no limit (0 to 100000). Warnings and errors are always written"`
}

// TierSteps is the schedule in the form of GORGONE_TIERS: "ultra_hot 1h 10m, hot 4h 30m".
type TierSteps []engagement.Step

// Decode implements envconfig.Decoder.
func (s *TierSteps) Decode(value string) error {
	var steps TierSteps
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
