package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
)

// TestAlerts: what rules have told of, by zone, and a live event for each.
func TestAlerts(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3})
	_, err := e.alerts.AddRule(t.Context(), alert.Rule{AlertRule: engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 10}})
	testkit.Must(t, err)
	for n := range 3 {
		_, id := e.row(n)
		at := e.clock.Now()
		_, err = e.store.ApplyRefresh(t.Context(), []store.RefreshResult{{
			TweetID: id, RequestedAt: at, Kind: store.Found,
			Observation: engagement.Observation{At: at, Metrics: engagement.Metrics{Likes: engagement.Known(20)}},
		}})
		testkit.Must(t, err)
	}
	e.exec(`update gorgone.alerts set cleared_at = raised_at where id = (select id from gorgone.alerts order by id limit 1)`)
	type list struct {
		Total int
		Next  *string
		Data  []struct {
			RowID     *uuid.UUID `json:"row_id"`
			TweetID   *string    `json:"tweet_id"`
			ZoneID    uuid.UUID  `json:"zone_id"`
			Kind      string
			Value     float64
			Threshold *float64
			RaisedAt  time.Time  `json:"raised_at"`
			ClearedAt *time.Time `json:"cleared_at"`
			Text      string
		}
	}
	_, own := e.user("operator", true)
	_, stranger := e.user("operator", false)
	const path = "/api/twitter/alerts"
	for query, want := range map[string]int{"": 3, "?active=true": 2, "?limit=1": 1, "?offset=2": 1, "?since=2200-01-01": -1, "?since=1h": 3, "?zone=" + e.zone.String(): 3} {
		if want < 0 {
			e.ok(400, "GET", path+query, own, "")
			continue
		}
		var got list
		e.ok(200, "GET", path+query, own, "").into(t, &got)
		if len(got.Data) != want {
			t.Errorf("%q: %d alerts, want %d", query, len(got.Data), want)
		}
		if (got.Next != nil) != (query == "?limit=1") || query != "?active=true" && got.Total != 3 {
			t.Errorf("%q: %d in total, then %v", query, got.Total, got.Next)
		}
		for _, a := range got.Data {
			if a.RowID == nil || a.TweetID == nil || a.ZoneID != e.zone || a.Kind != "count" || a.Value != 20 || a.Threshold == nil || *a.Threshold != 10 || a.Text == "" {
				t.Errorf("%q: %+v", query, a)
			}
		}
	}
	var none list
	e.ok(200, "GET", path, stranger, "").into(t, &none)
	if len(none.Data) != 0 {
		t.Errorf("a stranger sees %d alerts", len(none.Data))
	}
	e.ok(404, "GET", path+"?zone="+e.zone.String(), stranger, "")
	for _, bad := range []string{"?active=perhaps", "?limit=0", "?offset=-1", "?since=x", "?zone=x"} {
		e.ok(400, "GET", path+bad, own, "")
	}
	if a := e.ok(400, "GET", path+"?kind=x", own, ""); !strings.Contains(string(a.body), "burst") {
		t.Errorf("the refusal of a kind does not say which there are: %s", a.body)
	}
}

// TestCost: the sums of the day and the month, for those who see all zones.
func TestCost(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	const path = "/api/twitter/cost"
	testkit.Must(t, e.store.RecordCalls(t.Context(), false, store.Calls{Provider: "twitterapi.io", Count: 2, Billed: 40}))
	testkit.Must(t, e.store.RecordBalance(t.Context(), store.Balance{Provider: "twitterapi.io", At: e.clock.Now(), Credits: 5000}))
	var got struct {
		Data struct {
			Today, Month struct{ Calls, Tweets, Credits, Cost float64 }
			Budget       map[string]*float64
			CreditsLeft  *float64 `json:"credits_left"`
			Balances     []struct{ Left float64 }
		}
	}
	_, admin := e.user("admin", false)
	for _, token := range []string{e.service, admin} {
		e.ok(200, "GET", path, token, "").into(t, &got)
		d := got.Data
		if d.Today.Calls != 2 || d.Today.Tweets != 40 || d.Month != d.Today || d.CreditsLeft == nil || *d.CreditsLeft != 5000 || len(d.Balances) != 1 {
			t.Errorf("%+v", d)
		}
	}
	_, own := e.user("operator", true)
	e.ok(403, "GET", path, own, "")
}
