package scale

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// folder is one that the user running Postgres can enter.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gorgone-scale-test-")
	testkit.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	testkit.Must(t, os.Chmod(dir, 0o755))
	return dir
}

// logWriter calls seen with each line of the log.
type logWriter struct{ seen func(line string) }

func (w logWriter) Write(line []byte) (int, error) { w.seen(string(line)); return len(line), nil }

// A run that ends while rows are copied goes on with those that are missing, and one that
// ends between two stages with the next.
func TestARunGoesOn(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	options := func(stopAt string) (Options, context.Context, *[]string) {
		ctx, cancel := context.WithCancel(t.Context())
		var begun []string
		o := Options{
			Tracked: []int{2000}, Points: 2, Dir: dir, Limit: time.Hour, Load: time.Second, Program: "unused", Out: &bytes.Buffer{}, chunk: 300,
			Log: zerolog.New(logWriter{func(line string) {
				if strings.Contains(line, stopAt) {
					cancel()
				}
				if strings.Contains(line, `"begun"`) {
					begun = append(begun, line)
				}
			}}),
		}
		return o, ctx, &begun
	}
	o, ctx, _ := options(`"copied"`)
	if err := Run(ctx, config.Config{}, o); err == nil {
		t.Fatal("a run that was stopped succeeded")
	}
	o, ctx, begun := options(`"stage":"indexes"`)
	if err := Run(ctx, config.Config{}, o); err == nil {
		t.Fatal("a run that was stopped succeeded")
	}
	if len(*begun) != 2 || !strings.Contains((*begun)[0], `"rows"`) {
		t.Errorf("the second run began %v, want the rows and the indexes", *begun)
	}

	path := filepath.Join(dir, "2000")
	r, err := readResult(path + ".json")
	testkit.Must(t, err)
	s := &size{Options: o, dir: path, result: r, population: newPopulation(2000, 2, r.Now)}
	testkit.Must(t, s.open(t.Context()))
	defer func() { testkit.Must(t, s.close()) }()
	for sql, want := range map[string]int{
		`select count(*) from public.twitter_tweets`:                                                                        2000,
		`select count(distinct tweet_id) from public.twitter_tweets`:                                                        2000,
		`select count(*) from public.twitter_engagement_tracking`:                                                           2000,
		`select count(*) from public.twitter_engagement_tracking where next_update_at <= now() + interval '100 years'`:      200,
		`select count(*) from public.twitter_engagement_history`:                                                            4000,
		`select count(*) from gorgone.history_default`:                                                                      0,
		`select count(*) from pg_class where relname = 'scale_copied'`:                                                      0,
		`select count(*) from public.twitter_tweets w where not exists (select from public.zones z where z.id = w.zone_id)`: 0,
	} {
		var got int
		testkit.Must(t, s.sql.QueryRow(t.Context(), sql).Scan(&got))
		if got != want {
			t.Errorf("%s: %d, want %d", sql, got, want)
		}
	}
	other := o
	other.Points = 3
	if err := Run(t.Context(), config.Config{}, other); failure.KindOf(err) != failure.Usage {
		t.Errorf("going on with other points: %v, want an error of usage", err)
	}
}

// What does not fit on the disk is refused before anything is made.
func TestNotEnoughDisk(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	o := Options{Tracked: []int{2_000_000_000}, Points: 2, Dir: dir, Limit: time.Hour, Load: time.Second, Log: zerolog.Nop(), Out: &bytes.Buffer{}}
	err := Run(t.Context(), config.Config{}, o)
	if err == nil || !strings.Contains(err.Error(), "--dir") || !strings.Contains(err.Error(), "needs") {
		t.Errorf("%v, want an error that says what is needed, and what to do", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := Options{Tracked: []int{2000}, Points: 1, Dir: "x", Limit: time.Hour, Load: time.Second}
	for name, spoil := range map[string]func(*Options){
		"no size":    func(o *Options) { o.Tracked = nil },
		"too small":  func(o *Options) { o.Tracked = []int{100_000, 1999} },
		"no points":  func(o *Options) { o.Points = 0 },
		"no folder":  func(o *Options) { o.Dir = "" },
		"no load":    func(o *Options) { o.Load = 0 },
		"short time": func(o *Options) { o.Limit = time.Millisecond },
	} {
		o := good
		spoil(&o)
		if err := Run(t.Context(), config.Config{}, o); failure.KindOf(err) != failure.Usage {
			t.Errorf("%s: %v, want an error of usage", name, err)
		}
	}
}

// The provider finds a tweet by its id alone, and no other.
func TestTweetsById(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tracked := range []int{2000, 99_999, 10_000_000} {
		p := newPopulation(tracked, 2, now)
		ids := make(map[string]bool)
		for n := 0; n < tracked; n += max(tracked/997, 1) {
			w := p.tweet(n)
			if got, ok := p.of(w.id); !ok || got != w {
				t.Fatalf("tweet %d of %d: found %+v, %t", n, tracked, got, ok)
			}
			if w.posted.After(now) || now.Sub(w.posted) > span+time.Second || w.zone < 0 || w.zone >= zones || ids[w.id] {
				t.Fatalf("tweet %d: %+v", n, w)
			}
			if length := len(w.text(words())); length < 20 || length > 280 {
				t.Fatalf("tweet %d has a text of %d", n, length)
			}
			ids[w.id] = true
		}
		if _, ok := p.of(engagement.TweetIDAt(now, 1)); ok {
			t.Error("a tweet that is not there was found")
		}
	}
}

func TestGrowth(t *testing.T) {
	t.Parallel()
	small := &Result{Tracked: 1000, Figures: []Figure{
		{Name: "claim", Kind: Hot, Rows: 10, Items: 2000}, {Name: "list", Kind: Page, Rows: 50, Items: 1}, {Name: "statistics", Kind: Live, Rows: 100, Items: 1},
	}}
	large := func(change func([]Figure)) []*Result {
		r := &Result{Tracked: 1_000_000, Figures: slices.Clone(small.Figures)}
		change(r.Figures)
		return []*Result{small, r}
	}
	for name, c := range map[string]struct {
		change func([]Figure)
		faults int
	}{
		"nothing grows":              {func([]Figure) {}, 0},
		"the claim reads more":       {func(f []Figure) { f[0].Rows = 20 }, 1},
		"a page reads more":          {func(f []Figure) { f[1].Rows = 50_000 }, 1},
		"a page reads a table":       {func(f []Figure) { f[1].Whole = true }, 1},
		"what is live reads more":    {func(f []Figure) { f[2].Rows, f[2].Whole = 50_000, true }, 0},
		"a page takes too long":      {func(f []Figure) { f[1].Failed = "over 30s" }, 1},
		"something waits for a lock": {func(f []Figure) { f[2].Unit, f[2].Value = "statements", 1 }, 1},
	} {
		if faults := growth(large(c.change)); len(faults) != c.faults {
			t.Errorf("%s: %q, want %d faults", name, faults, c.faults)
		}
	}
}
