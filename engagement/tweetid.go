package engagement

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// snowflakeEpoch is 2010-11-04T01:42:54.657Z in milliseconds since 1970, the
// start of the time part of tweet ids. Source: twitter-archive/snowflake,
// IdWorker.scala.
const snowflakeEpoch = 1288834974657

// snowflakeTimeShift is the number of bits below the time part of an id.
const snowflakeTimeShift = 22

// firstSnowflake is the smallest id that carries its time; older ids were
// sequence numbers. It is the first id after the switch on 4 November 2010.
const firstSnowflake = 29700859247

// ErrTweetID is returned for text that is not a tweet id.
var ErrTweetID = errors.New("not a tweet id")

// CheckTweetID returns an error wrapping [ErrTweetID] unless s is 1 to 19 ASCII
// digits without a leading zero that fit a signed 64-bit integer.
func CheckTweetID(s string) error {
	if _, err := parseTweetID(s); err != nil {
		return err
	}
	return nil
}

func parseTweetID(s string) (int64, error) {
	if s == "" || len(s) > 19 || s[0] == '0' {
		return 0, fmt.Errorf("%.40q: %w (want 1 to 19 digits)", s, ErrTweetID)
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("%.40q: %w (want 1 to 19 digits)", s, ErrTweetID)
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q: %w (too large)", s, ErrTweetID)
	}
	return n, nil
}

// TweetCreatedAt reads the time a tweet was posted from its id, to the
// millisecond. The error wraps [ErrTweetID] when the text is not an id, or when
// the id is from before November 2010 and carries no time.
func TweetCreatedAt(id string) (time.Time, error) {
	n, err := parseTweetID(id)
	if err != nil {
		return time.Time{}, err
	}
	if n < firstSnowflake {
		return time.Time{}, fmt.Errorf("%q: %w with a time in it (posted before November 2010)", id, ErrTweetID)
	}
	return time.UnixMilli(n>>snowflakeTimeShift + snowflakeEpoch).UTC(), nil
}

// TweetIDAt makes the id of a tweet posted at the given time (millisecond
// precision); sequence, of which the low 22 bits count, tells tweets of the same
// millisecond apart. It is for populations of made-up tweets.
func TweetIDAt(at time.Time, sequence int64) string {
	return strconv.FormatInt((at.UnixMilli()-snowflakeEpoch)<<snowflakeTimeShift|sequence&(1<<snowflakeTimeShift-1), 10)
}
