package twitter

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// SocialDataBaseURL is where SocialData answers.
const SocialDataBaseURL = "https://api.socialdata.tools"

// SocialDataName is how [SocialData] names its provider, in calls and errors.
const SocialDataName = "socialdata"

// SocialData looks up tweets at SocialData, POST /twitter/tweets-by-ids. Make one with
// [NewSocialData].
//
// The service bills each tweet returned. A call takes up to 100 ids, and each key 120 calls
// a minute unless the vendor allows more
// (https://docs.socialdata.tools/reference/get-multiple-tweets/, read in November 2026). It
// gives no reasons: a tweet that is not there is left out.
type SocialData struct {
	client
}

// NewSocialData returns a client with the given settings, or all that is wrong with them.
func NewSocialData(config Config) (*SocialData, error) {
	isDefault := config.MaxIDs == 0
	config, err := config.withDefaults(SocialDataBaseURL, maxIDs)
	if err != nil {
		return nil, fmt.Errorf("configure SocialData: %w", err)
	}
	c := &SocialData{client{
		caller: newCaller(SocialDataName, config),
		maxIDs: newIDLimit(config, isDefault),
		path:   func([]string) string { return "/twitter/tweets-by-ids" },
		body: func(ids []string) string {
			return `{"ids":["` + strings.Join(ids, `","`) + `"]}` // checked ids are digits
		},
		decode: decodeSocialData,
		limit:  socialDataLimit,
	}}
	c.refusal = refusal
	c.header = func(h http.Header, key string) { h.Set("Authorization", "Bearer "+key) }
	return c, nil
}

// Through returns a view of the client that waits for another gate. It shares the
// connections and the number of ids learnt with the client.
func (c *SocialData) Through(gate Gate) *SocialData {
	view := *c
	view.gate = gate
	return &view
}

// listLimit matches the validation's refusal of a list that is too long: "The ids field must
// not have more than 100 items."
var listLimit = regexp.MustCompile(`(?i)\bids\b.{0,40}more than (\d{1,9})`)

// socialDataLimit reads the number of ids a call may hold from a refusal.
func socialDataLimit(refusal *BadRequestError, asked int) int {
	return limitNamed(listLimit, refusal, asked)
}

// Balance asks for what is left of the account, in cents: GET /user, which the vendor's
// pages do not describe and its users call, answers credits of one cent. It costs nothing
// and counts as a call.
func (c *SocialData) Balance(ctx context.Context) (Balance, error) {
	return c.balance(ctx, "/user", decodeCents)
}

func decodeCents(body []byte) (Balance, error) {
	var user struct {
		Balance *amount `json:"balance"`
	}
	if err := json.Unmarshal(body, &user); err != nil || user.Balance == nil {
		return Balance{}, fmt.Errorf("%w: no balance in the account's info: %s", ErrMalformed, messageOf(body))
	}
	return Balance{Left: int64(*user.Balance), Unit: UnitCents, Known: true}, nil
}

// decodeSocialData reads the body of a 200 from POST /twitter/tweets-by-ids into the page.
// The error is that of the whole answer; then the page is not to be used.
func decodeSocialData(body []byte, p *page) error { return decodeTweets(body, p, socialDataTweet) }

// socialDataTweet reads one element of the list of tweets, which has the names of Twitter's
// first API.
func socialDataTweet(r *reader, p *page) error {
	var (
		c       counters
		id      elementID
		o       outcome
		repeats bool // it only repeats another tweet
	)
	object, err := r.members(func(name []byte) error {
		switch string(name) {
		case "id":
			return id.read(r)
		case "id_str":
			return id.readText(r)
		case "retweet_count":
			return c.read(r, retweets)
		case "reply_count":
			return c.read(r, replies)
		case "favorite_count":
			return c.read(r, likes)
		case "quote_count":
			return c.read(r, quotes)
		case "views_count":
			return c.read(r, views)
		case "bookmark_count":
			return c.read(r, bookmarks)
		case "tweet_created_at":
			v, err := r.text()
			o.created = parseTime(v)
			return err
		case "full_text":
			v, err := r.text()
			repeats = repeats || isRepeat(v)
			return err
		case "retweeted_status":
			repeats = repeats || r.PeekKind() == '{'
			return p.inside(r)
		case "quoted_status":
			return p.inside(r)
		default:
			return r.skip()
		}
	})
	if err != nil {
		return err
	}
	if !object {
		p.strays++ // it may stand for any of those that are missing
		return nil
	}
	p.returned++
	if o = c.outcome(answered, o.created); repeats {
		o = o.ofRetweet()
	}
	p.set(id.value(), o)
	if !p.has(id.value()) {
		p.strays++
	}
	return nil
}
