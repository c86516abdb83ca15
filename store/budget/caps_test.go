package budget_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/budget"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
	"gorgone/twitter"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// price is what the provider of these tests charges for a tweet.
const price = 0.01

// world is a database with zones, and the provider of its tweets.
type world struct {
	*storetest.Env
	s        *store.Store
	provider *provider
	zones    map[string][]uuid.UUID // of each tweet
}

// newWorld is of a provider that has so many tweets, of which the last are canaries: one a batch.
func newWorld(tb testing.TB, name string, tweets int) *world {
	tb.Helper()
	w := &world{Env: storetest.New(tb, postgres.ExecPrepared), zones: make(map[string][]uuid.UUID)}
	w.provider = newProvider(tb, name, w.Clock, tweets)
	charges := twitter.ListPrice(name)
	charges.Dollars = price
	w.s = store.New(w.DB, w.Clock, store.Options{Provider: name, Prices: store.Prices{name: charges}})
	return w
}

// billed returns what the provider's log says was charged for each zone, in dollars.
func (w *world) billed(tb testing.TB) map[uuid.UUID]float64 {
	tb.Helper()
	return w.provider.billed(tb, w.zones)
}

// zone makes a zone with caps and so many due tweets.
func (w *world) zone(tb testing.TB, caps budget.Caps, first, tweets int) uuid.UUID {
	tb.Helper()
	zone := w.NewZone(tb)
	w.setCaps(tb, zone, caps)
	w.track(tb, zone, first, tweets)
	return zone
}

func (w *world) setCaps(tb testing.TB, zone uuid.UUID, caps budget.Caps) {
	tb.Helper()
	if caps == (budget.Caps{}) {
		return
	}
	text, err := json.Marshal(caps)
	if err != nil {
		tb.Fatal(err)
	}
	w.Exec(tb, `update zones set settings = coalesce(settings, '{}') || jsonb_build_object('budget', $2::text::jsonb) where id = $1`, zone, string(text))
}

func (w *world) track(tb testing.TB, zone uuid.UUID, first, tweets int) {
	tb.Helper()
	all := w.provider.tweets[first : first+tweets]
	for _, t := range all {
		w.zones[t.TweetID] = append(w.zones[t.TweetID], zone)
	}
	w.TrackIn(tb, zone, all)
}

// answer has the provider answer a batch.
func (w *world) answer(tb testing.TB, b store.Batch) {
	tb.Helper()
	work := w.Found(b, 1)
	var ids []string
	for _, tweet := range b.Tweets {
		if zones := w.zones[tweet.TweetID]; len(tweet.Rows) != len(zones) {
			tb.Errorf("a tweet of %d zones is claimed with %d rows: this test counts tweets of all their zones", len(zones), len(tweet.Rows))
			return
		}
		ids = append(ids, tweet.TweetID)
	}
	work.Calls = w.provider.lookup(tb, ids)
	if _, err := w.s.Apply(tb.Context(), work); err != nil {
		tb.Error(err)
	}
}

func (w *world) claim(tb testing.TB, tweets, batch int) store.Claimed {
	tb.Helper()
	c, err := w.s.Claim(tb.Context(), store.ClaimRequest{Tweets: tweets, BatchTweets: batch, BatchRows: 4 * batch, Lease: storetest.Lease})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// runUntilDone claims and answers with several workers, in any order, until claims find
// nothing that may be had.
func (w *world) runUntilDone(tb testing.TB, tweets, batch int, seed uint64) {
	tb.Helper()
	const workers = 3
	inHand := make(chan store.Batch, 10_000)
	var working conc.WaitGroup
	for n := range uint64(workers) {
		working.Go(func() {
			order := rand.New(rand.NewPCG(seed, n))
			var kept []store.Batch
			for b := range inHand {
				if kept = append(kept, b); order.IntN(2) == 0 {
					continue
				}
				for _, k := range kept {
					w.answer(tb, k)
				}
				kept = nil
			}
			for _, k := range kept {
				w.answer(tb, k)
			}
		})
	}
	for {
		c := w.claim(tb, tweets, batch)
		for _, b := range c.Batches {
			inHand <- b
		}
		if len(c.Batches) == 0 {
			break
		}
	}
	close(inHand)
	working.Wait()
}

// crowd has many zones with a few due tweets and a cap each, one with very many and a cap,
// and one with many and none. By the provider's log no zone is billed more than its cap and one
// batch, everyone gets what their cap buys, and who has no cap gets all.
func crowd(t *testing.T, provider string, zones, few, many int) {
	const batch, batches = 100, 2000
	w := newWorld(t, provider, zones*few+many+many/20+batches)
	caps := make(map[uuid.UUID]float64)
	for z := range zones - 2 {
		dollars := price * float64(5+z%10)
		caps[w.zone(t, budget.Caps{Day: dollars}, z*few, few)] = dollars
	}
	large := price * float64(many) / 10
	flood := w.zone(t, budget.Caps{Day: large, Month: 100 * large}, zones*few, many)
	caps[flood] = large
	free := w.zone(t, budget.Caps{}, zones*few+many, many/20)
	w.runUntilDone(t, 1000, batch, 1)
	billed := w.billed(t)
	for zone, dollars := range caps {
		if over := billed[zone] - dollars; over > price*batch {
			t.Errorf("a zone was billed $%.2f, its cap is $%.2f", billed[zone], dollars)
		}
		if billed[zone] < min(dollars*0.8-2*price, price*float64(few)) {
			t.Errorf("a zone was billed $%.3f of its cap of $%.2f, with more due", billed[zone], dollars)
		}
	}
	if n := w.Count(t, `select count(*) from twitter_engagement_tracking where zone_id = $1 and last_updated_at is null`, free); n != 0 {
		t.Errorf("%d tweets of the zone without a cap were not looked up", n)
	}
	spent := w.ledger(t)
	for zone, dollars := range billed {
		if diff := spent[zone] - dollars; diff > 1e-6 || diff < -1e-6 {
			t.Errorf("the ledger has $%.4f of a zone, the provider billed $%.4f", spent[zone], dollars)
		}
	}
}

func (w *world) ledger(tb testing.TB) map[uuid.UUID]float64 {
	tb.Helper()
	list, err := w.s.Expenses(tb.Context(), w.Clock.Now(), w.Clock.Now())
	if err != nil {
		tb.Fatal(err)
	}
	sum := make(map[uuid.UUID]float64)
	for _, e := range list {
		sum[e.Zone] += e.Dollars
	}
	return sum
}

func TestNoZoneExceedsItsCap(t *testing.T) {
	t.Parallel()
	for _, provider := range twitter.Providers() {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			crowd(t, provider, 40, 20, 2000)
		})
	}
}

// setClient sets the caps of the client of all zones.
func (w *world) setClient(tb testing.TB, caps budget.Caps) {
	tb.Helper()
	text, err := json.Marshal(caps)
	if err != nil {
		tb.Fatal(err)
	}
	w.Exec(tb, `insert into gorgone.client_budgets (client_id, budget, changed_at, changed_by)
		select distinct client_id, $1::text::jsonb, now(), 'test' from zones`, string(text))
}

// TestCapOfAClient: the zones of a client share its cap, by their weights, and each keeps to
// its own.
func TestCapOfAClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twitter.TwitterAPIName, 2000)
	w.setClient(t, budget.Caps{Day: 2.00})
	heavy := w.zone(t, budget.Caps{Weight: 3}, 0, 300)
	light := w.zone(t, budget.Caps{}, 300, 300)
	small := w.zone(t, budget.Caps{Day: 0.20}, 600, 300)
	for range 12 {
		for _, b := range w.claim(t, 20, 20).Batches {
			w.answer(t, b)
		}
	}
	w.runUntilDone(t, 100, 50, 1)
	billed := w.billed(t)
	sum := billed[heavy] + billed[light] + billed[small]
	if sum > 2.00+price || sum < 1.50 {
		t.Errorf("$%.2f were billed of the client's cap of $2.00", sum)
	}
	if billed[small] > 0.20+price {
		t.Errorf("$%.2f were billed of a zone's cap of $0.20", billed[small])
	}
	if ratio := billed[heavy] / billed[light]; ratio < 2 || ratio > 4.5 {
		t.Errorf("a zone of weight 3 got $%.2f, one of weight 1 $%.2f", billed[heavy], billed[light])
	}
}

// TestASharedTweetIsPaidByWhoItServes: the zones of a tweet pay equal parts of it, and a zone
// whose cap is used up is not served, and pays nothing.
func TestASharedTweetIsPaidByWhoItServes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twitter.TwitterAPIName, 2000)
	poor := w.zone(t, budget.Caps{Day: 0.20}, 0, 100)
	rich := w.zone(t, budget.Caps{Day: 50}, 0, 100) // the same tweets
	for {
		c := w.claim(t, 100, 25)
		if len(c.Batches) == 0 {
			break
		}
		for _, b := range c.Batches {
			work := w.Found(b, 1)
			work.Calls = []store.Calls{{Provider: w.provider.name, Count: 1, Billed: len(b.Tweets)}}
			if _, err := w.s.Apply(t.Context(), work); err != nil {
				t.Fatal(err)
			}
		}
	}
	spent := w.ledger(t)
	if spent[poor] > 0.20+1e-9 || spent[poor] < 0.05 {
		t.Errorf("the zone with a cap of $0.20 paid $%.3f", spent[poor])
	}
	if sum := spent[poor] + spent[rich]; sum < 1-1e-9 || sum > 1.21 {
		t.Errorf("$%.2f were paid for 100 tweets of $%.2f", sum, price)
	}
	if n := w.Count(t, `select count(*) from twitter_engagement_tracking where zone_id = $1 and last_updated_at is null`, rich); n != 0 {
		t.Errorf("%d tweets of the zone with money were not looked up", n)
	}
	if n := w.Count(t, `select count(*) from twitter_engagement_tracking where zone_id = $1 and last_updated_at is null`, poor); n < 50 {
		t.Errorf("only %d tweets of the zone without money were left", n)
	}
}

// TestRefreshesHaveTheirPartOfACap: the schedule leaves a part of a cap to refreshes, and what
// is refused says whose cap is used up and until when. Another zone is refused nothing.
func TestRefreshesHaveTheirPartOfACap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twitter.TwitterAPIName, 2000)
	zone := w.zone(t, budget.Caps{Day: 1.00}, 0, 300)
	other := w.zone(t, budget.Caps{}, 1000, 1)
	w.runUntilDone(t, 100, 50, 1)
	if billed := w.billed(t); billed[zone] > 0.90+price {
		t.Errorf("scheduled look-ups cost $%.2f of a cap of $1.00, a tenth of which is for refreshes", billed[zone])
	}
	ask := func(zone uuid.UUID) error {
		row := storetest.Scalar[uuid.UUID](t, w.Env, `select id from twitter_tweets where zone_id = $1 order by random() limit 1`, zone)
		_, _, err := w.s.OpenRefresh(t.Context(), store.RequestRefresh{ID: uuid.New(), Row: row, Requester: "x", Wait: time.Minute})
		return err
	}
	granted := 0
	var err error
	for granted < 100 {
		if err = ask(zone); err != nil {
			break
		}
		granted++
	}
	if granted < 3 || granted > 12 {
		t.Errorf("%d refreshes were granted with $0.10 left", granted)
	}
	limit, ok := errors.AsType[*store.LimitError](err)
	if !ok || limit.Cap == nil {
		t.Fatalf("a refresh beyond the cap ended with %v", err)
	}
	tomorrow := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	if c := limit.Cap; c.Owner.Kind != "zone" || c.Owner.ID != zone || c.Period != "day" || c.Cap != 1 || !c.Until.Equal(tomorrow) || limit.After != 12*time.Hour {
		t.Errorf("it was refused with %+v, to be asked again in %s", c, limit.After)
	}
	if err := ask(other); err != nil {
		t.Errorf("another zone's refresh: %v", err)
	}
	w.Clock.Advance(13 * time.Hour)
	if err := ask(zone); err != nil {
		t.Errorf("a refresh on the next day: %v", err)
	}
}

// TestARefreshIsPaidByWhoAskedForIt, though it serves the tweet's other zones too.
func TestARefreshIsPaidByWhoAskedForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twitter.TwitterAPIName, 2000)
	asks := w.zone(t, budget.Caps{Day: 1}, 0, 1)
	w.zone(t, budget.Caps{Day: 1}, 0, 1) // the same tweet
	row := storetest.Scalar[uuid.UUID](t, w.Env, `select id from twitter_tweets where zone_id = $1`, asks)
	r, _, err := w.s.OpenRefresh(t.Context(), store.RequestRefresh{ID: uuid.New(), Row: row, Requester: "x", Wait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Second)
	result := store.RefreshResult{
		TweetID: r.TweetID, RequestedAt: r.RequestedAt, Kind: store.Found,
		Observation: engagement.Observation{At: w.Clock.Now(), Metrics: storetest.Likes(1), Provider: w.provider.name},
	}
	applied, err := w.s.ApplyRefresh(t.Context(), []store.RefreshResult{result}, store.Calls{Provider: w.provider.name, Count: 1, Billed: 2})
	if err != nil || len(applied.Rows) != 2 {
		t.Fatalf("%d rows, %v", len(applied.Rows), err)
	}
	if spent := w.ledger(t); len(spent) != 1 || spent[asks] < 2*price-1e-9 {
		t.Errorf("the ledger has %v; the zone that asked is %s", spent, asks)
	}
}

// TestASoftCapPutsBehind: beyond its soft cap a zone gets a small part while others have
// something due, and all when they have not.
func TestASoftCapPutsBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twitter.TwitterAPIName, 2000)
	soft := w.zone(t, budget.Caps{SoftDay: 0.10}, 0, 300)
	other := w.zone(t, budget.Caps{}, 300, 100)
	for _, b := range w.claim(t, 40, 20).Batches {
		w.answer(t, b)
	}
	before := w.billed(t)[soft]
	for range 4 {
		for _, b := range w.claim(t, 20, 20).Batches {
			w.answer(t, b)
		}
	}
	if got := w.billed(t)[soft] - before; got > 0.2 {
		t.Errorf("beyond its soft cap a zone was served for $%.2f of $0.80", got)
	}
	w.runUntilDone(t, 100, 50, 1)
	if billed := w.billed(t); billed[soft] < 300*price || billed[other] < 100*price {
		t.Errorf("not all was looked up: $%.2f and $%.2f", billed[soft], billed[other])
	}
}

// TestCapsAreChecked: what is out of range is refused with what to do, and what stands in a
// zone's settings all the same counts for nothing and is told of.
func TestCapsAreChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"day": -1}`:                   "day is -1: want dollars from 0, which is no cap, to 1000000",
		`{"month": 1, "soft_month": 2}`: "soft_month is 2, above the cap of the month, 1: want less",
		`{"weight": 1000}`:              "weight is 1000: want 0.01 to 100, or 0 for the usual one",
	} {
		if _, err := budget.ParseCaps(text); fmt.Sprint(err) != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{`{"day": "much"}`, `[]`, `{`} {
		if _, err := budget.ParseCaps(text); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}
