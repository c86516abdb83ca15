package app_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/config"
	"gorgone/internal/enginetest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/keys"
	"gorgone/throttle"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

// ownKey is the key that a client brings, by which the front of the fake provider knows it.
const ownKey = "acme-brings-this-key"

// front stands before a fake provider, which knows one key only: it takes two, refuses one when
// told to, and notes by which key which tweets were asked for and returned.
type front struct {
	double *fakeprovider.Server

	mu      sync.Mutex
	refused bool // the client's own key
	calls   []frontCall
}

type frontCall struct {
	key      string
	at       time.Time
	ids      []string
	status   int
	returned int
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := frontCall{key: r.Header.Get("X-API-Key"), at: time.Now(), ids: strings.Split(r.URL.Query().Get("tweet_ids"), ",")}
	f.mu.Lock()
	refused := f.refused && call.key == ownKey || call.key != ownKey && call.key != enginetest.ProviderKey
	f.mu.Unlock()
	answer := httptest.NewRecorder()
	if refused {
		http.Error(answer, `{"error":"Unauthorized","message":"API key is invalid"}`, http.StatusUnauthorized)
	} else {
		r.Header.Set("X-API-Key", enginetest.ProviderKey)
		f.double.ServeHTTP(answer, r)
	}
	var body struct{ Tweets []json.RawMessage }
	_ = json.Unmarshal(answer.Body.Bytes(), &body) // of a refusal there are none
	call.status, call.returned = answer.Code, len(body.Tweets)
	if r.URL.Query().Has("tweet_ids") {
		f.mu.Lock()
		f.calls = append(f.calls, call)
		f.mu.Unlock()
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (f *front) refuse(refused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = refused
}

// by returns the calls by a key so far.
func (f *front) by(key string) (calls []frontCall) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c.key == key {
			calls = append(calls, c)
		}
	}
	return calls
}

// asked returns how often each tweet was asked for in calls, and how many tweets they returned.
func asked(calls []frontCall) (times map[string]int, returned int) {
	times = make(map[string]int)
	for _, c := range calls {
		for _, id := range c.ids {
			times[id]++
		}
		returned += c.returned
	}
	return times, returned
}

// tenancy is two clients: one with a key of its own, whose zone has the first 40 of 60 tweets,
// and one without, whose zone has the last 40.
type tenancy struct {
	t      *testing.T
	cfg    config.Config
	ground *enginetest.Ground
	front  *front
	client uuid.UUID
	zone   uuid.UUID       // of the client with a key
	theirs map[string]bool // tweets of that zone
	shared map[string]bool // of the other
}

func newSecret(fill byte) config.Secret {
	return config.Secret(base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(fill), 32))))
}

func newTenancy(t *testing.T, rate float64) *tenancy {
	t.Helper()
	cfg, g, double := configure(t, 60)
	f := &front{double: double}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	cfg.Provider.URL, cfg.Provider.PerCall, cfg.Provider.BalanceEvery = server.URL, 2, 0
	cfg.Provider.BreakerRest, cfg.Provider.BreakerMaxRest = 300*time.Millisecond, time.Second
	cfg.KeySecrets.Sealing = newSecret('s')
	e := &tenancy{t: t, cfg: cfg, ground: g, front: f, client: uuid.New()}
	_, err := pgtest.Connect(t, g.URL).Exec(t.Context(), `insert into clients (id, name) values ($1, 'ACME')`, e.client)
	testkit.Must(t, err)
	zone, err := g.Store.CreateZone(t.Context(), store.Zone{Name: "theirs", ClientID: e.client})
	testkit.Must(t, err)
	e.zone = zone.ID
	tweets := enginetest.Tweets(double)
	e.theirs, e.shared = make(map[string]bool), make(map[string]bool)
	for i, tw := range tweets {
		e.theirs[tw.TweetID], e.shared[tw.TweetID] = i < 40, i >= 20
	}
	_, err = g.Store.Track(t.Context(), e.zone, tweets[:40])
	testkit.Must(t, err)
	_, err = g.Store.Track(t.Context(), g.Zone.ID, tweets[20:])
	testkit.Must(t, err)
	sealer, err := keys.ParseSecrets(string(cfg.KeySecrets.Sealing))
	testkit.Must(t, err)
	_, err = keys.New(g.DB, g.Clock).Set(t.Context(), sealer, keys.Setting{Client: e.client, Provider: twitter.TwitterAPIName, Key: ownKey, Rate: rate, By: "test"})
	testkit.Must(t, err)
	return e
}

// start runs an app with roles until the end of the test.
func (e *tenancy) start(cfg config.Config, roles ...app.Role) *app.App {
	e.t.Helper()
	a, err := app.New(e.t.Context(), cfg, app.Options{Process: process(), Roles: roles})
	testkit.Must(e.t, err)
	e.t.Cleanup(a.Close)
	testkit.Background(e.t, func(ctx context.Context) {
		if err := a.Run(ctx); err != nil {
			e.t.Error(err)
		}
	})
	return a
}

// rows counts the rows of a zone of which something is so.
func (e *tenancy) rows(zone uuid.UUID, so string) (n int) {
	e.t.Helper()
	err := e.ground.DB.QueryRow(e.t.Context(), `select count(*)::int4 from public.twitter_engagement_tracking where zone_id = $1 and `+so, zone).Scan(&n)
	testkit.Must(e.t, err)
	return n
}

func (e *tenancy) state(a *app.App) throttle.BreakerReport {
	e.t.Helper()
	list, err := a.Keys(e.t.Context())
	testkit.Must(e.t, err)
	if len(list) != 1 || list[0].Provider == nil {
		e.t.Fatalf("the keys: %+v", list)
	}
	return list[0].Provider.Breaker
}

// TestOwnKey: the tweets of a client with a key of its own are looked up by it, at its pace
// under two workers, and are in the ledger as its; a key that is refused stops its client only,
// and nothing is called missing for it.
func TestOwnKey(t *testing.T) {
	t.Parallel()
	const rate = 4
	e := newTenancy(t, rate)
	a := e.start(e.cfg, app.Dispatcher, app.Worker)
	e.start(e.cfg, app.Worker)
	reach(t, "all rows are seen", func() bool {
		return e.rows(e.zone, "last_updated_at is not null or misses > 0") == 40 && e.rows(e.ground.Zone.ID, "last_updated_at is not null or misses > 0") == 40
	})
	own, shared := e.front.by(ownKey), e.front.by(enginetest.ProviderKey)
	ownIDs, ownReturned := asked(own)
	sharedIDs, sharedReturned := asked(shared)
	for id, is := range e.theirs {
		if is != (ownIDs[id] > 0) {
			t.Errorf("tweet %s, theirs: %v, was asked for %d times by their key", id, is, ownIDs[id])
		}
	}
	for id, is := range e.shared {
		if is != (sharedIDs[id] > 0) {
			t.Errorf("tweet %s, of the other: %v, was asked for %d times by the shared key", id, is, sharedIDs[id])
		}
	}
	for i, c := range own {
		if j := i + rate + 1; j < len(own) && own[j].at.Sub(c.at) < 900*time.Millisecond {
			t.Errorf("calls %d to %d by the client's key came within %s, at a rate of %d a second", i, j, own[j].at.Sub(c.at), rate)
		}
	}
	list, err := a.Database().Store.Expenses(t.Context(), time.Now().Add(-24*time.Hour), time.Now().Add(time.Hour))
	testkit.Must(t, err)
	billed := make(map[uuid.UUID]float64)
	for _, x := range list {
		billed[x.Client] += x.Tweets
		if x.Zone == e.zone && x.Client != e.client || x.Zone == e.ground.Zone.ID && x.Client != keys.Shared {
			t.Errorf("zone %s paid by the key of %s", x.Zone, x.Client)
		}
	}
	if math.Round(billed[e.client]) != float64(ownReturned) || math.Round(billed[keys.Shared]) != float64(sharedReturned) {
		t.Errorf("the ledger has %v, the provider returned %d and %d", billed, ownReturned, sharedReturned)
	}

	e.front.refuse(true)
	before := e.rows(e.zone, "misses > 0 or attempts > 0 or gone_reason is not null")
	_, err = e.ground.Store.ForceDue(t.Context(), store.DueFilter{})
	testkit.Must(t, err)
	reach(t, "the key's breaker opens", func() bool { return e.state(a).State == throttle.BreakerOpen })
	if s := e.state(a); s.Cause != engagement.CauseKeyRefused {
		t.Errorf("the breaker: %+v", s)
	}
	reach(t, "the other client's tweets go on", func() bool { return len(e.front.by(enginetest.ProviderKey)) >= 2*len(shared) })
	if stop, stopped := a.Lookups().Shared.Stopped(); stopped {
		t.Errorf("the shared key is stopped: %+v", stop)
	}
	if after := e.rows(e.zone, "misses > 0 or attempts > 0 or gone_reason is not null"); after != before {
		t.Errorf("%d rows in trouble, before %d", after, before)
	}
	again, _ := asked(e.front.by(enginetest.ProviderKey)[len(shared):])
	for id := range again {
		if !e.shared[id] {
			t.Errorf("tweet %s was asked for by the shared key", id)
		}
	}
	refused := len(e.front.by(ownKey))
	e.front.refuse(false)
	reach(t, "the key works again", func() bool {
		_, returned := asked(e.front.by(ownKey)[refused:])
		return returned >= 30
	})
}

// TestKeyThatCannotBeOpened: a worker with another secret makes no call with a client's key, nor
// another one for its tweets, says what to do, and loses nothing.
func TestKeyThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]config.Secret{"another secret": newSecret('x'), "none": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newTenancy(t, 10)
			cfg := e.cfg
			cfg.KeySecrets.Sealing = secret
			a := e.start(cfg, app.Dispatcher, app.Worker)
			reach(t, "the other client's rows are seen", func() bool { return e.rows(e.ground.Zone.ID, "last_updated_at is not null or misses > 0") == 40 })
			reach(t, "the key is stopped", func() bool { return e.state(a).State == throttle.BreakerOpen })
			if s := e.state(a); !strings.Contains(s.Reason, "GORGONE_KEY_SECRETS") || strings.Contains(s.Reason, ownKey) {
				t.Errorf("the reason: %s", s.Reason)
			}
			if n := len(e.front.by(ownKey)); n != 0 {
				t.Errorf("%d calls with a key that cannot be opened", n)
			}
			if n := e.rows(e.zone, "next_update_at is not null and last_updated_at is null and misses = 0 and attempts = 0"); n != 40 {
				t.Errorf("%d of 40 rows are as they were", n)
			}
		})
	}
}
