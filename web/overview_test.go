package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/web"
)

type overviewAnswer struct {
	Data struct {
		Tracking struct{ Total, Unusable int }
		Recent   struct {
			Found       int
			Calls       int
			SuccessRate *float64 `json:"success_rate"`
			ErrorRate   *float64 `json:"error_rate"`
			Steps       []struct{ Found int }
		}
		Replicas []struct {
			ID     string
			Roles  []string
			InWork int `json:"in_work"`
		}
	}
}

func TestOverview(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 31, workers: 1})
	row, _ := e.row(0)
	e.exec(`update twitter_tweets set tweet_id = 'none' where id = $1`, row)
	leave, err := e.queue.ServePresence(func() queue.Replica { return queue.Replica{ID: "a", Roles: []string{"worker"}, InWork: 2} })
	testkit.Must(t, err)
	defer leave()
	e.ok(200, "POST", updatePath+"?wait=20s", e.service, `{"limit": 100}`)
	var view overviewAnswer
	e.ok(200, "GET", "/api/twitter/overview", e.service, "").into(t, &view)
	d := view.Data
	if d.Tracking.Total != 31 || d.Tracking.Unusable != 1 || d.Recent.Found != 30 || d.Recent.Calls == 0 || len(d.Recent.Steps) != 30 {
		t.Errorf("%+v", d)
	}
	if d.Recent.SuccessRate == nil || *d.Recent.SuccessRate != 1 || d.Recent.ErrorRate == nil || *d.Recent.ErrorRate != 0 {
		t.Errorf("success %v, errors %v", d.Recent.SuccessRate, d.Recent.ErrorRate)
	}
	found := 0
	for _, s := range d.Recent.Steps {
		found += s.Found
	}
	if found != 30 {
		t.Errorf("%d tweets in the steps", found)
	}
	if len(d.Replicas) != 1 || d.Replicas[0].ID != "a" || d.Replicas[0].InWork != 2 {
		t.Errorf("replicas %+v", d.Replicas)
	}
	_, manager := e.user("manager", true)
	e.ok(200, "GET", "/api/twitter/overview", manager, "")
}

// TestOverviewWithoutQueue: what the database knows is shown all the same.
func TestOverviewWithoutQueue(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3})
	e.conn.Close()
	var view overviewAnswer
	e.ok(200, "GET", "/api/twitter/overview", e.service, "").into(t, &view)
	if view.Data.Tracking.Total != 3 || view.Data.Replicas != nil || view.Data.Recent.SuccessRate != nil {
		t.Errorf("%+v", view.Data)
	}
}

type listAnswer struct {
	Total int
	Next  *string
	Data  []struct {
		ID     uuid.UUID `json:"id"`
		ZoneID uuid.UUID `json:"zone_id"`
		Text   string
	}
}

func TestTweetList(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 12})
	other, err := e.store.CreateZone(t.Context(), store.Zone{Name: "other"})
	testkit.Must(t, err)
	_, err = e.store.Track(t.Context(), other.ID, []store.NewTweet{{TweetID: "1981517640000000000", CreatedAt: e.clock.Now(), Text: "of <script>another</script> zone"}})
	testkit.Must(t, err)
	list := func(token, query string) (l listAnswer) {
		t.Helper()
		e.ok(200, "GET", "/api/twitter/tweets?"+query, token, "").into(t, &l)
		return l
	}
	if l := list(e.service, "limit=5&offset=10"); l.Total != 13 || len(l.Data) != 3 || l.Next != nil {
		t.Errorf("third page: %d of %d", len(l.Data), l.Total)
	}
	for _, path := range []string{"/api/twitter/tweets?by=posted&limit=5", "/api/twitter/engagement/top?since=48h&by=engagement&limit=5"} {
		seen := make(map[uuid.UUID]bool)
		next := &path
		for next != nil {
			var l listAnswer
			e.ok(200, "GET", *next, e.service, "").into(t, &l)
			for _, tweet := range l.Data {
				seen[tweet.ID] = true
			}
			if next = l.Next; l.Total != 13 || len(l.Data) > 5 {
				t.Errorf("%s: %d of %d", path, len(l.Data), l.Total)
			}
		}
		if len(seen) != 13 {
			t.Errorf("%s: %d tweets on all pages", path, len(seen))
		}
	}
	if l := list(e.service, "by=posted&order=asc&limit=1"); l.Data[0].ID == list(e.service, "by=posted&limit=1").Data[0].ID {
		t.Error("the oldest is the newest")
	}
	first := list(e.service, "limit=2").Data
	if l := list(e.service, "ids="+first[1].ID.String()+","+uuid.NewString()); l.Total != 1 || l.Data[0].ID != first[1].ID {
		t.Errorf("by id: %+v", l)
	}
	if l := list(e.service, "q="+url.QueryEscape("<SCRIPT>")); l.Total != 1 || l.Data[0].Text != "of <script>another</script> zone" {
		t.Errorf("searched: %+v", l)
	}
	_, own := e.user("manager", true)
	_, stranger := e.user("manager", false)
	if l := list(own, ""); l.Total != 13 { // both zones are of the same client
		t.Errorf("own zones: %d tweets", l.Total)
	}
	if l := list(stranger, ""); l.Total != 0 || len(l.Data) != 0 {
		t.Errorf("a stranger sees %d tweets", l.Total)
	}
	if l := list(stranger, "ids="+first[0].ID.String()); l.Total != 0 || len(l.Data) != 0 {
		t.Error("a stranger sees a tweet by its id")
	}
	e.ok(404, "GET", "/api/twitter/tweets?zone="+e.zone.String(), stranger, "")
	for _, bad := range []string{"by=name", "order=down", "ids=1", "ids=" + strings.Repeat(uuid.NewString()+",", 201), "tier=lukewarm", "limit=0", "limit=201", "offset=-1", "zone=x", "q=%00", "q=" + url.QueryEscape(string(make([]byte, 300)))} {
		e.ok(400, "GET", "/api/twitter/tweets?"+bad, e.service, "")
	}
}

// TestCoalescing: many who ask at once cost one reading, and an error is not kept.
func TestCoalescing(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	release := make(chan struct{})
	find := func(context.Context) (int, error) {
		<-release
		return int(calls.Add(1)), nil
	}
	c := web.NewCoalescer()
	ctx, leave := context.WithCancel(t.Context())
	var asking conc.WaitGroup
	for i := range 20 {
		asking.Go(func() {
			who := t.Context()
			if i == 0 {
				who = ctx
			}
			n, err := c.Get(who, "q", find)
			if i > 0 && (n != 1 || err != nil) {
				t.Errorf("%d %v", n, err)
			}
		})
	}
	leave() // the others get their answer all the same
	close(release)
	asking.Wait()
	if n, err := c.Get(t.Context(), "q", find); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	broken := errors.New("broken")
	if _, err := c.Get(t.Context(), "other", func(context.Context) (int, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if n, err := c.Get(t.Context(), "other", find); n != 2 || err != nil {
		t.Errorf("after an error: %d %v", n, err)
	}
	c.Advance(3 * time.Second)
	if n, err := c.Get(t.Context(), "q", find); n != 3 || err != nil {
		t.Errorf("when it is old: %d %v", n, err)
	}
	for i := range 200 {
		if _, err := c.Get(t.Context(), fmt.Sprint(i), find); err != nil {
			t.Error(err)
		}
	}
	if n := c.Held(); n > 64 {
		t.Errorf("%d answers are held", n)
	}
}
