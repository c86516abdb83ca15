package app_test

import (
	"testing"
	"time"

	"gorgone/internal/config"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/postgres"
)

// TestTheDefaultSchedule: a budget makes it the adaptive one in a new installation, and in
// one from before nothing does but SCHEDULE.
func TestTheDefaultSchedule(t *testing.T) {
	t.Parallel()
	cfg, g, _ := configure(t, 1)
	with := func(change func(*config.Config)) config.Config {
		c := cfg
		change(&c)
		return c
	}
	day := with(func(c *config.Config) { c.Cost.Day = 5 })
	month := with(func(c *config.Config) { c.Cost.Month = 50 })
	target := with(func(c *config.Config) { c.Schedule.TargetDelay = time.Hour })
	tiers := with(func(c *config.Config) { c.Schedule.Kind, c.Cost.Day = "tiers", 5 })
	adaptive := with(func(c *config.Config) { c.Schedule.Kind = "adaptive" })
	check := func(what string, c config.Config, want store.Schedule) {
		t.Helper()
		d, err := process().OpenDatabase(t.Context(), c)
		testkit.Must(t, err)
		defer d.Close()
		if d.Schedule != want {
			t.Errorf("%s: %s, want %s", what, d.Schedule, want)
		}
	}
	check("no budget", cfg, store.ScheduleTiers)
	check("a budget of the day", day, store.ScheduleAdaptive)
	check("a budget of the month", month, store.ScheduleAdaptive)
	check("a target", target, store.ScheduleAdaptive)
	check("SCHEDULE=tiers", tiers, store.ScheduleTiers)

	// As it was before: rows, and nothing that says which default there is.
	tweets := []store.NewTweet{{TweetID: "1585841080431321088", CreatedAt: time.Now().Add(-time.Minute)}}
	if _, err := g.Store.Track(t.Context(), g.Zone.ID, tweets); err != nil {
		t.Fatal(err)
	}
	db, err := postgres.Connect(t.Context(), postgres.Config{URL: g.URL})
	testkit.Must(t, err)
	defer db.Close()
	for _, sql := range []string{`drop table gorgone.installation`, `delete from gorgone.goose_db_version where version_id >= 171`} {
		_, err := db.Exec(t.Context(), sql)
		testkit.Must(t, err)
	}
	_, err = postgres.Migrate(t.Context(), g.URL)
	testkit.Must(t, err)
	check("a budget, in an installation from before", day, store.ScheduleTiers)
	check("SCHEDULE=adaptive in one from before", adaptive, store.ScheduleAdaptive)
}
