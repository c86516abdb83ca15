package engagement_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

func TestTweetCreatedAt(t *testing.T) {
	t.Parallel()
	// Both are public tweets with a known time: the first that Twitter's own
	// documentation of snowflake ids uses, and one of 2022.
	for id, want := range map[string]string{
		"1050118621198921728": "2018-10-10T20:19:24Z",
		"1585841080431321088": "2022-10-28T03:49:11Z",
	} {
		got, err := engagement.TweetCreatedAt(id)
		if err != nil || got.Truncate(time.Second).Format(time.RFC3339) != want {
			t.Errorf("%s: %s, %v, want %s", id, got, err, want)
		}
	}
	for _, bad := range []string{"", "0", "007", "12a", "-5", "1 2", "99999999999999999999", strings.Repeat("9", 19), "20", "٣"} {
		if got, err := engagement.TweetCreatedAt(bad); !errors.Is(err, engagement.ErrTweetID) {
			t.Errorf("%q: %s, %v", bad, got, err)
		}
	}
}

func TestTweetIDRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(1300000000000, 1900000000000).Draw(t, "at")).UTC()
		id := engagement.TweetIDAt(at, rapid.Int64().Draw(t, "sequence"))
		if err := engagement.CheckTweetID(id); err != nil {
			t.Fatal(err)
		}
		got, err := engagement.TweetCreatedAt(id)
		if err != nil || !got.Equal(at) {
			t.Fatalf("%s: %s, %v, want %s", id, got, err, at)
		}
	})
}

func FuzzCheckTweetID(f *testing.F) {
	for _, s := range []string{"1", "1050118621198921728", "9223372036854775807", "9223372036854775808", "a", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if engagement.CheckTweetID(s) != nil {
			return
		}
		if strings.Trim(s, "0123456789") != "" || len(s) > 19 {
			t.Errorf("accepted %q", s)
		}
	})
}
