package twitter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The units of a [Balance].
const (
	UnitCredits = "credits" // twitterapi.io; 15 a tweet, and 100,000 cost $1
	UnitPosts   = "posts"   // X; posts that may still be read this month
	UnitCents   = "cents"   // SocialData
)

// Balance is what is left of an account.
type Balance struct {
	Left  int64     // what can be spent, bonus included
	Bonus int64     // part of it that was given, and expires after 30 days
	Unit  string    // of Left, one of the Unit constants
	Known bool      // false: the provider answers the account, but names no limit
	At    time.Time // when the call began, by the clock of [Config]
}

// Pays reports whether a look-up can be paid for, as far as is known.
func (b Balance) Pays() bool {
	least := int64(1)
	if b.Unit == UnitCredits {
		least = creditsPerTweet
	}
	return !b.Known || b.Left >= least
}

// creditsPerTweet is what twitterapi.io bills for a tweet, and at least for a call.
const creditsPerTweet = 15

// balance makes the call that a client's Balance is.
func (c *client) balance(ctx context.Context, path string, decode func(body []byte) (Balance, error)) (Balance, error) {
	var b Balance
	var at time.Time
	err := c.get(ctx, c.gate, question{path: path}, func(body []byte) (decoded, error) {
		var err error
		b, err = decode(body)
		return decoded{}, err
	}, func(x *exchange) { at = x.at })
	if err != nil {
		return Balance{}, fmt.Errorf("ask for the balance: %w", err)
	}
	b.At = at
	return b, nil
}

// amount is what an account has of something: a whole number, also when it is given as
// text or with a fraction, which is cut off.
type amount int64

// UnmarshalJSON implements [json.Unmarshaler].
func (a *amount) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	value, err := strconv.ParseFloat(strings.Trim(string(data), `" `), 64)
	if err != nil || math.IsNaN(value) || math.Abs(value) > mostAmount {
		return errors.New("not a number of a plausible size")
	}
	*a = amount(value)
	return nil
}

// mostAmount is more than any account has, and is represented exactly.
const mostAmount = 1 << 52
