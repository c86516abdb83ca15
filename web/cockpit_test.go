package web_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/web/auth"
)

// TestOperatorsPauseAndResume by HTTP, and others do not.
func TestOperatorsPauseAndResume(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	const path = "/api/twitter/pauses"
	operate := scopedToken(auth.ScopeOperate)
	paused := func() int {
		return e.count(`select count(*) from gorgone.pauses where lane = 'batches' and reason = 'the bill'`)
	}
	_, manager := e.user("manager", true)
	for _, token := range []string{manager, scopedToken(auth.ScopeRead)} {
		e.ok(403, "POST", path, token, `{"lane": "batches"}`)
		e.ok(403, "POST", path+"/resume", token, `{"lane": "batches"}`)
	}
	e.ok(200, "POST", path, operate, `{"lane": "batches", "reason": "the bill", "seconds": 3600}`)
	if paused() != 1 {
		t.Error("it is not paused")
	}
	for _, bad := range []string{`{}`, `{"lane": "all"}`, `{"lane": "batches", "seconds": -1}`} {
		e.ok(400, "POST", path, operate, bad)
	}
	e.ok(400, "POST", path+"/resume", operate, `{"lane": "x"}`)
	e.ok(200, "POST", path+"/resume", operate, `{"lane": "batches"}`)
	if paused() != 0 {
		t.Error("it is paused still")
	}
}

// TestManyDeadLetters are dropped and retried at once; one that fails stops no other.
func TestManyDeadLetters(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	nc := e.nats.Connect(t)
	for range 3 {
		e.publishDead(nc, "batch", "t.batch.due", "not json")
	}
	var list letterAnswer
	e.ok(200, "GET", lettersPath, e.service, "").into(t, &list)
	var seqs []uint64
	for _, d := range list.Data {
		seqs = append(seqs, d.Seq)
	}
	slices.Sort(seqs)
	var results struct {
		Data []struct {
			Seq   uint64
			Error string
		}
	}
	body := fmt.Sprintf(`{"seqs": [%d, 999999, %d]}`, seqs[0], seqs[1])
	e.ok(200, "POST", lettersPath+"/retry", e.service, body).into(t, &results)
	for _, r := range results.Data {
		if r.Error == "" {
			t.Errorf("%d was retried: none can be", r.Seq)
		}
	}
	e.ok(200, "POST", lettersPath+"/drop", e.service, body).into(t, &results)
	if r := results.Data; len(r) != 3 || r[0].Error != "" || r[1].Error == "" || r[2].Error != "" {
		t.Errorf("%+v", r)
	}
	e.ok(200, "GET", lettersPath, e.service, "").into(t, &list)
	if len(list.Data) != 1 || list.Data[0].Seq != seqs[2] {
		t.Errorf("left over: %+v", list.Data)
	}
	for _, bad := range []string{`{}`, `{"seqs": []}`, `{"seqs": ["x"]}`} {
		e.ok(400, "POST", lettersPath+"/drop", e.service, bad)
	}
	_, manager := e.user("manager", true)
	e.ok(403, "POST", lettersPath+"/drop", manager, body)
	e.ok(403, "POST", lettersPath+"/retry", manager, body)
}

// TestZonesAreListedAndChanged: who may read sees the own zones, without what they cost; who
// may operate changes their schedule, and nothing else of their settings.
func TestZonesAreListedAndChanged(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3, budget: store.Budget{Day: 10}})
	const path = "/api/twitter/zones"
	other := e.newZoneOf(t)
	testkit.Must(t, e.ledger.RecordCalls(t.Context(), false, store.Calls{Provider: twitter.TwitterAPIName, Count: 1, Billed: 100}))
	e.exec(`update zones set settings = '{"mine": 1, "schedule": "adaptive"}' where id = $1`, e.zone)
	type zone struct {
		ID            uuid.UUID
		Schedule      string
		MinEngagement int64 `json:"min_engagement"`
		Live, Due     int
		CostToday     *float64 `json:"cost_today"`
		AgeSeconds    *float64 `json:"age_seconds"`
	}
	list := func(token string) map[uuid.UUID]zone {
		t.Helper()
		var got struct{ Data []zone }
		e.ok(200, "GET", path, token, "").into(t, &got)
		zones := make(map[uuid.UUID]zone)
		for _, z := range got.Data {
			zones[z.ID] = z
		}
		return zones
	}
	_, manager := e.user("manager", true)
	seen := list(manager)
	if z := seen[e.zone]; len(seen) != 1 || z.Live != 3 || z.Due != 3 || z.CostToday != nil || z.AgeSeconds != nil || z.Schedule != "adaptive" {
		t.Errorf("a manager sees %+v", seen)
	}
	e.ok(404, "GET", path+"?zone="+other.String(), manager, "")
	at := path + "/" + e.zone.String()
	e.ok(403, "POST", at, manager, `{"schedule": "tiers"}`)
	operate := scopedToken(auth.ScopeOperate)
	for _, bad := range []string{`{"schedule": "x"}`, `{"min_engagement": -1}`, `{"budget": 1}`} {
		e.ok(400, "POST", at, operate, bad)
	}
	e.ok(404, "POST", path+"/"+uuid.NewString(), operate, `{}`)
	e.ok(200, "POST", at, operate, `{"min_engagement": 50}`)
	if n := e.count(`select count(*) from zones where id = $1 and settings = '{"mine": 1, "min_engagement": 50}'`, e.zone); n != 1 {
		t.Error("the settings are others")
	}
	if all := list(e.service); len(all) != 2 || all[e.zone].MinEngagement != 50 || all[e.zone].CostToday == nil {
		t.Errorf("a service sees %+v", all)
	}
	e.exec(`insert into gorgone.ledger (day, provider, zone_id, refresh, kind, calls, tweets, credits, dollars)
		values ((now() at time zone 'UTC')::date - 1, 'x', $1, true, 'refresh', 1, 50, 0, 0.25)`, e.zone)
	var cost struct {
		Data struct {
			Days []struct {
				Day  string
				Cost float64
			}
			Zones   []struct{ Today, Cost float64 }
			Clients []struct {
				Name        string
				Today, Cost float64
			}
			Kinds []struct {
				Provider, Kind string
				Cost           float64
			}
			Limits []struct{ Spent, Dollars float64 }
		}
	}
	e.ok(200, "GET", "/api/twitter/cost", e.service, "").into(t, &cost)
	if d := cost.Data; len(d.Days) != 31 || d.Days[30].Cost != 1 || d.Days[29].Cost != 0.25 || len(d.Zones) != 2 || d.Zones[0].Today != 1 || len(d.Limits) != 1 || d.Limits[0].Spent != 1 {
		t.Errorf("the cost: %+v", d)
	}
	if d := cost.Data; len(d.Clients) != 2 || d.Clients[0].Name != "" || d.Clients[0].Cost != 1 || d.Clients[1].Name != "gorgone" || d.Clients[1].Cost != 0.25 ||
		len(d.Kinds) != 2 || d.Kinds[0].Kind != "schedule" || d.Kinds[0].Cost != 1 || d.Kinds[1].Kind != "refresh" || d.Kinds[1].Cost != 0.25 {
		t.Errorf("by client and kind: %+v, %+v", d.Clients, d.Kinds)
	}
}

// newZoneOf makes a zone of another client.
func (e *engine) newZoneOf(t *testing.T) uuid.UUID {
	t.Helper()
	client := uuid.New()
	e.exec(`insert into clients (id, name) values ($1, 'another')`, client)
	z, err := e.store.CreateZone(t.Context(), store.Zone{Name: "theirs", ClientID: client})
	testkit.Must(t, err)
	return z.ID
}
