package drill

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/internal/clock"
	"gorgone/twitter/twittertest"
)

// goodRun are the facts of a run in which all went well: two tweets, each looked at
// four times, a fifth call in flight when its worker was killed, a tweet deleted and
// found out, and a refresh.
func goodRun() *facts {
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f := &facts{
		Options: Options{Rate: 10, Every: 10 * time.Second, Duration: longRun},
		setting: clock.Setting{Database: start, Engine: start, Speed: speed},
		from:    start, to: start.Add(40 * time.Second), caughtUp: start.Add(41 * time.Second), settled: start.Add(4 * time.Minute),
		lives:     map[string][]life{"worker-1": {{pid: 7, from: start, to: start.Add(5 * time.Minute), expected: true}}},
		absences:  map[string][]absence{"3": {{from: start}}},
		resources: &samples{},
	}
	f.truth = func(_ string, at time.Time) (c counts, ok bool) {
		for i := range c {
			c[i] = int64(at.Sub(start)/time.Minute) + int64(i)
		}
		return c, true
	}
	for _, tweet := range []string{"1", "2"} {
		r := &row{id: uuid.New(), tweet: tweet, tier: "ultra_hot"}
		base, _ := f.truth(tweet, start)
		r.history = append(r.history, snapshot{at: start, counts: base})
		for i := 1; i <= 5; i++ {
			at := start.Add(time.Duration(i) * 10 * time.Second)
			call := twittertest.Record{
				Started: at, At: f.engine(at), Remote: "worker-1", Path: "/twitter/tweets", IDs: []string{tweet}, Status: 200, Returned: 1, Billed: 15,
			}
			f.calls = append(f.calls, call)
			if i == 5 && tweet == "2" {
				f.events = append(f.events, event{kind: kill, target: "worker-1", from: at.Add(time.Second), to: at.Add(2 * time.Second)})
				continue
			}
			c, _ := f.truth(tweet, call.At)
			last := r.history[len(r.history)-1].counts
			s := snapshot{at: call.At, counts: c}
			for j := range s.deltas {
				s.deltas[j] = c[j] - last[j]
			}
			r.history = append(r.history, s)
			r.observed, r.counts = s.at, c
		}
		r.due = f.engine(f.settled)
		f.rows = append(f.rows, r)
	}
	f.rows = append(f.rows, &row{id: uuid.New(), tweet: "3", tier: "cold", gone: "missing", history: []snapshot{{at: start}}})
	// Many more good look-ups, so that one in flight is a small share.
	for range 200 {
		r := *f.rows[0]
		r.id = uuid.New()
		r.tweet = r.id.String()
		for _, c := range f.calls[:5] {
			c.IDs = []string{r.tweet}
			c.Started = c.Started.Add(time.Duration(len(f.rows)) * time.Millisecond)
			f.calls = append(f.calls, c)
		}
		f.rows = append(f.rows, &r)
	}
	f.Rate = 1000
	likes, retweets := f.rows[0].counts[2], f.rows[0].counts[0]
	ok := &refresh{row: f.rows[0].id, tweet: "1", asked: start.Add(50 * time.Second), answered: start.Add(51 * time.Second), status: http.StatusOK}
	ok.body.Data = &refreshData{Metrics: refreshMetrics{Likes: &likes, Retweets: &retweets}}
	f.refreshes = []*refresh{ok}
	f.pauses = []written{{at: start.Add(4 * time.Minute), until: start.Add(5 * time.Minute)}}
	return f
}

func TestGoodRun(t *testing.T) {
	t.Parallel()
	for _, check := range checks() {
		if v := check(goodRun()); len(v.details) > 0 {
			t.Errorf("%s: %s", v.name, strings.Join(v.details, "\n"))
		}
	}
}

// TestChecksFail breaks a good run in one way at a time: the check that is there for
// it must say so.
func TestChecksFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		check func(*facts) verdict
		spoil func(f *facts)
		says  string
	}{
		"a row is due and nobody takes it":   {checkDue, func(f *facts) { f.rows[0].due = f.engine(f.to) }, "is stuck"},
		"a row was not seen for long":        {checkDue, func(f *facts) { f.rows[0].observed = f.engine(f.from) }, "was last seen"},
		"a row is not looked at any more":    {checkDue, func(f *facts) { f.rows[0].due = time.Time{} }, "not looked at any more"},
		"a point is there twice":             {checkHistory, func(f *facts) { r := f.rows[0]; r.history = append(r.history, r.history[4]) }, "two points at"},
		"two points of one answer":           {checkHistory, func(f *facts) { twice(f.rows[0]) }, "was there already"},
		"a point has counts nobody gave":     {checkHistory, func(f *facts) { f.rows[0].history[2].counts[1] += 5 }, "is in no answer"},
		"zeros were believed":                {checkHistory, func(f *facts) { f.calls[2].Fault = twittertest.ZeroedCounts }, "is in no answer"},
		"a delta is wrong":                   {checkHistory, func(f *facts) { f.rows[0].history[3].deltas[4]++ }, "add up to"},
		"a point is lost":                    {checkHistory, func(f *facts) { r := f.rows[0]; r.history = append(r.history[:2], r.history[3:]...) }, "add up to"},
		"the baseline is lost":               {checkHistory, func(f *facts) { f.rows[1].history = nil }, "lost its baseline"},
		"a live tweet counts as gone":        {checkDeleted, func(f *facts) { f.rows[0].gone = "missing" }, "was never deleted"},
		"a deleted tweet is not found out":   {checkDeleted, func(f *facts) { f.rows[2].gone = "" }, "not known to be"},
		"a tweet is back and counts as gone": {checkDeleted, func(f *facts) { f.absences["3"][0].to = f.to }, "is back since"},
		"a refresh without an answer":        {checkRefreshes, func(f *facts) { f.refreshes[0].status = http.StatusAccepted }, "no final answer"},
		"a refresh whose connection broke":   {checkRefreshes, func(f *facts) { f.refreshes[0].err = errors.New("reset") }, "reset"},
		"a refresh with two answers":         {checkRefreshes, func(f *facts) { f.refreshes[0].again = 504 }, "asked again it is 504"},
		"a refresh with false counts":        {checkRefreshes, func(f *facts) { *f.refreshes[0].body.Data.Metrics.Likes = 77 }, "none of"},
		"a ledger that counts twice":         {checkBilled, func(f *facts) { f.ledger = 2000 }, "the ledger has"},
		"a refresh with counts of before": {checkRefreshes, func(f *facts) {
			first := f.rows[0].history[1].counts
			*f.refreshes[0].body.Data.Metrics.Likes, *f.refreshes[0].body.Data.Metrics.Retweets = first[2], first[0]
		}, "none of"},
		"a delta in the wrong place": {checkHistory, func(f *facts) {
			h := f.rows[0].history
			h[1].deltas[0]++
			h[2].deltas[0]--
		}, "the delta of"},
		"counts that fell behind their history": {checkHistory, func(f *facts) { f.rows[0].counts[0]-- }, "last point"},
		"a refresh with a false reason":         {checkRefreshes, func(f *facts) { f.refreshes[0].status = http.StatusPaymentRequired }, "had credit"},
		"a refresh blames the provider":         {checkRefreshes, func(f *facts) { f.refreshes[0].status = http.StatusBadGateway }, "had no fault"},
		"a refresh says gone of a live tweet":   {checkRefreshes, func(f *facts) { f.refreshes[0].status = http.StatusGone }, "had the tweet"},
		"a refresh fails within":                {checkRefreshes, func(f *facts) { f.refreshes[0].status = http.StatusInternalServerError }, "no such answer"},
		"a refresh is left in the queue":        {checkRefreshes, func(f *facts) { f.refreshesLeft = 1 }, "left in the queue"},
		"too many calls in a second":            {checkRate, func(f *facts) { f.Rate = 20 }, "are allowed"},
		"a call in a pause":                     {checkRate, func(f *facts) { f.pauses[0].at = f.from; f.pauses[0].until = f.to }, "after a pause"},
		"a look-up paid for twice":              {checkBilled, func(f *facts) { f.events = nil; f.calls = append(f.calls, f.calls[:9]...) }, "no fault explains it"},
		"much in flight":                        {checkBilled, func(f *facts) { f.rows = f.rows[:40] }, "overhead is more"},
		"a process did not stop":                {checkLeftovers, func(f *facts) { f.stopErrors = []error{errors.New("worker-1 did not stop")} }, "did not stop"},
		"a process is still there":              {checkLeftovers, func(f *facts) { f.lives["worker-1"][0].to = time.Time{} }, "still there"},
		"a process ended by itself":             {checkLeftovers, func(f *facts) { f.lives["worker-1"][0].expected = false }, "ended by itself"},
		"a panic":                               {checkLeftovers, func(f *facts) { f.panics = []string{"log:1: panic: oh"} }, "panic"},
		"a dead letter":                         {checkLeftovers, func(f *facts) { f.dead = []string{"eng.dlq.batch"} }, "dead letter"},
		"a connection is left":                  {checkLeftovers, func(f *facts) { f.databaseConns = 1 }, "are left"},
		"files are left open":                   {checkLeftovers, func(f *facts) { f.resources = grown(func(s *sample) { s.files = 99 }) }, "files open"},
		"goroutines are left":                   {checkLeftovers, func(f *facts) { f.resources = grown(func(s *sample) { s.goroutines = 99 }) }, "goroutines"},
		"memory grows":                          {checkLeftovers, func(f *facts) { f.resources = growing() }, "grew from"},
	} {
		f := goodRun()
		c.spoil(f)
		v := c.check(f)
		if !strings.Contains(strings.Join(v.details, "\n"), c.says) {
			t.Errorf("%s: %s %q", name, v.counts, v.details)
		}
	}
}

// twice adds a second point from the answer of the last one.
func twice(r *row) {
	last := r.history[len(r.history)-1]
	last.at = last.at.Add(time.Millisecond)
	last.deltas = [5]int64{}
	r.history = append(r.history, last)
}

func grown(change func(*sample)) *samples {
	end := sample{process: "worker-1", files: 10, goroutines: 10}
	s := &samples{start: []sample{end}}
	change(&end)
	s.end = []sample{end}
	return s
}

func growing() *samples {
	s := &samples{}
	for i := range 60 {
		s.list = append(s.list, sample{process: "worker-1", pid: 7, at: time.Unix(int64(i), 0), memory: int64(i) << 21})
	}
	return s
}

// TestPlan: the same seed makes the same plan, within its time.
func TestPlan(t *testing.T) {
	t.Parallel()
	o := Options{Seed: 3, Duration: 10 * time.Minute, Tweets: 5000, Workers: 3, Dispatchers: 2, Nodes: 3}
	one, again := newPlan(o), newPlan(o)
	if one.list() != again.list() {
		t.Error("the same seed makes two plans")
	}
	o.Seed++
	if newPlan(o).String() == one.String() {
		t.Error("two seeds make the same plan")
	}
	kinds := make(map[kind]bool)
	for _, track := range one.tracks {
		var end time.Duration
		for _, e := range track {
			kinds[e.kind] = true
			if e.at < end || e.at+e.length > o.Duration {
				t.Errorf("out of its time: %s", e)
			}
			end = e.at + e.length
		}
	}
	for _, k := range []kind{kill, crash, freeze, cut, stall, delay, fault, drop, broke, deletes, returns, poison} {
		if !kinds[k] {
			t.Errorf("ten minutes without a %s", k)
		}
	}
}
