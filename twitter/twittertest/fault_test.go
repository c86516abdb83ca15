package twittertest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/twitter"
	"gorgone/twitter/twittertest"
)

// TestFaultsOfCalls lets every fault happen to every client.
func TestFaultsOfCalls(t *testing.T) {
	t.Parallel()
	kinds := map[twittertest.Fault]string{
		twittertest.ServerError:  twitter.KindFault,
		twittertest.Hang:         twitter.KindFault,
		twittertest.SlowBody:     twitter.KindFault,
		twittertest.CutBody:      twitter.KindFault,
		twittertest.Reset:        twitter.KindFault,
		twittertest.Truncated:    twitter.KindFault,
		twittertest.NotJSON:      twitter.KindMalformed,
		twittertest.StatusError:  twitter.KindFault,
		twittertest.Empty:        twitter.KindOK,
		twittertest.ZeroedViews:  twitter.KindOK,
		twittertest.ZeroedCounts: twitter.KindOK,
		twittertest.OutOfCredit:  twitter.KindOutOfCredit,
		twittertest.UsageCapped:  twitter.KindOutOfCredit,
		twittertest.Unauthorized: twitter.KindUnauthorized,
		twittertest.RateLimited:  twitter.KindRateLimited,
		twittertest.BadRequest:   twitter.KindBadRequest,
	}
	for _, fault := range twittertest.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			server, baseURL, ids := serve(t, 30, twittertest.Config{Key: key})
			patient, faulted := clients(t, baseURL, 0), clients(t, baseURL, 0)
			if fault == twittertest.Hang || fault == twittertest.SlowBody {
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
				steer(t, server, twittertest.Steering{Calls: []twittertest.CallSteering{{Fault: fault, Next: 1}}})
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
				case twittertest.Empty:
					if len(a.Missing) != len(ids) {
						t.Errorf("%s: %d missing", name, len(a.Missing))
					}
				case twittertest.ZeroedViews:
					if m := a.Found[0].Metrics; m.Views != engagement.Known(0) {
						t.Errorf("%s: %v", name, m)
					}
				case twittertest.ZeroedCounts:
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
	const found, missing, unresolved, refused = "found", "missing", "unresolved", "refused"
	cases := map[twittertest.TweetFault]struct{ state, reason string }{
		twittertest.Healthy:   {found, ""},
		twittertest.Deleted:   {missing, twitter.ReasonNotFound},
		twittertest.Protected: {missing, twitter.ReasonNotAuthorized},
		twittertest.Dropped:   {missing, ""},
		twittertest.NoViews:   {found, ""},
		twittertest.NoCounts:  {unresolved, ""},
		twittertest.ZeroViews: {found, ""},
		twittertest.Zeroed:    {found, ""},
		twittertest.HugeViews: {found, ""},
		twittertest.BadTweet:  {refused, ""},
	}
	for _, fault := range twittertest.TweetFaults() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			server, baseURL, ids := serve(t, 20, twittertest.Config{})
			bad := ids[7]
			for name, c := range clients(t, baseURL, 0) {
				steer(t, server, twittertest.Steering{Clear: true, Tweets: []twittertest.TweetSteering{{Fault: fault, IDs: []string{bad}, Looks: 1}}})
				a, err := c.Lookup(t.Context(), ids)
				want := cases[fault]
				if want.state == refused {
					if twitter.Kind(err) != twitter.KindBadRequest || len(a.Unresolved) != len(ids) {
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
func spoilt(fault twittertest.TweetFault, m, truth engagement.Metrics) bool {
	switch fault {
	case twittertest.NoViews:
		truth.Views, truth.Bookmarks = engagement.Count{}, engagement.Count{}
	case twittertest.ZeroViews:
		truth.Views = engagement.Known(0)
	case twittertest.HugeViews:
		truth.Views = engagement.Known(3_000_000_000)
	case twittertest.Zeroed:
		zero := engagement.Known(0)
		truth = engagement.Metrics{Retweets: zero, Replies: zero, Likes: zero, Quotes: zero, Views: zero, Bookmarks: zero}
	default:
	}
	return m == truth
}

func TestFaultsByChance(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := serve(t, 20, twittertest.Config{Seed: 42})
	half := 0.5
	steer(t, server, twittertest.Steering{
		Calls:     []twittertest.CallSteering{{Fault: twittertest.ServerError, Share: &half}},
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
	steer(t, server, twittertest.Steering{Clear: true})
	if a, err := c.Lookup(t.Context(), ids); err != nil || len(a.Found) != len(ids) {
		t.Errorf("after all faults are cleared: found %d, %v", len(a.Found), err)
	}
}
