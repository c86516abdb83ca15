package devstack

import (
	"context"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"gorgone/engagement"
	"gorgone/internal/config"
	"gorgone/internal/devstack/runfile"
	"gorgone/internal/failure"
	"gorgone/store/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cascadesVariable names a file of real retweet cascades. With it the life of a
// demonstration is tested on them too.
const cascadesVariable = "GORGONE_TEST_CASCADES"

// dataDir is a folder that the user running Postgres can enter.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gorgone-devstack-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run starts a stack and runs it until the test ends. What is to be done before it works
// is done then.
func run(t *testing.T, o Options, before ...func(*Stack)) *Stack {
	t.Helper()
	s, err := Start(t.Context(), load(t), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range before {
		f(s)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the stack ended: %v", err)
		}
		s.Close()
		s.Close() // closes nothing twice
	})
	return s
}

func load(t *testing.T) config.Config {
	t.Helper()
	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Web.Listen = "127.0.0.1:0"
	return cfg
}

// until waits until the statistics satisfy f.
func until(t *testing.T, s *Stack, what string, f func(report.Stats) bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(90 * time.Second)
	defer deadline.Stop()
	for {
		stats, err := s.App().Database().Report.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f(stats) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not reached: %+v", what, stats)
		}
	}
}

// TestLifeOfADemonstration runs all tweets of a demonstration from their first
// look to the last, and checks the history that it leaves.
func TestLifeOfADemonstration(t *testing.T) {
	t.Parallel()
	lives := map[string]Demo{"synthetic": {Tweets: 60}}
	if file := os.Getenv(cascadesVariable); file != "" {
		lives["real cascades"] = Demo{Tweets: 120, Replay: file}
	}
	for name, demo := range lives {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			demo.Seed, demo.Spread, demo.Lead = 1, 2*time.Hour, time.Hour // it works before the first is there
			s := run(t, Options{DataDir: dataDir(t), Demo: demo, Speed: 2400, Log: zerolog.Nop()}, noteTiers(t))
			until(t, s, "all tweets are cold", func(s report.Stats) bool {
				return s.Total() >= 60 && s.Tier[engagement.Cold] == s.Total() && s.DueUnclaimed+s.DueClaimed == 0 && s.NextDue.IsZero()
			})
			if seen, all := tiersSeen(t, s), engagement.Tiers(); len(seen) != len(all) {
				t.Errorf("of the tiers %v, tweets were in %v only", all, seen)
			}
			checkHistory(t, s)
		})
	}
}

// noteTiers has the database note each tier that a tweet comes into: four minutes of a
// demonstration go by between two looks at its statistics.
func noteTiers(t *testing.T) func(*Stack) {
	return func(s *Stack) {
		conn := connect(t, s)
		for _, sql := range []string{
			`create table public.seen (tier text)`,
			`create function public.note_tier() returns trigger language plpgsql as $$
				begin insert into public.seen select new.tier where not exists (select from public.seen where tier = new.tier); return null; end $$`,
			`create trigger note_tier after insert or update on twitter_engagement_tracking for each row execute function public.note_tier()`,
		} {
			if _, err := conn.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func tiersSeen(t *testing.T, s *Stack) (tiers []string) {
	t.Helper()
	if err := connect(t, s).QueryRow(t.Context(), `select array_agg(distinct tier) from public.seen`).Scan(&tiers); err != nil {
		t.Fatal(err)
	}
	return tiers
}

func connect(t *testing.T, s *Stack) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), string(s.cfg.Database.URL))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// checkHistory checks what the product relies on: every tweet was observed, no
// observation was written twice, and the deltas of each count add up.
func checkHistory(t *testing.T, s *Stack) {
	t.Helper()
	conn := connect(t, s)
	for what, query := range map[string]string{
		"tweets never observed": `select count(*) from twitter_engagement_tracking where update_count = 0`,
		"tweets left claimed":   `select count(*) from twitter_engagement_tracking where claim_id is not null`,
		"tweets that failed":    `select count(*) from twitter_engagement_tracking where attempts > 0 or misses > 0`,
		"observations written twice": `select count(*) from (
			select 1 from twitter_engagement_history group by tweet_id, snapshot_at having count(*) > 1) twice`,
		"snapshots closer than a minute": `select count(*) from (
			select snapshot_at - lag(snapshot_at) over (partition by tweet_id order by snapshot_at) as gap
			from twitter_engagement_history) h where gap < interval '1 minute'`,
		"tweets whose deltas do not add up": `select count(*) from (
			select tweet_id,
				sum(delta_retweets) - (max(retweet_count) filter (where n = last) - max(retweet_count) filter (where n = 1)) as retweets,
				sum(delta_replies) - (max(reply_count) filter (where n = last) - max(reply_count) filter (where n = 1)) as replies,
				sum(delta_likes) - (max(like_count) filter (where n = last) - max(like_count) filter (where n = 1)) as likes,
				sum(delta_quotes) - (max(quote_count) filter (where n = last) - max(quote_count) filter (where n = 1)) as quotes,
				sum(delta_views) - (max(view_count) filter (where n = last) - max(view_count) filter (where n = 1)) as views
			from (select *, row_number() over (partition by tweet_id order by snapshot_at) as n,
				count(*) over (partition by tweet_id) as last from twitter_engagement_history) h
			group by tweet_id) sums
			where (retweets, replies, likes, quotes, views) is distinct from (0, 0, 0, 0, 0)`,
		"tweets whose counts are not those of their last snapshot": `select count(*) from twitter_tweets t
			join lateral (select * from twitter_engagement_history h where h.tweet_id = t.id order by snapshot_at desc limit 1) h on true
			where (t.like_count, t.view_count) is distinct from (h.like_count, h.view_count)`,
	} {
		var n int
		if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
}

// TestOneStackAFolder: a folder that is taken is refused, and found while it runs.
func TestOneStackAFolder(t *testing.T) {
	t.Parallel()
	o := Options{DataDir: dataDir(t), Demo: Demo{Tweets: 5, Seed: 1, Spread: time.Hour}, Speed: 1, Log: zerolog.Nop()}
	s := run(t, o)
	until(t, s, "a tweet is tracked", func(s report.Stats) bool { return s.Total() > 0 })
	if _, err := Start(t.Context(), load(t), o); failure.KindOf(err) != failure.Usage {
		t.Errorf("a second stack: %v", err)
	}
	f, err := runfile.Read(o.DataDir)
	if err != nil || f.WebURL != s.App().WebURL() || f.ProviderKey != config.DemoKey {
		t.Errorf("found %s, %v", f.WebURL, err)
	}
	cfg := load(t)
	if made, err := runfile.Locate(&cfg, o.DataDir); err != nil || made || cfg.Database.URL != s.cfg.Database.URL || cfg.Provider.URL != s.cfg.Provider.URL {
		t.Errorf("located %+v, %t, %v", cfg.Database, made, err)
	}
	// What the stack decides is as it has it, whatever is set elsewhere.
	cfg = load(t)
	cfg.Cost.Day, cfg.Retention.Full, cfg.Schedule.Tiers, cfg.Queue.Prefix, cfg.Provider.Name = 7, 48*time.Hour, nil, "OTHER", "x"
	if _, err := runfile.Locate(&cfg, o.DataDir); err != nil || !reflect.DeepEqual(runfile.SettingsOf(cfg), runfile.SettingsOf(s.cfg)) {
		t.Errorf("located %+v, %v, want %+v", runfile.SettingsOf(cfg), err, runfile.SettingsOf(s.cfg))
	}
	cfg = load(t)
	cfg.Provider.Key = "a-real-key"
	if made, err := runfile.Locate(&cfg, o.DataDir); err != nil || !made {
		t.Errorf("a real provider beside a demonstration: %t, %v", made, err)
	}
	if code, err := s.App().LoginCode(); err != nil || code == "" {
		t.Errorf("no login on this machine: %v", err)
	}
}
