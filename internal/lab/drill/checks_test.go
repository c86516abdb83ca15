package drill

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/internal/clock"
	"gorgone/internal/lab/drill/supervise"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

// goodRun are the facts of a run in which all went well: two tweets, each looked at
// four times, a fifth call in flight when its worker was killed, a tweet deleted and
// found out, and a refresh.
func goodRun() *facts {
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f := &facts{
		Options: Options{Provider: twitter.TwitterAPIName, Rate: 10, Every: 10 * time.Second, Duration: longRun},
		setting: clock.Setting{Database: start, Engine: start, Speed: speed},
		from:    start, to: start.Add(40 * time.Second), caughtUp: start.Add(41 * time.Second), settled: start.Add(6 * time.Minute),
		lives:     map[string][]supervise.Life{"worker-1": {{PID: 7, From: start, To: start.Add(5 * time.Minute), Expected: true}}},
		absences:  map[string][]absence{"3": {{from: start}}},
		resources: &samples{}, ledger: 1000,
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
			call := fakeprovider.Record{
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
			r.history, r.lookups = append(r.history, s), append(r.lookups, s)
			r.observed, r.counts = s.at, c
		}
		r.due = f.engine(f.settled)
		f.rows = append(f.rows, r)
	}
	f.rows = append(f.rows, &row{id: uuid.New(), tweet: "3", tier: "cold", gone: "missing", goneAt: start, history: []snapshot{{at: start}}})
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
		check func(*facts) checkResult
		spoil func(f *facts)
		says  string
	}{
		"a row is due and is never claimed": {checkDue, func(f *facts) { f.rows[0].due = f.engine(f.to) }, "is stuck"},
		"a row was not seen for long":       {checkDue, func(f *facts) { f.rows[0].observed = f.engine(f.from) }, "was last seen"},
		"a row is not looked at any more":   {checkDue, func(f *facts) { f.rows[0].due = time.Time{} }, "not looked at any more"},
		"a point is there twice":            {checkHistory, func(f *facts) { r := f.rows[0]; r.history = append(r.history, r.history[4]) }, "two points at"},
		"two points of one answer":          {checkHistory, func(f *facts) { twice(f.rows[0]) }, "was there already"},
		"a point has counts of no answer":   {checkHistory, func(f *facts) { f.rows[0].history[2].counts[1] += 5 }, "is in no answer"},
		"zeros were believed":               {checkHistory, func(f *facts) { f.calls[2].Fault = fakeprovider.ZeroedCounts }, "is in no answer"},
		"a delta is wrong":                  {checkHistory, func(f *facts) { f.rows[0].history[3].deltas[4]++ }, "add up to"},
		"a point is lost":                   {checkHistory, func(f *facts) { r := f.rows[0]; r.history = append(r.history[:2], r.history[3:]...) }, "add up to"},
		"a look-up left no trace":           {checkHistory, func(f *facts) { r := f.rows[0]; r.lookups[2].counts[0]++ }, "and the history has"},
		"the baseline is lost":              {checkHistory, func(f *facts) { f.rows[1].history = nil }, "lost its baseline"},
		"a live tweet counts as gone":       {checkDeleted, func(f *facts) { f.rows[0].gone = "missing" }, "was never deleted"},
		"a deleted tweet is not found out":  {checkDeleted, func(f *facts) { f.rows[2].gone = "" }, "not known to be"},
		"a deleted tweet is found out late": {checkDeleted, func(f *facts) {
			f.rows[2].goneAt = f.engine(f.caughtUp.Add(f.goneWithin(2) + time.Second))
		}, "not known to be"},
		"a deleted tweet is asked for again and again": {checkDeleted, func(f *facts) {
			f.rows[2].goneAt = f.engine(f.caughtUp.Add(f.goneWithin(2)))
			for i := range 12 {
				f.calls = append(f.calls, fakeprovider.Record{Started: f.caughtUp.Add(time.Duration(i+1) * time.Second), Absent: []string{"3"}})
			}
		}, "after 12 answers without it"},
		"a deleted tweet is not found out, and the backlog stays": {checkDeleted, func(f *facts) {
			f.rows[2].gone, f.caughtUp = "", time.Time{}
		}, "not known to be"},
		"a tweet is back and counts as gone": {checkDeleted, func(f *facts) { f.absences["3"][0].to = f.to }, "is back since"},
		"a refresh without an answer":        {checkRefreshes, func(f *facts) { f.refreshes[0].status = http.StatusAccepted }, "no final answer"},
		"a refresh whose connection broke":   {checkRefreshes, func(f *facts) { f.refreshes[0].err = errors.New("reset") }, "reset"},
		"a refresh with two answers":         {checkRefreshes, func(f *facts) { f.refreshes[0].again = 504 }, "asked again it is 504"},
		"a refresh with false counts":        {checkRefreshes, func(f *facts) { *f.refreshes[0].body.Data.Metrics.Likes = 77 }, "none of"},
		"a ledger that counts twice":         {checkLedger, func(f *facts) { f.ledger = 2000 }, "the ledger has"},
		"a refresh with counts of before": {checkRefreshes, func(f *facts) {
			first := f.rows[0].history[1].counts
			*f.refreshes[0].body.Data.Metrics.Likes, *f.refreshes[0].body.Data.Metrics.Retweets = first[2], first[0]
		}, "none of"},
		"a delta in the wrong place": {checkHistory, func(f *facts) {
			h := f.rows[0].history
			h[1].deltas[0]++
			h[2].deltas[0]--
		}, "the delta of"},
		"a new tweet's delta is missing": {checkHistory, func(f *facts) {
			newcomer(f).history[0].unknown = [6]bool{}
		}, "the delta of"},
		"a first count counts as a delta": {checkHistory, func(f *facts) {
			r := newcomer(f)
			r.history[1].deltas[likeCount] = r.history[1].counts[likeCount]
		}, "the delta of"},
		"counts that fell behind their history": {checkHistory, func(f *facts) { f.rows[0].counts[0]-- }, "last point"},
		"a refresh with a false reason":         {checkRefreshes, func(f *facts) { f.refreshes[0].status = http.StatusPaymentRequired }, "had credit"},
		"a refresh blames the provider":         {checkRefreshes, func(f *facts) { f.refreshes[0].status = http.StatusBadGateway }, "had no fault"},
		"a refresh says gone of a live tweet":   {checkRefreshes, func(f *facts) { f.refreshes[0].status = http.StatusGone }, "had the tweet"},
		"a refresh fails within":                {checkRefreshes, func(f *facts) { f.refreshes[0].status = http.StatusInternalServerError }, "no such answer"},
		"a refresh is left in the queue":        {checkRefreshes, func(f *facts) { f.refreshesLeft = 1 }, "left in the queue"},
		"too many calls in a second":            {checkRate, func(f *facts) { f.Rate = 20 }, "are allowed"},
		"a call in a pause":                     {checkRate, func(f *facts) { f.pauses[0].at = f.from; f.pauses[0].until = f.to }, "after a pause"},
		"an answer is lost in an everyday run": {checkBilled, func(f *facts) {
			f.events = []event{{kind: readonly, from: f.from, to: f.to}}
			f.rows[0].lookups = f.rows[0].lookups[1:]
		}, "no fault explains it"},
		"a look-up paid for twice":       {checkBilled, func(f *facts) { f.events = nil; f.calls = append(f.calls, f.calls[:9]...) }, "no fault explains it"},
		"much in flight":                 {checkBilled, func(f *facts) { f.rows = f.rows[:40] }, "overhead is more"},
		"an answer is not in the ledger": {checkLedger, func(f *facts) { f.ledger = 700 }, "the ledger has"},
		"a point is there no more":       {checkHistory, func(f *facts) { f.points = []int{7, 9, 8} }, "and then 8"},
		"a never-seen tweet counts as gone": {checkDeleted, func(f *facts) {
			f.rows[0].gone = "missing"
			f.events = append(f.events, event{kind: lag, tweets: []string{"1"}, from: f.from, to: f.to})
		}, "was never deleted"},
		"a budget is overspent": {checkBudget, func(f *facts) {
			f.budgets = []budgetWindow{{from: f.from, to: f.to, scheduled: 10}}
		}, "with budgets of 10 and 0"},
		"the budget of refreshes is overspent": {checkBudget, func(f *facts) {
			f.budgets = []budgetWindow{{from: f.from, to: f.settled, scheduled: 10000, refreshes: 2}}
			c := &f.calls[4]
			f.refreshes[0].tweet, f.refreshes[0].asked, f.refreshes[0].answered = c.IDs[0], f.from, f.settled
			f.Workers = 1
		}, "for refreshes with a budget of 2"},
		"a refresh is refused for a budget that is not used up": {checkRefreshes, func(f *facts) {
			f.budgets = []budgetWindow{{from: f.from, to: f.settled, refreshes: 10}}
			r := f.refreshes[0]
			r.status, r.body.Code, r.body.Error = http.StatusTooManyRequests, codeLimit, "today's budget of refreshes is used up"
		}, "the budget was not used up"},
		"a refresh is refused for a budget that there is not": {checkRefreshes, func(f *facts) {
			r := f.refreshes[0]
			r.status, r.body.Code, r.body.Error = http.StatusServiceUnavailable, codePaused, "today's budget of refreshes is used up"
		}, "the budget was not used up"},
		"a breaker stays open":      {checkBreaker, func(f *facts) { f.breakers = []string{"worker-1: 2"} }, "worker-1: 2"},
		"no call after the faults":  {checkBreaker, func(f *facts) { f.to = f.settled }, "no call was answered"},
		"tweets are seen too late":  {checkSeen, func(f *facts) { f.events = nil; f.Every = time.Second }, "were seen in time"},
		"a missing tweet is there":  {checkRefreshes, func(f *facts) { f.refreshes[0].status, f.refreshes[0].body.Code = 503, "missing" }, "no answer lacked"},
		"a process did not stop":    {checkLeftovers, func(f *facts) { f.stopErrors = []error{errors.New("worker-1 did not stop")} }, "did not stop"},
		"a process is still there":  {checkLeftovers, func(f *facts) { f.lives["worker-1"][0].To = time.Time{} }, "still there"},
		"a process ended by itself": {checkLeftovers, func(f *facts) { f.lives["worker-1"][0].Expected = false }, "ended by itself"},
		"a panic":                   {checkLeftovers, func(f *facts) { f.panics = []string{"log:1: panic: oh"} }, "panic"},
		"a dead letter":             {checkLeftovers, func(f *facts) { f.dead = []string{"eng.dlq.batch"} }, "dead letter"},
		"a connection is left":      {checkLeftovers, func(f *facts) { f.databaseConns = 1 }, "are left"},
		"files are left open":       {checkLeftovers, func(f *facts) { f.resources = grown(func(s *sample) { s.files = 99 }) }, "files open"},
		"goroutines are left":       {checkLeftovers, func(f *facts) { f.resources = grown(func(s *sample) { s.goroutines = 99 }) }, "goroutines"},
		"memory grows":              {checkLeftovers, func(f *facts) { f.resources = growing() }, "grew from"},
	} {
		f := goodRun()
		c.spoil(f)
		v := c.check(f)
		if !strings.Contains(strings.Join(v.details, "\n"), c.says) {
			t.Errorf("%s: %s %q", name, v.counts, v.details)
		}
	}
}

// newcomer makes a good run's first tweet one that was tracked meanwhile, and first seen in
// an answer without likes.
func newcomer(f *facts) *row {
	f.events = append(f.events, event{kind: lag, tweets: []string{"1"}, from: f.from, to: f.from.Add(time.Second)})
	r := f.rows[0]
	r.history, r.lookups = slices.Clone(r.history[1:]), slices.Clone(r.lookups)
	first, next := &r.history[0], &r.history[1]
	for i := range first.deltas {
		first.deltas[i] = 0
	}
	first.counts[likeCount], first.unknown[likeCount], next.deltas[likeCount] = 0, true, 0
	r.lookups[0].counts[likeCount] = 0
	f.calls[0].Fault = fakeprovider.RenamedLikes
	return r
}

// TestFirstCountIsNoDelta: likes that an answer lacked when a tweet was first seen have
// nothing to differ from when they are first read.
func TestFirstCountIsNoDelta(t *testing.T) {
	t.Parallel()
	f := goodRun()
	newcomer(f)
	if v := checkHistory(f); len(v.details) > 0 {
		t.Errorf("%s", strings.Join(v.details, "\n"))
	}
}

// TestAClockThatCannotBeReadStaysWrong: the clock of a worker that cannot reach the database
// is as wrong as that was when it was read last, and its points are.
func TestAClockThatCannotBeReadStaysWrong(t *testing.T) {
	t.Parallel()
	for cutOff, want := range map[bool]int{true: 0, false: 1} {
		f := goodRun()
		const ahead = 2 * time.Second
		began := f.real(f.rows[0].history[4].at)
		f.events = append(f.events, event{kind: step, step: ahead, from: began.Add(-30 * time.Second), to: began.Add(-20 * time.Second)})
		if cutOff {
			f.events = append(f.events, event{kind: stall, target: "worker-1", link: partPostgres, from: began.Add(-16 * time.Second), to: began.Add(-time.Second)})
		}
		r := f.rows[0]
		r.history = slices.Clone(r.history)
		r.history[4].at = f.engine(began.Add(ahead))
		if got := len(f.observations().unexplained[r]); got != want {
			t.Errorf("cut off %v: %d points unexplained, want %d", cutOff, got, want)
		}
	}
}

// TestOlderThanWhatWasWrittenFirst: an answer that is in no history is not lost if the database
// took nothing until the tweet was looked up again because its lease had ended, and only then.
func TestOlderThanWhatWasWrittenFirst(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	outage := []event{{kind: readonly, from: start.Add(time.Second), to: start.Add(4 * time.Second)}}
	for name, c := range map[string]struct {
		events  []event
		next    time.Duration
		written bool
		want    bool
	}{
		"looked up again":             {outage, lease + time.Second, true, true},
		"the newer is not written":    {outage, lease + time.Second, false, false},
		"looked up an interval later": {outage, time.Minute, true, false},
		"looked up in its lease":      {outage, lease / 2, true, false},
		"the database took all":       {nil, lease + time.Second, true, false},
	} {
		f := &facts{Options: Options{Every: time.Minute}, events: c.events}
		list := []*observation{
			{call: &fakeprovider.Record{Started: start}},
			{call: &fakeprovider.Record{Started: start.Add(c.next), IDs: []string{"1", "2", "3"}}, written: c.written},
		}
		if got := f.superseded(list); got != c.want {
			t.Errorf("%s: %v", name, got)
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

// TestPlanOfSomeFaults: only what is wanted happens.
func TestPlanOfSomeFaults(t *testing.T) {
	t.Parallel()
	o := Options{Seed: 3, Duration: 10 * time.Minute, Tweets: 5000, Workers: 3, Dispatchers: 2, Nodes: 3}
	o.Faults, o.Without = []string{"outage", "step", string(fakeprovider.Hang), "poison"}, []string{"poison_hang"}
	seen := make(map[string]bool)
	for _, e := range slices.Concat(newPlan(o).tracks...) {
		seen[string(e.kind)+" "+e.what] = true
	}
	want := []string{"fault hang", "outage ", "poison poison_bad_request", "poison poison_server_error", "step "}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestPlan: the same seed makes the same plan, within its time.
func TestPlan(t *testing.T) {
	t.Parallel()
	o := Options{Seed: 3, Duration: 10 * time.Minute, Tweets: 5000, Workers: 3, Dispatchers: 2, Nodes: 3, Standby: true}
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
	for _, k := range []kind{
		kill, budget, freeze, cut, stall, delay, pooler, crash, promote, failover, readonly, full, step, wipe, fault, drop, broke,
		sporadic, odd, balance, deletes, returns, poison, outage, lag,
	} {
		if !kinds[k] {
			t.Errorf("ten minutes without a %s", k)
		}
	}
}
