package bill_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/bill"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// reads is a call that returned tweets, to a key at a time.
func reads(key string, at time.Time, tweets ...int64) store.Calls {
	return store.Calls{Provider: "x", Count: 1, Reads: bill.Reads{KeyID: key, Day: at, Tweets: tweets}}
}

// charges records calls and returns how many tweets more the ledger has.
func charges(t *testing.T, e *storetest.Env, calls ...store.Calls) int {
	t.Helper()
	before := total(t, e)
	if err := e.RecordCalls(t.Context(), false, calls...); err != nil {
		t.Fatal(err)
	}
	return int(total(t, e) - before + 0.5)
}

func total(t *testing.T, e *storetest.Env) (tweets float64) {
	t.Helper()
	list, err := e.Expenses(t.Context(), storetest.Epoch().AddDate(0, 0, -2), storetest.Epoch().AddDate(0, 0, 20))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		tweets += x.Tweets
	}
	return tweets
}

// TestTweetsAreChargedOnceADayAndKey goes through the ways in which a tweet is read twice.
func TestTweetsAreChargedOnceADayAndKey(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	day := time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC)
	next := day.Add(time.Second)
	for _, step := range []struct {
		name  string
		calls []store.Calls
		want  int
	}{
		{"the first look of the day", []store.Calls{reads("key", day, 1, 2, 3)}, 3},
		{"a second one, with a new tweet", []store.Calls{reads("key", day, 2, 3, 4)}, 1},
		{"another key, as of a fallback", []store.Calls{reads("other", day, 1, 2)}, 2},
		{"after midnight UTC", []store.Calls{reads("key", next, 1, 2)}, 2},
		{"what was read before midnight and is written late", []store.Calls{reads("key", day, 1, 5)}, 1},
		{"a tweet twice in an answer", []store.Calls{reads("key", next, 6, 6)}, 1},
		{"in two calls of one look-up", []store.Calls{reads("key", next, 7), reads("key", next, 7, 8)}, 2},
		{"beside tweets that are charged for each time", []store.Calls{{Provider: "y", Count: 1, Billed: 4}, reads("key", next, 1)}, 4},
	} {
		if got := charges(t, e, step.calls...); got != step.want {
			t.Errorf("%s: %d tweets are charged for, want %d", step.name, got, step.want)
		}
	}
	// A process that starts knows what the one before was charged for.
	e.Store = store.New(e.DB, e.Clock, store.Options{})
	if got := charges(t, e, reads("key", next, 1, 2, 9)); got != 1 {
		t.Errorf("after a restart: %d tweets are charged for, want 1", got)
	}
	// The books do not forget what still covers a look-up.
	if _, err := e.CloseLedger(t.Context(), next.Add(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := charges(t, e, reads("key", next, 1)); got != 0 {
		t.Errorf("two days later: %d tweets are charged for, want none", got)
	}
	if _, err := e.CloseLedger(t.Context(), next.Add(10*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := e.Count(t, `select count(*) from gorgone.day_passes`); n != 0 {
		t.Errorf("%d charges are remembered after ten days", n)
	}
}

// TestPaidIsCountedByKeyAndDay asks in another time zone, about more tweets than were read.
func TestPaidIsCountedByKeyAndDay(t *testing.T) {
	t.Parallel()
	storetest.InEachMode(t, func(t *testing.T, e *storetest.Env) {
		day := time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC)
		charges(t, e, reads("key", day, 1, 2, 3), reads("other", day, 3), reads("third", day, 1))
		charges(t, e, reads("key", day.Add(time.Second), 4))
		for at, want := range map[time.Time]map[string]int{
			day.In(time.FixedZone("east", 9*3600)): {"key": 2, "other": 1, "third": 0, "unknown": 0},
			day.Add(time.Second):                   {"key": 1, "other": 0},
			day.AddDate(0, 0, 2):                   {"key": 0},
		} {
			for key, want := range want {
				got, err := bill.CountPaid(t.Context(), e.DB, at, key, []string{"2", "3", "4", "5"})
				if err != nil || got != want {
					t.Errorf("on %s by %s: %d, want %d: %v", at, key, got, want, err)
				}
			}
		}
		if _, err := bill.CountPaid(t.Context(), e.DB, day, "key", []string{"a tweet"}); err == nil {
			t.Error("what is no id was counted")
		}
	})
}

// TestAnAnswerThatWasLostIsPaidOnce: of tweets that the key has read on that day a lost answer
// costs nothing; the others count as spent, beside the ledger.
func TestAnAnswerThatWasLostIsPaidOnce(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	day := storetest.Epoch()
	lost := func(tweets ...int64) store.Calls {
		return store.Calls{Provider: "x", Count: 1, Failed: 1, Reads: bill.Reads{KeyID: "key", Day: day, Lost: tweets}}
	}
	aside := func() int {
		return e.Count(t, `select coalesce(sum(tweets), 0) from gorgone.set_aside where until is null`)
	}
	for _, step := range []struct {
		name          string
		calls         []store.Calls
		charged, lost int
	}{
		{"read before", []store.Calls{reads("key", day, 1, 2)}, 2, 0},
		{"lost, and all were read", []store.Calls{lost(1, 2)}, 0, 0},
		{"lost, and one was not", []store.Calls{lost(2, 3)}, 0, 1},
		{"lost, and read in the retry", []store.Calls{lost(4, 5), reads("key", day, 4, 5)}, 2, 0},
		{"lost, where each look-up is charged for", []store.Calls{{Provider: "y", Count: 1, Lost: 7}}, 0, 7},
	} {
		before := aside()
		if got := charges(t, e, step.calls...); got != step.charged {
			t.Errorf("%s: %d tweets are charged for, want %d", step.name, got, step.charged)
		}
		if got := aside() - before; got != step.lost {
			t.Errorf("%s: %d tweets are set aside, want %d", step.name, got, step.lost)
		}
	}
}

// TestTheFirstToWritePays has many workers write what they read at once, twice each as after
// a commit whose answer was lost.
func TestTheFirstToWritePays(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	day := storetest.Epoch()
	const workers, tweets = 8, 60
	var writing conc.WaitGroup
	for w := range workers {
		writing.Go(func() {
			c := reads("key", day)
			for i := range tweets {
				c.Reads.Tweets = append(c.Reads.Tweets, int64(1+(i*7+w*31)%100)) // in an order of its own
			}
			named := []store.Calls{c}
			bill.Identify(named)
			for range 2 {
				if err := e.RecordCalls(t.Context(), w%2 == 0, named...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	if got, read := int(total(t, e)+0.5), e.Count(t, `select count(*) from gorgone.day_passes`); got != read || read != 100 {
		t.Errorf("%d tweets are charged for and %d were read, want 100", got, read)
	}
}

// TestBatchesAndRefreshesShareADayPass applies a batch of a tweet that two zones track, then a
// refresh of it.
func TestBatchesAndRefreshesShareADayPass(t *testing.T) {
	t.Parallel()
	storetest.InEachMode(t, func(t *testing.T, e *storetest.Env) {
		tweets := storetest.NewTweets(e.Clock.Now(), 2)
		e.TrackIn(t, e.ZoneID, tweets)
		e.TrackIn(t, e.NewZone(t), tweets[:1])
		now := e.Clock.Now()
		work := e.Found(e.ClaimAll(t), 7)
		canary := reads("key", now, 30)
		canary.Purpose, canary.Count = bill.PurposeControl, 0
		work.Calls = []store.Calls{reads("key", now, 10, 20), canary}
		e.MustApply(t, work)
		again := reads("key", now, 10, 40)
		again.Purpose = bill.PurposeRetry
		if _, err := e.ApplyRefresh(t.Context(), []store.RefreshResult{e.Refreshed(tweets[0].TweetID, 9)}, reads("key", now, 10), again); err != nil {
			t.Fatal(err)
		}
		for range 2 { // before the books are closed, and after
			list, err := e.Expenses(t.Context(), now, now)
			if err != nil {
				t.Fatal(err)
			}
			kinds := make(map[string]float64)
			zones := make(map[uuid.UUID]float64)
			for _, x := range list {
				kinds[x.Kind] += x.Tweets
				zones[x.Zone] += x.Tweets
			}
			// One of three rows is of the other zone, and half of its tweet's share.
			if kinds[bill.PurposeSchedule] != 2 || kinds[bill.PurposeControl] != 1 || kinds[bill.PurposeRefresh] != 0 || kinds[bill.PurposeRetry] != 1 || len(zones) != 2 {
				t.Errorf("by kind %v, by zone %v", kinds, zones)
			}
			if _, err := e.CloseLedger(t.Context(), now.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
