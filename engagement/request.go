package engagement

import "time"

// RequestOutcome is how a refresh request ended. The zero value is a request that
// is still open.
type RequestOutcome string

// The outcomes of a request. What follows from each is in [RequestOutcome.Effect].
const (
	RequestOpen       RequestOutcome = ""
	RequestUpdated    RequestOutcome = "updated"    // looked up and written
	RequestCurrent    RequestOutcome = "current"    // a newer observation was already there
	RequestMissing    RequestOutcome = "missing"    // an answer lacked the tweet, which may still exist
	RequestDeleted    RequestOutcome = "deleted"    // the tweet counts as deleted; the reason says why
	RequestUnresolved RequestOutcome = "unresolved" // no usable answer about the tweet
	RequestFailed     RequestOutcome = "failed"     // the look-up failed; cause and reason say why
	RequestUntracked  RequestOutcome = "untracked"  // no active zone tracks the tweet
	RequestExpired    RequestOutcome = "expired"    // unanswered at its deadline
)

// FailureCause says in one word what kept a failed request from its answer.
type FailureCause string

// The causes. What follows from each is in [FailureCause.Effect].
const (
	CauseRateLimited FailureCause = "rate_limited"  // calls are paused by the provider's rate limit
	CauseOutOfCredit FailureCause = "out_of_credit" // the provider account is empty
	CauseKeyRefused  FailureCause = "key_refused"   // the provider does not accept the API key
	CauseLate        FailureCause = "late"          // no call was possible before the deadline
	CauseDatabase    FailureCause = "database"      // the answer could not be written
	CausePaused      FailureCause = "paused"        // refreshes are paused by an operator
	CauseProvider    FailureCause = "provider"      // any other fault of the look-up
	CauseOutage      FailureCause = "outage"        // the provider keeps failing and is not called for a while
	CauseLimit       FailureCause = "limit"         // over the requester's limits or the day's budget
	CauseUnreadable  FailureCause = "unreadable"    // the message that asked could not be read
)

// RequestEffect is what a caller is told of a refresh.
type RequestEffect struct {
	Status     int           // of HTTP
	Code       string        // for programs; empty for a success
	NotFound   bool          // what was asked for does not exist, or is not tracked
	RetryAfter time.Duration // when to ask again, if nothing better is known; 0: not said
	Words      string        // for people; empty when the request's reason says it
	Fix        string        // what an operator can do about it; may be empty
}

// When to ask again, if nothing better is known.
const (
	retrySoon  = 5 * time.Second
	retryLimit = 15 * time.Second
)

// requestEffects is the one place that says what follows from the outcome of a
// request. [RequestFailed] is answered by its cause.
var requestEffects = map[RequestOutcome]RequestEffect{
	RequestOpen:    {Status: 202, Words: "the refresh is under way; ask again at the Location"},
	RequestUpdated: {Status: 200, Words: "the tweet was looked up"},
	RequestCurrent: {Status: 200, Words: "the tweet was looked up"},
	RequestMissing: {
		Status: 503, Code: "missing", NotFound: true, RetryAfter: MissGap,
		Words: "the provider's answer lacks the tweet: it may be deleted, or its account protected; it is looked for again before it counts as deleted",
	},
	RequestDeleted:    {Status: 410, Code: "gone", NotFound: true, Words: "the tweet counts as deleted"},
	RequestUntracked:  {Status: 409, Code: "not_tracked", NotFound: true, Words: "tweet is not tracked in an active zone"},
	RequestUnresolved: {Status: 502, Code: string(CauseProvider), Words: "the provider's answer about the tweet could not be used"},
	RequestExpired:    {Status: 504, Code: "expired", RetryAfter: retrySoon},
}

// failureEffects is the same for the causes of a failure.
var failureEffects = map[FailureCause]RequestEffect{
	CauseRateLimited: {Status: 429, RetryAfter: retryLimit, Fix: "lower TWITTER_RATE to what the plan allows, if this comes again and again"},
	CauseOutOfCredit: {Status: 402, Fix: "recharge the account"},
	CauseKeyRefused:  {Status: 502, Fix: "check TWITTER_API_KEY and TWITTER_PROVIDER"},
	CauseLate:        {Status: 503, RetryAfter: retrySoon},
	CauseDatabase:    {Status: 503, RetryAfter: retrySoon},
	CausePaused:      {Status: 503, RetryAfter: retrySoon},
	CauseProvider:    {Status: 502, Fix: "wait for the provider to recover"},
	CauseOutage:      {Status: 503, RetryAfter: retrySoon, Fix: "wait for the provider to recover"},
	CauseLimit:       {Status: 429, RetryAfter: retryLimit},
	CauseUnreadable:  {Status: 400, Fix: "publish messages as docs/refreshes.md describes them"},
}

// Effect returns what follows from the outcome. For [RequestFailed] use that of its
// cause, which says more.
func (o RequestOutcome) Effect() RequestEffect {
	if e, ok := requestEffects[o]; ok {
		return e
	}
	return CauseProvider.Effect()
}

// Effect returns what follows from the cause. An unknown one is answered like
// [CauseProvider].
func (c FailureCause) Effect() RequestEffect {
	e, ok := failureEffects[c]
	if !ok {
		e = failureEffects[CauseProvider]
	}
	e.Code = string(c)
	return e
}
