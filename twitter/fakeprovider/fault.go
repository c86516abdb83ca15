package fakeprovider

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
)

// Fault is what goes wrong with a whole call.
type Fault string

// Faults of a call. One that a provider does not have takes the nearest form that it
// does.
const (
	ServerError  Fault = "server_error"  // 500 with a page of HTML
	Hang         Fault = "hang"          // no answer until the caller gives up
	SlowBody     Fault = "slow_body"     // half an answer, then nothing until the caller gives up
	CutBody      Fault = "cut_body"      // half an answer, then the connection closes
	Reset        Fault = "reset"         // the connection is reset instead of an answer
	Truncated    Fault = "truncated"     // a complete HTTP answer that ends in the middle of its JSON
	NotJSON      Fault = "not_json"      // 200 with a page of HTML
	StatusError  Fault = "status_error"  // 200 that reports an error
	Empty        Fault = "empty"         // 200 without a single tweet
	ZeroedViews  Fault = "zeroed_views"  // 200 in which every tweet has no views
	ZeroedCounts Fault = "zeroed_counts" // 200 in which every counter is 0
	OutOfCredit  Fault = "out_of_credit" // 402
	UsageCapped  Fault = "usage_capped"  // X: 429 that means a used-up cap; twitterapi.io: 402
	Unauthorized Fault = "unauthorized"  // 401
	RateLimited  Fault = "rate_limited"  // 429
	BadRequest   Fault = "bad_request"   // 400
	NotFound     Fault = "not_found"     // 404, as of a route that is no more
	Challenge    Fault = "challenge"     // 403 with an edge node's page of HTML
	CreditText   Fault = "credit_text"   // twitterapi.io: 200 that says in words that there is no credit; X: 402
	RenamedLikes Fault = "renamed_likes" // 200 in which the likes have another name
	OddViews     Fault = "odd_views"     // 200 in which the views are no number

	RenamedCounts Fault = "renamed_counts" // 200 in which all counters have other names
)

// Faults lists all faults of a call.
func Faults() []Fault {
	return []Fault{
		ServerError, Hang, SlowBody, CutBody, Reset, Truncated, NotJSON, StatusError, Empty,
		ZeroedViews, ZeroedCounts, OutOfCredit, UsageCapped, Unauthorized, RateLimited, BadRequest,
		NotFound, Challenge, CreditText, RenamedLikes, OddViews, RenamedCounts,
	}
}

// BalanceFault is what goes wrong with the route that tells what the account has left,
// while look-ups are well.
type BalanceFault string

// Faults of the balance route.
const (
	BalanceHealthy  BalanceFault = "healthy"      // no fault; removes one
	BalanceGone     BalanceFault = "gone"         // 404
	BalanceError    BalanceFault = "server_error" // 500
	BalanceHangs    BalanceFault = "hang"         // no answer until the caller gives up
	BalanceFraction BalanceFault = "fraction"     // numbers with a fraction
	BalanceText     BalanceFault = "text"         // numbers as text
	BalanceAbsent   BalanceFault = "absent"       // an answer without a number
	BalanceZero     BalanceFault = "zero"         // nothing left, whatever is
)

// BalanceFaults lists all faults of the balance route.
func BalanceFaults() []BalanceFault {
	return []BalanceFault{
		BalanceHealthy, BalanceGone, BalanceError, BalanceHangs, BalanceFraction, BalanceText, BalanceAbsent, BalanceZero,
	}
}

// TweetFault is what is wrong with one tweet.
type TweetFault string

// Faults of a tweet.
const (
	Healthy   TweetFault = "healthy"   // no fault; removes one
	Deleted   TweetFault = "deleted"   // left out; X says resource-not-found
	Protected TweetFault = "protected" // left out; X says not-authorized-for-resource
	Dropped   TweetFault = "dropped"   // left out without a reason, though it exists
	NoViews   TweetFault = "no_views"  // views and bookmarks are absent
	NoCounts  TweetFault = "no_counts" // every counter is absent
	ZeroViews TweetFault = "zero_views"
	Zeroed    TweetFault = "zeroed"      // every counter is 0
	HugeViews TweetFault = "huge_views"  // 3e9 views, more than an int4 holds
	BadTweet  TweetFault = "bad_request" // any call for it is refused with 400

	FailingTweet TweetFault = "server_error" // any call for it fails with 500
	HangingTweet TweetFault = "hang"         // any call for it has no answer until the caller gives up
)

// TweetFaults lists all faults of a tweet.
func TweetFaults() []TweetFault {
	return []TweetFault{Healthy, Deleted, Protected, Dropped, NoViews, NoCounts, ZeroViews, Zeroed, HugeViews, BadTweet, FailingTweet, HangingTweet}
}

// Injection changes how a [Server] behaves, all of it is applied or, when any part
// is invalid, nothing. What is left out stays as it is.
type Injection struct {
	// Clear removes all faults before the others here are set.
	Clear bool `json:"clear,omitempty"`
	// Calls are faults of calls.
	Calls []CallInjection `json:"calls,omitempty"`
	// Tweets are faults of tweets.
	Tweets []TweetInjection `json:"tweets,omitempty"`
	// DropShare is the share of tweets, 0 to 1, left out of each answer at random.
	DropShare *float64 `json:"drop_share,omitempty"`
	// Credits left; negative is unlimited.
	Credits *int64 `json:"credits,omitempty"`
	// Rate is the number of calls allowed a second; 0 is unlimited.
	Rate *float64 `json:"rate,omitempty"`
	// RefuseKey answers every call as if its key were wrong, and Down as if the provider
	// were failing (500), balance calls included. Both hold until they are changed.
	RefuseKey *bool `json:"refuse_key,omitempty"`
	Down      *bool `json:"down,omitempty"`
	// Balance is what is wrong with the balance route, until it is changed.
	Balance *BalanceFault `json:"balance,omitempty"`
	// Way is what happens to look-ups on their way, until it is changed; an empty one
	// leaves them alone.
	Way *Way `json:"way,omitempty"`
}

// CallInjection makes calls fail.
type CallInjection struct {
	Fault Fault `json:"fault"`
	// Next is how many of the next calls fail this way, after those that earlier injections
	// makes fail.
	Next int `json:"next,omitempty"`
	// Share of the other calls, 0 to 1, that fail this way at random. It replaces the
	// fault's earlier share.
	Share *float64 `json:"share,omitempty"`
}

// TweetInjection makes tweets go wrong.
type TweetInjection struct {
	Fault TweetFault `json:"fault"`
	IDs   []string   `json:"ids"`
	// Lookups is how many look-ups of the tweet the fault lasts; 0: until it is removed.
	Lookups int `json:"looks,omitempty"`
}

func (s Injection) validate() error {
	var faults []error
	share := func(what string, v *float64) {
		if v != nil && !(*v >= 0 && *v <= 1) {
			faults = append(faults, fmt.Errorf("share of %s %g: must be 0 to 1", what, *v))
		}
	}
	for _, c := range s.Calls {
		if !slices.Contains(Faults(), c.Fault) {
			faults = append(faults, fmt.Errorf("fault %q of calls: must be one of %v", c.Fault, Faults()))
		}
		if c.Next < 0 || c.Next > 1_000_000 {
			faults = append(faults, fmt.Errorf("next %d calls: must be 0 to 1,000,000", c.Next))
		}
		share("calls", c.Share)
	}
	for _, t := range s.Tweets {
		if !slices.Contains(TweetFaults(), t.Fault) {
			faults = append(faults, fmt.Errorf("fault %q of tweets: must be one of %v", t.Fault, TweetFaults()))
		}
		if t.Lookups < 0 {
			faults = append(faults, fmt.Errorf("%d looks: must not be negative", t.Lookups))
		}
		for _, id := range t.IDs {
			if _, err := strconv.ParseInt(id, 10, 64); err != nil {
				faults = append(faults, fmt.Errorf("tweet %.40q: not an id", id))
			}
		}
	}
	share("dropped tweets", s.DropShare)
	if s.Way != nil {
		faults = append(faults, s.Way.validate())
	}
	if s.Balance != nil && !slices.Contains(BalanceFaults(), *s.Balance) {
		faults = append(faults, fmt.Errorf("fault %q of the balance: must be one of %v", *s.Balance, BalanceFaults()))
	}
	if s.Rate != nil && !(*s.Rate >= 0 && *s.Rate <= maxRate) {
		faults = append(faults, fmt.Errorf("rate %g: must be 0 to %d", *s.Rate, maxRate))
	}
	return errors.Join(faults...)
}

// faults are the faults that were injected. It is safe for concurrent use.
type faults struct {
	mu        sync.Mutex
	random    *rand.Rand
	next      []Fault
	shares    map[Fault]float64
	tweets    map[int64]tweetFault
	dropShare float64
}

type tweetFault struct {
	fault   TweetFault
	lookups int // left; 0 is unlimited
}

func newFaults(seed uint64) *faults {
	f := &faults{random: rand.New(rand.NewPCG(seed, 0x6661756c))}
	f.clear()
	return f
}

func (f *faults) clear() {
	f.next, f.dropShare = nil, 0
	f.shares = make(map[Fault]float64)
	f.tweets = make(map[int64]tweetFault)
}

// inject applies a valid injection.
func (f *faults) inject(s Injection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.Clear {
		f.clear()
	}
	for _, c := range s.Calls {
		f.next = append(f.next, slices.Repeat([]Fault{c.Fault}, c.Next)...)
		if c.Share != nil {
			f.shares[c.Fault] = *c.Share
		}
	}
	for _, t := range s.Tweets {
		for _, text := range t.IDs {
			id, err := strconv.ParseInt(text, 10, 64)
			if err != nil || t.Fault == Healthy {
				delete(f.tweets, id)
				continue
			}
			f.tweets[id] = tweetFault{fault: t.Fault, lookups: t.Lookups}
		}
	}
	if s.DropShare != nil {
		f.dropShare = *s.DropShare
	}
}

// ofCall returns the fault of the next call; "" is none.
func (f *faults) ofCall() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.next) > 0 {
		fault := f.next[0]
		f.next = f.next[1:]
		return fault
	}
	// In order, so that the same seed gives the same faults.
	for _, fault := range slices.Sorted(maps.Keys(f.shares)) {
		if f.random.Float64() < f.shares[fault] {
			return fault
		}
	}
	return ""
}

// ofTweets returns the faults of the tweets of one look-up, by index; nil is none.
func (f *faults) ofTweets(ids []int64) map[int]TweetFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.tweets) == 0 && f.dropShare == 0 {
		return nil
	}
	wrong := make(map[int]TweetFault)
	for i, id := range ids {
		t, faulty := f.tweets[id]
		switch {
		case faulty && t.lookups == 1:
			delete(f.tweets, id)
		case faulty && t.lookups > 1:
			f.tweets[id] = tweetFault{fault: t.fault, lookups: t.lookups - 1}
		case !faulty && f.dropShare > 0 && f.random.Float64() < f.dropShare:
			t.fault = Dropped
		}
		if t.fault != "" {
			wrong[i] = t.fault
		}
	}
	return wrong
}

// float64 returns a random number in [0, 1) of the seeded sequence.
func (f *faults) float64() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.random.Float64()
}
