package web_test

import (
	"encoding/csv"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
)

func asNetError(err error, target *net.Error) bool { return errors.As(err, target) }

// seen writes a history of n snapshots, ten minutes apart, to a tweet of its own.
func (e *engine) seen(n int) (row uuid.UUID) {
	e.t.Helper()
	at := e.clock.Now().Add(-time.Duration(n) * 10 * time.Minute)
	id := engagement.TweetIDAt(at, int64(n))
	tracked, err := e.store.Track(e.t.Context(), e.zone, []store.NewTweet{{TweetID: id, CreatedAt: at, Text: "seen, \"often\""}})
	testkit.Must(e.t, err)
	for i := range n {
		m := engagement.Metrics{Likes: engagement.Known(int64(i * 10)), Retweets: engagement.Known(1), Replies: engagement.Known(0), Quotes: engagement.Known(0)}
		look := at.Add(time.Duration(i+1) * 10 * time.Minute)
		_, err := e.store.ApplyRefresh(e.t.Context(), []store.RefreshResult{{
			TweetID: id, RequestedAt: look, Kind: store.Found, Observation: engagement.Observation{At: look, Metrics: m},
		}})
		testkit.Must(e.t, err)
	}
	return tracked[0].Row
}

func TestHistory(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	row := e.seen(5)
	path := "/api/twitter/engagement/" + row.String()
	type chart struct {
		Data struct {
			ID        uuid.UUID `json:"id"`
			Metrics   map[string]*int
			Baseline  *struct{}
			Snapshots []struct {
				At       time.Time `json:"snapshot_at"`
				Likes    *int      `json:"like_count"`
				Views    *int      `json:"view_count"`
				Delta    *int      `json:"delta_likes"`
				Velocity *float64  `json:"engagement_velocity"`
			}
			Truncated   bool
			UpdateCount int `json:"update_count"`
		}
	}
	var c chart
	e.ok(200, "GET", path, e.service, "").into(t, &c)
	s := c.Data.Snapshots
	if len(s) != 5 || c.Data.Baseline == nil || c.Data.Truncated || c.Data.UpdateCount != 5 || *c.Data.Metrics["like_count"] != 40 {
		t.Fatalf("%+v", c.Data)
	}
	if s[0].Velocity != nil || *s[4].Velocity != 60 || *s[4].Delta != 10 || s[4].Views != nil {
		t.Errorf("%+v", s)
	}
	c = chart{}
	e.ok(200, "GET", path+"?limit=2", e.service, "").into(t, &c)
	if len(c.Data.Snapshots) != 2 || !c.Data.Truncated || c.Data.Baseline != nil || !c.Data.Snapshots[1].At.Equal(s[4].At) {
		t.Errorf("limited: %+v", c.Data)
	}
	c = chart{}
	e.ok(200, "GET", path+"?from="+s[3].At.Format(time.RFC3339), e.service, "").into(t, &c)
	if n := len(c.Data.Snapshots); n != 2 {
		t.Errorf("%d snapshots in the range", n)
	}
	for _, bad := range []string{"?from=yesterday", "?limit=0", "?limit=x", "?from=2026-02-01&to=2026-01-01", "?from=0001-01-01"} {
		e.ok(400, "GET", path+bad, e.service, "")
	}
	e.ok(404, "GET", "/api/twitter/engagement/"+uuid.NewString(), e.service, "")
	e.ok(400, "GET", "/api/twitter/engagement/'--", e.service, "")

	a := e.ok(200, "GET", path+".csv", e.service, "")
	rows, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	testkit.Must(t, err)
	if len(rows) != 6 || rows[0][0] != "snapshot_at" || rows[1][5] != "" || rows[5][3] != "40" || !strings.Contains(a.header.Get("Content-Disposition"), ".csv") {
		t.Errorf("%v", rows)
	}
}

func TestTopAndExport(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	slow, fast := e.seen(3), e.seen(4)
	e.exec(`update twitter_engagement_history set engagement_velocity = 5 where tweet_id = $1 and engagement_velocity is not null`, slow)
	var top struct {
		Data []struct {
			ID       uuid.UUID `json:"id"`
			Velocity *float64  `json:"engagement_velocity"`
		}
	}
	e.ok(200, "GET", "/api/twitter/engagement/top?zone="+e.zone.String(), e.service, "").into(t, &top)
	if len(top.Data) != 2 || top.Data[0].ID != fast || *top.Data[0].Velocity != 60 || *top.Data[1].Velocity != 5 {
		t.Errorf("%+v", top.Data)
	}
	e.ok(200, "GET", "/api/twitter/engagement/top?by=engagement&limit=1&since=24h", e.service, "").into(t, &top)
	if len(top.Data) != 1 || top.Data[0].ID != fast {
		t.Errorf("%+v", top.Data)
	}
	_, stranger := e.user("operator", false)
	e.ok(200, "GET", "/api/twitter/engagement/top", stranger, "").into(t, &top)
	if len(top.Data) != 0 {
		t.Errorf("a stranger sees %+v", top.Data)
	}
	for _, bad := range []string{"?by=name", "?limit=1000", "?since=-1h", "?since=9000h", "?zone=x", "?since=2007-01-01"} {
		e.ok(400, "GET", "/api/twitter/engagement/top"+bad, e.service, "")
	}
	path := "/api/twitter/zones/" + e.zone.String() + "/export.csv"
	lines := func(query string) int {
		rows, err := csv.NewReader(strings.NewReader(string(e.ok(200, "GET", path+query, e.service, "").body))).ReadAll()
		testkit.Must(t, err)
		return len(rows)
	}
	if n := lines(""); n != 1+7 {
		t.Errorf("%d lines", n)
	}
	if n := lines("?to=2020-01-01"); n != 1 {
		t.Errorf("%d lines of an empty range", n)
	}
	e.ok(404, "GET", "/api/twitter/zones/"+uuid.NewString()+"/export.csv", e.service, "")
	e.ok(400, "GET", path+"?from=x", e.service, "")
}
