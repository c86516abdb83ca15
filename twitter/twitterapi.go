package twitter

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// TwitterAPIBaseURL is where twitterapi.io answers.
const TwitterAPIBaseURL = "https://api.twitterapi.io"

// TwitterAPIName is how [TwitterAPI] names its provider, in calls and errors.
const TwitterAPIName = "twitterapi.io"

// twitterAPIMaxIDs is what the service takes, as measured since August 2026. Its
// documents still say 100.
const twitterAPIMaxIDs = 50

// TwitterAPI looks up tweets at twitterapi.io. Make one with [NewTwitterAPI].
//
// The service bills 15 credits for each tweet returned, and 15 for an answer
// without any. It gives no reasons: a deleted, a protected and an overlooked tweet
// are all just left out.
type TwitterAPI struct { //nolint:revive // the service is called so
	client
}

// NewTwitterAPI returns a client with the given settings, or all that is wrong
// with them.
func NewTwitterAPI(config Config) (*TwitterAPI, error) {
	isDefault := config.MaxIDs == 0
	config, err := config.withDefaults(TwitterAPIBaseURL, twitterAPIMaxIDs)
	if err != nil {
		return nil, fmt.Errorf("configure %s: %w", TwitterAPIName, err)
	}
	c := &TwitterAPI{client{
		caller: newCaller(TwitterAPIName, config),
		maxIDs: newIDLimit(config, isDefault),
		path: func(ids []string) string {
			return "/twitter/tweets?tweet_ids=" + strings.Join(ids, ",")
		},
		decode: decodeTwitterAPI,
		limit:  twitterAPILimit,
	}}
	c.leastBilled = 1
	c.refusal = refusal
	c.header = func(h http.Header, key string) { h.Set("X-Api-Key", key) }
	return c, nil
}

// Through returns a view of the client that waits for another gate. It shares the
// connections and the number of ids learnt with the client.
func (c *TwitterAPI) Through(gate Gate) *TwitterAPI {
	view := *c
	view.gate = gate
	return &view
}

// batchLimit matches the refusal of too many ids: "max 50 tweet_ids per request,
// please batch into multiple calls".
var batchLimit = regexp.MustCompile(`(?i)\bmax(?:imum)?\D{0,20}(\d{0,9})\D{0,20}tweet_ids`)

// twitterAPILimit reads the number of ids a call may hold from a refusal.
func twitterAPILimit(refusal *BadRequestError, asked int) int {
	return limitNamed(batchLimit, refusal, asked)
}

// limitNamed reads the number of ids a call may hold from a refusal by a pattern whose group
// is that number, or halves what was asked when it names no number that helps. It is 0 when
// the refusal is of something else.
func limitNamed(pattern *regexp.Regexp, refusal *BadRequestError, asked int) int {
	match := pattern.FindStringSubmatch(refusal.Message)
	if match == nil {
		return 0
	}
	if n, err := strconv.Atoi(match[1]); err == nil && n >= 1 && n < asked {
		return n
	}
	return asked / 2
}

// Balance asks for the credits left. It is a call like any other to the gate and
// to the provider's rate limit, and costs nothing.
func (c *TwitterAPI) Balance(ctx context.Context) (Balance, error) {
	return c.balance(ctx, "/oapi/my/info", decodeCredits)
}

func decodeCredits(body []byte) (Balance, error) {
	var info struct {
		Recharged *amount `json:"recharge_credits"`
		Bonus     amount  `json:"total_bonus_credits"` // not in the vendor's schema, but answered
	}
	if err := json.Unmarshal(body, &info); err != nil || info.Recharged == nil {
		return Balance{}, fmt.Errorf("%w: no recharge_credits in the account's info: %s", ErrMalformed, messageOf(body))
	}
	left := *info.Recharged + info.Bonus
	return Balance{Left: int64(left), Bonus: int64(info.Bonus), Unit: UnitCredits, Known: true}, nil
}
