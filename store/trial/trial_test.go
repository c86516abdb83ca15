package trial_test

import (
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/simulate"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
	"gorgone/store/trial"
	"gorgone/twitter/fakeprovider"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// cascadesVariable names a file of real cascades; without it synthetic tweets do.
const cascadesVariable = "GORGONE_TEST_CASCADES"

// lives returns the lives of ordinary tweets.
func lives(t *testing.T, n int) []simulate.Tweet {
	t.Helper()
	p := simulate.Synthetic(2*n, 7)
	if name := os.Getenv(cascadesVariable); name != "" {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cascades, err := fakeprovider.LoadCascades(f)
		if err != nil {
			t.Fatal(err)
		}
		p = simulate.Thinned(cascades, simulate.Thinning{PerParent: 2 * (n/len(cascades) + 1), Seed: 7})
	}
	return p.Test[:n]
}

// stage plays the lives of tweets to a real store while engine time passes.
type stage struct {
	*storetest.Env

	trials *trial.Store
	tweets map[string]*played
}

// played is a tweet with what a look-up at each age (seconds) was answered.
type played struct {
	simulate.Tweet

	posted time.Time
	looks  []float64
}

func newStage(t *testing.T) *stage {
	t.Helper()
	e := storetest.New(t, postgres.ExecPrepared)
	return &stage{Env: e, trials: trial.New(e.DB, e.Clock, e.Archive, trial.Options{Dollars: 0.001}), tweets: map[string]*played{}}
}

// post tracks a tweet that is posted now.
func (s *stage) post(t *testing.T, life simulate.Tweet) {
	t.Helper()
	now := s.Clock.Now()
	id := engagement.TweetIDAt(now, int64(len(s.tweets)))
	s.tweets[id] = &played{Tweet: life, posted: now}
	s.TrackIn(t, s.ZoneID, []store.NewTweet{{TweetID: id, CreatedAt: now}})
}

// step answers what is due, as it is now.
func (s *stage) step(t *testing.T) {
	t.Helper()
	for _, batch := range s.ClaimIn(t, 1000).Batches {
		work := store.Work{ClaimID: batch.ClaimID}
		for _, w := range batch.Tweets {
			p := s.tweets[w.TweetID]
			age := s.Clock.Now().Sub(p.posted).Seconds()
			p.looks = append(p.looks, age)
			work.Results = append(work.Results, store.Result{
				TweetID: w.TweetID, Rows: w.Rows, Kind: store.Found,
				Observation: engagement.Observation{At: s.Clock.Now(), Metrics: storetest.Likes(int64(p.CountAt(age)))},
			})
		}
		s.MustApply(t, work)
	}
}

// waited is the mean delay in minutes until an engagement of a half is seen, by counting:
// each event within the horizon waits for the first look-up after it, and for the horizon
// where there is none.
func (s *stage) waited(seed string, half engagement.Half, horizon time.Duration) float64 {
	var sum, n float64
	for id, p := range s.tweets {
		if engagement.HalfOf(seed, id) != half {
			continue
		}
		for _, at := range p.Events {
			if at > horizon.Seconds() {
				break
			}
			seen := horizon.Seconds()
			for _, look := range p.looks {
				if look >= at && look < 48*3600 {
					seen = min(seen, look)
					break
				}
			}
			n++
			sum += seen - at
		}
	}
	return sum / n / 60
}

// lookups is the mean number of look-ups of a half before the age of 48 hours.
func (s *stage) lookups(seed string, half engagement.Half) float64 {
	var sum, n float64
	for id, p := range s.tweets {
		if engagement.HalfOf(seed, id) != half {
			continue
		}
		n++
		for _, look := range p.looks {
			if look < 48*3600 {
				sum++
			}
		}
	}
	return sum / n
}

func TestATrialComparesItsHalves(t *testing.T) {
	t.Parallel()
	const (
		step = 10 * time.Minute
		each = 300 // tweets
	)
	s := newStage(t)
	begun, err := s.trials.Start(t.Context(), trial.Start{Zone: s.ZoneID, Length: 100 * time.Hour, By: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.trials.Start(t.Context(), trial.Start{Zone: s.ZoneID, By: "test"}); !errors.Is(err, trial.ErrRunning) {
		t.Errorf("a second trial: %v, want %v", err, trial.ErrRunning)
	}
	s.Clock.Advance(begun.StartsAt.Sub(s.Clock.Now()))
	all := lives(t, each)
	for begun.Running(s.Clock.Now()) {
		since := s.Clock.Now().Sub(begun.StartsAt)
		for want := int(float64(each) * float64(since) / float64(48*time.Hour)); len(s.tweets) < min(want+1, each); {
			s.post(t, all[len(s.tweets)])
		}
		s.step(t)
		if since%time.Hour == 0 {
			if err := s.trials.Follow(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.Clock.Advance(step)
	}
	if err := s.trials.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := s.trials.List(t.Context(), []uuid.UUID{s.ZoneID})
	if err != nil || len(list) != 1 || list[0].Report == nil {
		t.Fatalf("%v %+v", err, list)
	}
	got := list[0]
	r := got.Report
	if r.Posted.Tiers+r.Posted.Adaptive != each || min(r.Posted.Tiers, r.Posted.Adaptive) < each/3 {
		t.Errorf("%d and %d tweets take part, of %d", r.Posted.Tiers, r.Posted.Adaptive, each)
	}
	if n := r.Tiers.Tweets + r.Adaptive.Tweets; n < each*9/10 {
		t.Errorf("%d tweets are measured, of %d", n, each)
	}
	for _, c := range []struct {
		name           string
		got            *simulate.Estimate
		want           float64
		least, highest float64 // of the ratio
	}{
		{"tiers, look-ups", r.Tiers.Lookups, s.lookups(begun.Seed, engagement.KeptHalf), 0.99, 1.01},
		{"adaptive, look-ups", r.Adaptive.Lookups, s.lookups(begun.Seed, engagement.TriedHalf), 0.99, 1.01},
		{"same spend", r.Adaptive.Lookups, r.Tiers.Lookups.Value, 0.85, 1.15},
		{"tiers, 12 h", r.Tiers.Delay12, s.waited(begun.Seed, engagement.KeptHalf, 12*time.Hour), 0.88, 1.12},
		{"adaptive, 12 h", r.Adaptive.Delay12, s.waited(begun.Seed, engagement.TriedHalf, 12*time.Hour), 0.88, 1.12},
		{"adaptive, 48 h", r.Adaptive.Delay48, s.waited(begun.Seed, engagement.TriedHalf, 48*time.Hour), 0.88, 1.12},
		// Early engagement in one gap of 36 h: understated, as documented.
		{"tiers, 48 h", r.Tiers.Delay48, s.waited(begun.Seed, engagement.KeptHalf, 48*time.Hour), 0.6, 1.02},
	} {
		if c.got == nil {
			t.Errorf("%s: no figure", c.name)
			continue
		}
		if ratio := c.got.Value / c.want; !(ratio >= c.least && ratio <= c.highest) || c.got.Low > c.got.Value || c.got.High < c.got.Value {
			t.Errorf("%s: %.3g [%.3g, %.3g], counted %.3g", c.name, c.got.Value, c.got.Low, c.got.High, c.want)
		}
	}
	if over := r.Over.Delay48; over == nil || over.High > 0.6 {
		t.Errorf("delay up to 48 h over the tiers': %+v", over)
	}
	if d := r.Tiers.Dollars; d == nil || math.Abs(d.Value-r.Tiers.Lookups.Value) > 1e-9 { // 1000 tweets at 0.001 dollars
		t.Errorf("dollars %+v, look-ups %+v", d, r.Tiers.Lookups)
	}
	// The report of a trial that has ended stays, and its tweets go on by the tiers.
	s.Clock.Advance(2 * time.Hour)
	s.step(t)
	if err := s.trials.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := s.trials.List(t.Context(), nil)
	if err != nil || len(again) != 1 || !again[0].ReportedAt.Equal(got.ReportedAt) {
		t.Errorf("reported again: %v %+v", err, again)
	}
	if n := s.Count(t, `select count(*) from twitter_engagement_tracking where next_update_at > $1`, s.Clock.Now()); n > 0 {
		t.Errorf("%d tweets are still looked up", n)
	}
}

func TestATrialIsStopped(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if was, err := s.trials.Stop(t.Context(), s.ZoneID); err != nil || was {
		t.Errorf("stopped what did not run: %v %v", was, err)
	}
	first, err := s.trials.Start(t.Context(), trial.Start{Zone: s.ZoneID, By: "test", Forced: true})
	if err != nil {
		t.Fatal(err)
	}
	if !first.Forced || first.By != "test" || first.EndsAt.Sub(first.StartsAt) != trial.DefaultLength {
		t.Errorf("started %+v", first)
	}
	s.Clock.Advance(time.Hour)
	if was, err := s.trials.Stop(t.Context(), s.ZoneID); err != nil || !was {
		t.Errorf("stop: %v %v", was, err)
	}
	list, err := s.trials.List(t.Context(), nil)
	if err != nil || len(list) != 1 || !list[0].Stopped || list[0].Running(s.Clock.Now()) {
		t.Errorf("%v %+v", err, list)
	}
	second, err := s.trials.Start(t.Context(), trial.Start{Zone: s.ZoneID, By: "test"})
	if err != nil || second.Seed == first.Seed || second.Stopped {
		t.Errorf("another trial: %v %+v", err, second)
	}
}

func TestATrialIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, c := range []struct {
		start trial.Start
		want  error
	}{
		{trial.Start{Zone: uuid.New()}, store.ErrZoneNotFound},
		{trial.Start{Zone: s.ZoneID, Length: time.Hour}, nil},
	} {
		if _, err := s.trials.Start(t.Context(), c.start); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.start, err, c.want)
		}
	}
	s.Exec(t, `update zones set settings = '{"schedule": "adaptive"}' where id = $1`, s.ZoneID)
	if _, err := s.trials.Start(t.Context(), trial.Start{Zone: s.ZoneID}); !errors.Is(err, trial.ErrAdaptive) {
		t.Errorf("a zone on the adaptive schedule: %v", err)
	}
	// Nothing is known of its tweets yet.
	if g, err := s.trials.Evidence(t.Context(), s.ZoneID); err != nil || g.Shown() || g.Tweets != 0 {
		t.Errorf("evidence of no tweets: %v %+v", err, g)
	}
}
