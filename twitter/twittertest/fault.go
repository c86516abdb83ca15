package twittertest

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

// Faults of a call. Those that one provider does not know have the nearest form
// that it does.
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
)

// Faults lists all faults of a call.
func Faults() []Fault {
	return []Fault{
		ServerError, Hang, SlowBody, CutBody, Reset, Truncated, NotJSON, StatusError, Empty,
		ZeroedViews, ZeroedCounts, OutOfCredit, UsageCapped, Unauthorized, RateLimited, BadRequest,
	}
}

// TweetFault is what is wrong with one tweet.
type TweetFault string

// Faults of a tweet.
const (
	Healthy   TweetFault = "healthy"   // nothing; takes a fault away
	Deleted   TweetFault = "deleted"   // left out; X says resource-not-found
	Protected TweetFault = "protected" // left out; X says not-authorized-for-resource
	Dropped   TweetFault = "dropped"   // left out without a word, though it exists
	NoViews   TweetFault = "no_views"  // views and bookmarks are absent
	NoCounts  TweetFault = "no_counts" // every counter is absent
	ZeroViews TweetFault = "zero_views"
	Zeroed    TweetFault = "zeroed"      // every counter is 0
	HugeViews TweetFault = "huge_views"  // 3e9 views, more than an int4 holds
	BadTweet  TweetFault = "bad_request" // any call that asks for it is refused with 400
)

// TweetFaults lists all faults of a tweet.
func TweetFaults() []TweetFault {
	return []TweetFault{Healthy, Deleted, Protected, Dropped, NoViews, NoCounts, ZeroViews, Zeroed, HugeViews, BadTweet}
}

// Steering changes how a [Server] behaves, all of it or, when anything in it is
// wrong, nothing. What is left out stays as it is.
type Steering struct {
	// Clear takes all faults away, before the others here are set.
	Clear bool `json:"clear,omitempty"`
	// Calls are faults of calls.
	Calls []CallSteering `json:"calls,omitempty"`
	// Tweets are faults of tweets.
	Tweets []TweetSteering `json:"tweets,omitempty"`
	// DropShare of the tweets, 0 to 1, are left out of each answer by chance.
	DropShare *float64 `json:"drop_share,omitempty"`
	// Credits left; negative is without end.
	Credits *int64 `json:"credits,omitempty"`
	// Rate is the number of calls a second; 0 is without limit.
	Rate *float64 `json:"rate,omitempty"`
	// RefuseKey lets every call be answered as if its key were wrong, Down as if the
	// provider were: 500. Both until it is said otherwise, and of the balance too.
	RefuseKey *bool `json:"refuse_key,omitempty"`
	Down      *bool `json:"down,omitempty"`
}

// CallSteering makes calls fail.
type CallSteering struct {
	Fault Fault `json:"fault"`
	// Next is how many of the next calls fail so, after those that earlier steering
	// makes fail.
	Next int `json:"next,omitempty"`
	// Share of the other calls, 0 to 1, that fail so by chance. It replaces the
	// fault's earlier share.
	Share *float64 `json:"share,omitempty"`
}

// TweetSteering makes tweets go wrong.
type TweetSteering struct {
	Fault TweetFault `json:"fault"`
	IDs   []string   `json:"ids"`
	// Looks is for how many look-ups; 0 is until it is taken away.
	Looks int `json:"looks,omitempty"`
}

func (s Steering) validate() error {
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
		if t.Looks < 0 {
			faults = append(faults, fmt.Errorf("%d looks: must not be negative", t.Looks))
		}
		for _, id := range t.IDs {
			if _, err := strconv.ParseInt(id, 10, 64); err != nil {
				faults = append(faults, fmt.Errorf("tweet %.40q: not an id", id))
			}
		}
	}
	share("dropped tweets", s.DropShare)
	if s.Rate != nil && !(*s.Rate >= 0 && *s.Rate <= maxRate) {
		faults = append(faults, fmt.Errorf("rate %g: must be 0 to %d", *s.Rate, maxRate))
	}
	return errors.Join(faults...)
}

// faults is what is to go wrong. It is safe for concurrent use.
type faults struct {
	mu        sync.Mutex
	random    *rand.Rand
	next      []Fault
	shares    map[Fault]float64
	tweets    map[int64]tweetFault
	dropShare float64
}

type tweetFault struct {
	fault TweetFault
	looks int // left; 0 is without end
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

// steer takes over a valid steering.
func (f *faults) steer(s Steering) {
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
			f.tweets[id] = tweetFault{fault: t.Fault, looks: t.Looks}
		}
	}
	if s.DropShare != nil {
		f.dropShare = *s.DropShare
	}
}

// ofCall returns what goes wrong with the call that comes now; "" is nothing.
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

// ofTweets returns what is wrong with the tweets of one look-up, by place. nil is
// nothing.
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
		case faulty && t.looks == 1:
			delete(f.tweets, id)
		case faulty && t.looks > 1:
			f.tweets[id] = tweetFault{fault: t.fault, looks: t.looks - 1}
		case !faulty && f.dropShare > 0 && f.random.Float64() < f.dropShare:
			t.fault = Dropped
		}
		if t.fault != "" {
			wrong[i] = t.fault
		}
	}
	return wrong
}

// random duration and such come from the same seed.
func (f *faults) float64() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.random.Float64()
}
