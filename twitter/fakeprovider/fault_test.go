package fakeprovider_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

// TestFaultsOfCalls lets every fault happen to every client.
func TestFaultsOfCalls(t *testing.T) {
	t.Parallel()
	kinds := map[fakeprovider.Fault]string{
		fakeprovider.ServerError:  twitter.KindFault,
		fakeprovider.Hang:         twitter.KindFault,
		fakeprovider.SlowBody:     twitter.KindFault,
		fakeprovider.CutBody:      twitter.KindFault,
		fakeprovider.Reset:        twitter.KindFault,
		fakeprovider.Truncated:    twitter.KindFault,
		fakeprovider.NotJSON:      twitter.KindFault,
		fakeprovider.StatusError:  twitter.KindFault,
		fakeprovider.Empty:        twitter.KindOK,
		fakeprovider.ZeroedViews:  twitter.KindOK,
		fakeprovider.ZeroedCounts: twitter.KindOK,
		fakeprovider.OutOfCredit:  twitter.KindOutOfCredit,
		fakeprovider.UsageCapped:  twitter.KindOutOfCredit,
		fakeprovider.Unauthorized: twitter.KindUnauthorized,
		fakeprovider.RateLimited:  twitter.KindRateLimited,
		fakeprovider.BadRequest:   twitter.KindBadRequest,
		fakeprovider.NotFound:     twitter.KindBadRequest,
		fakeprovider.Challenge:    twitter.KindFault,
		fakeprovider.CreditText:   twitter.KindOutOfCredit,
		fakeprovider.RenamedLikes: twitter.KindOK,
		fakeprovider.OddViews:     twitter.KindOK,

		fakeprovider.RenamedCounts: twitter.KindOK,
	}
	for _, fault := range fakeprovider.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			server, baseURL, ids := serve(t, 30, fakeprovider.Config{Key: key})
			patient, faulted := clients(t, baseURL, 0), clients(t, baseURL, 0)
			if fault == fakeprovider.Hang || fault == fakeprovider.SlowBody {
				faulted = clients(t, baseURL, time.Second)
			}
			for name, c := range patient {
				before := server.Stats().Calls
				// A good call first, so that the fault meets a kept connection.
				for _, c := range []client{c, faulted[name]} {
					if _, err := c.Lookup(t.Context(), ids); err != nil {
						t.Fatal(err)
					}
				}
				inject(t, server, fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fault, Next: 1}}})
				a, err := faulted[name].Lookup(t.Context(), ids)
				if got := twitter.Kind(err); got != kinds[fault] {
					t.Fatalf("%s: %s (%v), want %s", name, got, err, kinds[fault])
				}
				if err != nil && len(a.Unresolved) != len(ids) {
					t.Errorf("%s: %d unresolved", name, len(a.Unresolved))
				}
				if got := server.Stats().Calls - before; got != 3 || a.Calls != 1 {
					t.Errorf("%s: %d calls arrived and %d counted for the faulted look, want 3 and 1", name, got, a.Calls)
				}
				if record := server.Calls()[len(server.Calls())-1]; record.Fault != fault {
					t.Errorf("%s: the log says fault %q", name, record.Fault)
				}
				switch fault {
				case fakeprovider.Empty:
					if len(a.Missing) != len(ids) {
						t.Errorf("%s: %d missing", name, len(a.Missing))
					}
				case fakeprovider.ZeroedViews:
					if m := a.Found[0].Metrics; m.Views != engagement.Known(0) {
						t.Errorf("%s: %v", name, m)
					}
				case fakeprovider.ZeroedCounts:
					if m := a.Found[0].Metrics; m.Total() != 0 || !m.Retweets.Known() {
						t.Errorf("%s: %v", name, m)
					}
				default:
				}
				// And the next call is well again.
				if a, err := c.Lookup(t.Context(), ids); err != nil || len(a.Found) != len(ids) {
					t.Fatalf("%s: afterwards found %d, %v", name, len(a.Found), err)
				}
			}
		})
	}
}

func TestFaultsOfTweets(t *testing.T) {
	t.Parallel()
	const found, missing, unresolved, refused, failed = "found", "missing", "unresolved", "refused", "failed"
	kinds := map[string]string{refused: twitter.KindBadRequest, failed: twitter.KindFault}
	cases := map[fakeprovider.TweetFault]struct{ state, reason string }{
		fakeprovider.Healthy:   {found, ""},
		fakeprovider.Deleted:   {missing, twitter.ReasonNotFound},
		fakeprovider.Protected: {missing, twitter.ReasonNotAuthorized},
		fakeprovider.Dropped:   {missing, ""},
		fakeprovider.NoViews:   {found, ""},
		fakeprovider.NoCounts:  {unresolved, ""},
		fakeprovider.ZeroViews: {found, ""},
		fakeprovider.Zeroed:    {found, ""},
		fakeprovider.HugeViews: {found, ""},
		fakeprovider.BadTweet:  {refused, ""},

		fakeprovider.FailingTweet: {failed, ""},
		fakeprovider.HangingTweet: {failed, ""},
	}
	for _, fault := range fakeprovider.TweetFaults() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			server, baseURL, ids := serve(t, 20, fakeprovider.Config{})
			bad := ids[7]
			timeout := time.Duration(0)
			if fault == fakeprovider.HangingTweet {
				timeout = time.Second
			}
			for name, c := range clients(t, baseURL, timeout) {
				inject(t, server, fakeprovider.Injection{Clear: true, Tweets: []fakeprovider.TweetInjection{{Fault: fault, IDs: []string{bad}, Lookups: 1}}})
				a, err := c.Lookup(t.Context(), ids)
				want := cases[fault]
				if kind := kinds[want.state]; kind != "" {
					if twitter.Kind(err) != kind || len(a.Unresolved) != len(ids) {
						t.Fatalf("%s: %v", name, err)
					}
				} else if err != nil || len(a.Found) < len(ids)-1 {
					t.Fatalf("%s: found %d, %v", name, len(a.Found), err)
				}
				switch want.state {
				case missing:
					reason := want.reason
					if name == twitter.TwitterAPIName {
						reason = "" // it never gives one
					}
					if len(a.Missing) != 1 || a.Missing[0].ID != bad || a.Missing[0].Reason != reason {
						t.Errorf("%s: missing %v, want %s for %q", name, a.Missing, bad, reason)
					}
				case unresolved:
					if len(a.Unresolved) != 1 || a.Unresolved[0].ID != bad || !errors.Is(a.Unresolved[0].Err, twitter.ErrMalformed) {
						t.Errorf("%s: unresolved %v", name, a.Unresolved)
					}
				case found:
					m := a.Found[slices.IndexFunc(a.Found, func(f twitter.Found) bool { return f.ID == bad })].Metrics
					truth, _ := server.Population().MetricsAt(bad, noon())
					if !spoilt(fault, m, truth) {
						t.Errorf("%s: %v where the truth is %v", name, m, truth)
					}
				default:
				}
				// It was for one look only.
				if a, err := c.Lookup(t.Context(), ids); err != nil || len(a.Found) != len(ids) {
					t.Errorf("%s: then found %d, %v", name, len(a.Found), err)
				}
			}
		})
	}
}

// spoilt reports whether m is the truth as the fault changes it.
func spoilt(fault fakeprovider.TweetFault, m, truth engagement.Metrics) bool {
	switch fault {
	case fakeprovider.NoViews:
		truth.Views, truth.Bookmarks = engagement.Count{}, engagement.Count{}
	case fakeprovider.ZeroViews:
		truth.Views = engagement.Known(0)
	case fakeprovider.HugeViews:
		truth.Views = engagement.Count{}
	case fakeprovider.Zeroed:
		zero := engagement.Known(0)
		truth = engagement.Metrics{Retweets: zero, Replies: zero, Likes: zero, Quotes: zero, Views: zero, Bookmarks: zero}
	default:
	}
	return m == truth
}

func TestFaultsByChance(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := serve(t, 20, fakeprovider.Config{Seed: 42})
	half := 0.5
	inject(t, server, fakeprovider.Injection{
		Calls:     []fakeprovider.CallInjection{{Fault: fakeprovider.ServerError, Share: &half}},
		DropShare: &half,
	})
	c := clients(t, baseURL, 0)[twitter.TwitterAPIName]
	var failed, missed int
	for range 60 {
		a, err := c.Lookup(t.Context(), ids)
		if err != nil {
			failed++
		}
		missed += len(a.Missing)
	}
	if failed < 15 || failed > 45 || missed < 150 || missed > 450 {
		t.Errorf("%d of 60 calls failed, %d tweets missed; want about 30 and 300", failed, missed)
	}
	inject(t, server, fakeprovider.Injection{Clear: true})
	if a, err := c.Lookup(t.Context(), ids); err != nil || len(a.Found) != len(ids) {
		t.Errorf("after all faults are cleared: found %d, %v", len(a.Found), err)
	}
}

// TestFaultsOfTheBalance: whatever is wrong with the balance route, look-ups are well, and
// a number that is there in any form is read.
func TestFaultsOfTheBalance(t *testing.T) {
	t.Parallel()
	readable := map[fakeprovider.BalanceFault]int64{
		fakeprovider.BalanceHealthy: 1234, fakeprovider.BalanceFraction: 1234, fakeprovider.BalanceText: -1, fakeprovider.BalanceZero: 0,
	}
	for _, fault := range fakeprovider.BalanceFaults() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			server, baseURL, ids := serve(t, 20, fakeprovider.Config{Credits: 1234})
			timeout := time.Duration(0)
			if fault == fakeprovider.BalanceHangs {
				timeout = time.Second
			}
			c, err := twitter.NewTwitterAPI(twitter.Config{Key: key, BaseURL: baseURL, Timeout: timeout})
			if err != nil {
				t.Fatal(err)
			}
			inject(t, server, fakeprovider.Injection{Balance: &fault})
			b, err := c.Balance(t.Context())
			if want, ok := readable[fault]; ok && want >= 0 && (err != nil || b.Left != want) {
				t.Errorf("left %d, %v; want %d", b.Left, err, want)
			} else if !ok && err == nil {
				t.Errorf("the route is broken and tells %+v", b)
			}
			if a, err := c.Lookup(t.Context(), ids); err != nil || len(a.Found) != len(ids) {
				t.Errorf("found %d, %v", len(a.Found), err)
			}
		})
	}
}
