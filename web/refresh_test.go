package web_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/throttle"
	"gorgone/twitter/fakeprovider"
	"gorgone/web"
)

type refreshAnswer struct {
	Success bool
	Message string
	Cached  bool
	Data    struct {
		ID              uuid.UUID `json:"id"`
		TweetID         string    `json:"tweet_id"`
		TwitterTweetID  string    `json:"twitter_tweet_id"`
		Metrics         map[string]*int
		SnapshotCreated bool       `json:"snapshot_created"`
		TierUpdated     bool       `json:"tier_updated"`
		Tier            string     `json:"tier"`
		NextUpdateAt    *time.Time `json:"next_update_at"`
		SnapshotAt      *time.Time `json:"snapshot_at"`
		LastUpdated     *time.Time `json:"last_updated"`
		Refreshing      bool       `json:"refreshing"`
	}
}

func refreshPath(row uuid.UUID) string { return "/api/twitter/tweets/" + row.String() + "/refresh" }

func TestRefresh(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3, workers: 1})
	row, id := e.row(0)
	_, user := e.user("operator", true)
	var a refreshAnswer
	e.ok(200, "GET", refreshPath(row), user, "").into(t, &a)
	if a.Data.LastUpdated != nil || a.Data.Refreshing {
		t.Errorf("before: %+v", a.Data)
	}
	a = refreshAnswer{}
	e.ok(200, "POST", refreshPath(row), user, "").into(t, &a)
	d := a.Data
	if !a.Success || a.Cached || d.ID != row || d.TweetID != id || d.TwitterTweetID != id || !d.SnapshotCreated || d.Tier == "" || d.NextUpdateAt == nil || d.SnapshotAt == nil {
		t.Errorf("%+v", a)
	}
	if likes := d.Metrics["like_count"]; likes == nil || *likes != e.count(`select like_count from twitter_tweets where id = $1`, row) {
		t.Errorf("metrics %v", d.Metrics)
	}
	e.ok(200, "GET", refreshPath(row), user, "").into(t, &a)
	if a.Data.LastUpdated == nil || a.Data.Refreshing {
		t.Errorf("after: %+v", a.Data)
	}
	// What was just seen is not paid for again.
	a = refreshAnswer{}
	e.ok(200, "POST", refreshPath(row), user, "").into(t, &a)
	if !a.Cached || *a.Data.Metrics["like_count"] != *d.Metrics["like_count"] {
		t.Errorf("a second later: %+v", a)
	}
	if s := e.double.Stats(); s.Calls != 1 {
		t.Errorf("%d calls, want 1", s.Calls)
	}
	e.ok(403, "POST", refreshPath(row)+"?force=true", user, "")
	e.ok(200, "POST", refreshPath(row)+"?force=true", e.service, "").into(t, &a)
	if a.Cached || a.Data.SnapshotCreated || e.double.Stats().Calls != 2 {
		t.Errorf("forced: %+v, %d calls", a, e.double.Stats().Calls)
	}
}

func TestRefreshOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	row, _ := e.row(0)
	_, stranger := e.user("operator", false)
	var unknown, foreign answer
	for _, method := range []string{"GET", "POST"} {
		for _, bad := range []string{"x", "1%20or%201=1", "%27;drop%20table%20zones--", "urn:uuid:" + row.String(), strings.ToUpper("{" + row.String() + "}"), strings.ReplaceAll(row.String(), "-", "")} {
			e.ok(400, method, "/api/twitter/tweets/"+bad+"/refresh", e.service, "")
		}
		unknown = e.ok(404, method, refreshPath(uuid.New()), stranger, "")
		foreign = e.ok(404, method, refreshPath(row), stranger, "")
	}
	if unknown.code(t) != foreign.code(t) {
		t.Errorf("a foreign tweet is told from an unknown one: %s, %s", foreign.body, unknown.body)
	}
	e.exec(`delete from twitter_engagement_tracking`)
	if a := e.ok(409, "POST", refreshPath(row), e.service, ""); a.code(t) != "not_tracked" {
		t.Errorf("%s", a.body)
	}
}

func TestRefreshSaysWhyItFailed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fault  fakeprovider.Fault
		status int
		code   string
	}{
		{fakeprovider.OutOfCredit, 402, "out_of_credit"},
		{fakeprovider.RateLimited, 429, "rate_limited"},
		{fakeprovider.Unauthorized, 502, "key_refused"},
	} {
		t.Run(string(tc.fault), func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, options{tweets: 2, workers: 1})
			row, _ := e.row(0)
			fault := fakeprovider.CallInjection{Fault: tc.fault, Next: 50} // one refusal of key or credit says nothing, a lasting one does
			if tc.fault == fakeprovider.RateLimited {
				fault.Next = 1
			}
			testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{fault}}))
			a := e.ok(tc.status, "POST", refreshPath(row), e.service, "")
			if a.code(t) != tc.code {
				t.Errorf("%s", a.body)
			}
			if tc.status == 429 && a.header.Get("Retry-After") == "" {
				t.Error("it does not say when to come again")
			}
			if tc.fault == fakeprovider.OutOfCredit {
				// Known by now: nothing is asked for.
				calls := e.double.Stats().Calls
				other, _ := e.row(1)
				e.ok(402, "POST", refreshPath(other), e.service, "")
				if n := e.double.Stats().Calls; n != calls {
					t.Errorf("%d calls while out of credit", n-calls)
				}
			}
		})
	}
}

// While the provider is left alone a refresh hears so at once, without a worker, and
// the statistics say since when, why, and when it is checked next.
func TestRefreshWhileTheProviderIsLeftAlone(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	row, _ := e.row(0)
	e.source.Breaker.Open(t.Context(), e.clock.Database(), engagement.CauseOutage, "the provider fails again and again")
	a := e.ok(503, "POST", refreshPath(row), e.service, "")
	if a.code(t) != string(engagement.CauseOutage) || a.header.Get("Retry-After") == "" {
		t.Errorf("%v %s", a.header, a.body)
	}
	var answer struct {
		Tracking struct {
			PauseReason string                    `json:"pause_reason"`
			Providers   []throttle.ProviderStatus `json:"providers"`
		} `json:"tracking_stats"`
	}
	testkit.Must(t, json.Unmarshal(e.ok(200, "GET", "/api/twitter/engagement/update", e.service, "").body, &answer))
	stats := answer.Tracking
	if len(stats.Providers) != 1 || stats.PauseReason == "" {
		t.Fatalf("%+v", stats)
	}
	if b := stats.Providers[0].Breaker; b.State != throttle.BreakerOpen || b.Since == nil || b.NextCheck == nil || b.Reason != stats.PauseReason {
		t.Errorf("%+v", b)
	}
}

func deletedTweet(id string) fakeprovider.Injection {
	return fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{{Fault: fakeprovider.Deleted, IDs: []string{id}}}}
}

func TestRefreshOfADeletedTweet(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 2, workers: 1})
	row, id := e.row(0)
	other, _ := e.row(1)
	testkit.Must(t, e.double.Inject(deletedTweet(id)))
	// A tweet that is missing is not a deleted tweet: not without another in the same
	// answer, and not at the first time.
	if a := e.ok(503, "POST", refreshPath(row), e.service, ""); a.code(t) != "missing" {
		t.Errorf("%s", a.body)
	}
	e.ok(200, "POST", refreshPath(other), e.service, "")
	if a := e.ok(503, "POST", refreshPath(row), e.service, ""); a.code(t) != "missing" {
		t.Errorf("%s", a.body)
	}
	if n := e.count(`select misses from twitter_engagement_tracking where tweet_db_id = $1`, row); n != 1 {
		t.Errorf("%d misses, want 1", n)
	}
	e.exec(`update twitter_engagement_tracking set misses = 14, last_missed_at = last_missed_at - interval '1 day' where misses = 1`)
	for range 2 {
		if a := e.ok(410, "POST", refreshPath(row), e.service, ""); a.code(t) != "gone" || !strings.Contains(string(a.body), "missing") {
			t.Errorf("%s", a.body)
		}
	}
	// It is back.
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Clear: true}))
	e.ok(200, "POST", refreshPath(row), e.service, "")
	if n := e.count(`select count(*) from twitter_engagement_tracking where gone_reason is null and misses = 0 and next_update_at is not null`); n != 2 {
		t.Errorf("%d tweets are looked after, want 2", n)
	}
}

// TestRefreshThatTakesLonger is answered 202, and later at its Location.
func TestRefreshThatTakesLonger(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 2}) // no worker yet
	row, _ := e.row(0)
	a := e.ok(202, "POST", refreshPath(row)+"?wait=10ms", e.service, "")
	at := a.header.Get("Location")
	if !strings.HasPrefix(at, refreshPath(row)+"/") || a.header.Get("Retry-After") == "" {
		t.Fatalf("location %q", at)
	}
	e.ok(202, "GET", at, e.service, "")
	var current refreshAnswer
	e.ok(200, "GET", refreshPath(row), e.service, "").into(t, &current)
	if !current.Data.Refreshing {
		t.Error("nothing says that a refresh is under way")
	}
	other, _ := e.row(1)
	e.ok(404, "GET", strings.Replace(at, row.String(), other.String(), 1), e.service, "")
	e.ok(404, "GET", refreshPath(row)+"/"+uuid.NewString(), e.service, "")
	_, stranger := e.user("manager", false)
	e.ok(404, "GET", at, stranger, "")

	e.startWorker()
	testkit.Until(t, func() bool { return e.do("GET", at, e.service, "").status == 200 })
	var done refreshAnswer
	e.ok(200, "GET", at, e.service, "").into(t, &done)
	if !done.Data.SnapshotCreated {
		t.Errorf("%+v", done)
	}
	e.exec(`update gorgone.refresh_requests set closed_at = null, outcome = null, deadline = requested_at - interval '1 s'`)
	if a := e.ok(504, "GET", at, e.service, ""); a.code(t) != "expired" {
		t.Errorf("past its deadline: %s", a.body)
	}
}

// TestRefreshSurvivesALostEvent: the row is read again, so that the answer comes
// later and not never.
func TestRefreshSurvivesALostEvent(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	row, id := e.row(0)
	var a answer
	var waiting conc.WaitGroup
	waiting.Go(func() { a = e.do("POST", refreshPath(row), e.service, "") })
	testkit.Until(t, func() bool { return e.count(`select count(*) from gorgone.refresh_requests`) == 1 })
	// The failure is recorded and no result is published.
	testkit.Must(t, e.store.FailRefreshes(t.Context(), []store.RefreshFailure{{TweetID: id, Cause: string(engagement.CauseProvider), Reason: "no result was published"}}))
	waiting.Wait()
	if a.status != 502 || !strings.Contains(string(a.body), "no result was published") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestRefreshLimitsUsers(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 5, workers: 1, config: func(c *web.Config) {
		c.UserLimits = store.Limits{Allowance: 3}
	}})
	_, user := e.user("operator", true)
	for i := range 3 {
		row, _ := e.row(i)
		e.ok(200, "POST", refreshPath(row), user, "")
	}
	row, _ := e.row(0)
	e.ok(200, "POST", refreshPath(row), user, "") // cached: costs nothing
	row, _ = e.row(3)
	a := e.ok(429, "POST", refreshPath(row), user, "")
	if a.code(t) != "limit" || a.header.Get("Retry-After") == "" || !strings.Contains(string(a.body), "3 refreshes an hour") {
		t.Errorf("%s", a.body)
	}
	_, other := e.user("operator", true)
	e.ok(200, "POST", refreshPath(row), other, "")
	row, _ = e.row(4)
	e.ok(200, "POST", refreshPath(row), e.service, "") // services have no such limit
}

func TestRefreshServesAllZones(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1, workers: 1})
	row, id := e.row(0)
	zone, err := e.store.CreateZone(t.Context(), store.Zone{Name: "other"})
	testkit.Must(t, err)
	tweet, _ := e.double.Population().Tweet(id)
	tracked, err := e.store.Track(t.Context(), zone.ID, []store.NewTweet{{TweetID: id, CreatedAt: tweet.CreatedAt}})
	testkit.Must(t, err)
	e.ok(200, "POST", refreshPath(row), e.service, "")
	var a refreshAnswer
	e.ok(200, "POST", refreshPath(tracked[0].Row), e.service, "").into(t, &a)
	if !a.Cached || e.double.Stats().Calls != 1 {
		t.Errorf("the other zone's row: %+v, %d calls", a, e.double.Stats().Calls)
	}
}

// TestEitherID: a path names a tweet by its row or by the platform's id, in the first
// zone that the caller may see.
func TestEitherID(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 2, workers: 1})
	row, id := e.row(0)
	foreign := uuid.New()
	e.exec(`insert into clients (id, name) values ($1, 'another')`, foreign)
	e.exec(`insert into zones (id, name, client_id, is_active) values ($1, 'a first one', $1, true)`, foreign)
	_, err := e.store.Track(t.Context(), foreign, []store.NewTweet{{TweetID: id, CreatedAt: e.clock.Now()}})
	testkit.Must(t, err)
	_, own := e.user("operator", true)
	_, stranger := e.user("operator", false)
	var chart struct {
		Data struct {
			ID      uuid.UUID
			TweetID string    `json:"tweet_id"`
			ZoneID  uuid.UUID `json:"zone_id"`
		}
	}
	for _, ref := range []string{row.String(), id, url.PathEscape("https://x.com/i/status/" + id), url.PathEscape("https://twitter.com/jack/status/" + id + "?s=20#m")} {
		e.ok(200, "GET", "/api/twitter/engagement/"+ref, own, "").into(t, &chart)
		if chart.Data.ID != row || chart.Data.TweetID != id || chart.Data.ZoneID != e.zone {
			t.Errorf("%s: %+v", ref, chart.Data)
		}
		e.ok(200, "GET", "/api/twitter/engagement/"+ref+".csv", own, "")
		e.ok(200, "GET", "/api/twitter/tweets/"+ref+"/refresh", own, "")
		e.ok(404, "GET", "/api/twitter/engagement/"+ref, stranger, "")
	}
	e.ok(404, "GET", "/api/twitter/engagement/20", own, "")
	e.ok(400, "GET", "/api/twitter/engagement/twenty", own, "")
	e.ok(400, "GET", "/api/twitter/engagement/"+url.PathEscape("https://evil.example/i/status/"+id), own, "")
	a := e.ok(202, "POST", "/api/twitter/tweets/"+id+"/refresh?wait=0", own, "")
	request := a.header.Get("Location")[strings.LastIndex(a.header.Get("Location"), "/"):]
	for _, path := range []string{
		a.header.Get("Location"), "/api/twitter/tweets/" + id + "/refresh" + request,
		"/api/twitter/tweets/" + url.PathEscape("x.com/i/status/"+id) + "/refresh" + request,
	} {
		for e.do("GET", path, own, "").status == 202 {
			continue
		}
		e.ok(200, "GET", path, own, "")
		e.ok(404, "GET", path, stranger, "")
	}
	other, _ := e.row(1)
	e.ok(404, "GET", "/api/twitter/tweets/"+other.String()+"/refresh"+request, own, "")
}
