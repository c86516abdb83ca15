package twitter

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// XAPIBaseURL is where the X API answers.
const XAPIBaseURL = "https://api.x.com"

// XAPIName is how [XAPI] names its provider, in calls and errors.
const XAPIName = "x"

// The names that X gives, or gave, to the parameter that asks for a tweet's
// counters. Its guides say the first, its specification the second.
const (
	TweetFields = "tweet.fields"
	PostFields  = "post.fields"
)

// XAPI looks up tweets at the X API v2, GET /2/tweets. Make one with [NewXAPI].
//
// X says why it leaves a tweet out; such a tweet is missing with that reason, also
// when the reason is a protected account. An edited tweet may be answered by its
// newest version, which then stands for the version asked for. X bills each post
// once a day, so Billed is an upper bound.
type XAPI struct {
	client
}

// XConfig sets up a client of the X API.
type XConfig struct {
	Config

	// FieldsParam is [TweetFields], the default, or [PostFields].
	FieldsParam string
}

// NewXAPI returns a client with the given settings, or all that is wrong with
// them.
func NewXAPI(config XConfig) (*XAPI, error) {
	common, err := config.withDefaults(XAPIBaseURL, maxIDs)
	if err != nil {
		return nil, fmt.Errorf("configure the X API: %w", err)
	}
	param := config.FieldsParam
	if param == "" {
		param = TweetFields
	}
	if !slices.Contains([]string{TweetFields, PostFields}, param) {
		return nil, fmt.Errorf("configure the X API: fields parameter %q: must be %s or %s", param, TweetFields, PostFields)
	}
	c := &XAPI{client{
		caller: newCaller(XAPIName, common),
		maxIDs: newIDLimit(common, false),
		path: func(ids []string) string {
			return "/2/tweets?ids=" + strings.Join(ids, ",") + "&" + param + "=public_metrics,created_at"
		},
		decode: decodeX,
		limit:  func(*BadRequestError, int) int { return 0 }, // 100 has always held
	}}
	c.refusal = xRefusal
	c.header = func(h http.Header, key string) { h.Set("Authorization", "Bearer "+key) }
	return c, nil
}

// Through returns a view of the client that waits for another gate. It shares the
// connections with the client.
func (c *XAPI) Through(gate Gate) *XAPI {
	view := *c
	view.gate = gate
	return &view
}

// Balance asks for the posts that the project's monthly cap leaves, as GET
// /2/usage/tweets tells. X does not tell credits (the route that is documented for
// them answers 404), so an account that pays by use may have a balance here and no
// credit. The call is one like any other to the gate, and costs nothing; X allows it
// 50 times in 15 minutes.
func (c *XAPI) Balance(ctx context.Context) (Balance, error) {
	return c.balance(ctx, "/2/usage/tweets", decodeUsage)
}

func decodeUsage(body []byte) (Balance, error) {
	var usage struct {
		Data *struct {
			Cap   amount `json:"project_cap"`
			Usage amount `json:"project_usage"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &usage); err != nil || usage.Data == nil || usage.Data.Usage < 0 {
		return Balance{}, fmt.Errorf("%w: no usage in the answer: %s", ErrMalformed, messageOf(body))
	}
	b := Balance{Unit: UnitPosts}
	if usage.Data.Cap > 0 {
		b.Left, b.Known = max(int64(usage.Data.Cap-usage.Data.Usage), 0), true
	}
	return b, nil
}
